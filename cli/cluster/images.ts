import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Installation } from "../command.ts";
import { isErrno } from "./process-identity.ts";

/** The images a control plane itself needs. */
export type ControlPlaneImages = { readonly pause: string; readonly dns: string };

/** As the last build of the images recorded them (.podkit/images.json), else by name and the package's version. */
export async function controlPlaneImages(installation: Installation): Promise<ControlPlaneImages> {
  const recorded = await readRecorded(join(installation.root, ".podkit/images.json"));
  const reference = (name: string): string => recorded.get(name) ?? `podkit/${name}:${installation.version}`;
  return { pause: reference("pause"), dns: reference("dns") };
}

async function readRecorded(path: string): Promise<ReadonlyMap<string, string>> {
  const references = new Map<string, string>();
  try {
    const list: unknown = JSON.parse(await readFile(path, "utf8"));
    if (typeof list !== "object" || list === null) return references;
    for (const [name, record] of new Map<string, unknown>(Object.entries(list))) {
      const reference = referenceOf(record);
      if (typeof reference === "string") references.set(name.replace(/^podkit\//, ""), reference);
    }
  } catch (error) {
    if (!isErrno(error, "ENOENT", "ENOTDIR") && !(error instanceof SyntaxError)) throw error; // never built here: the usual names hold
  }
  return references;
}

function referenceOf(record: unknown): unknown {
  return typeof record === "object" && record !== null && "reference" in record ? record.reference : undefined;
}
