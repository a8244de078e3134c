import type { ImageInfo } from "../runtime.ts";

/** What the fake engine says about an image of which a test told only the name: it runs as root with one plain command. */
export function imageOf(reference: string): ImageInfo {
  const id = `sha256:${Buffer.from(reference).toString("hex").padEnd(64, "0").slice(0, 64)}`;
  return { id, references: [reference], sizeBytes: 1_000_000, user: "", entrypoint: [], command: ["/bin/app"], workingDir: "/", env: [] };
}
