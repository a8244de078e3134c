import { readFile } from "node:fs/promises";
import { parseNameservers, upstreamsOf } from "./resolvers.ts";

/** systemd-resolved puts only its own loopback address into /etc/resolv.conf; the real resolvers are here. */
const resolvedFile = "/run/systemd/resolve/resolv.conf";

/** The addresses at which the DNS container can ask for names outside of the cluster; those in `ourselves` would be a circle. */
export async function hostUpstreams(ourselves: readonly string[]): Promise<readonly string[]> {
  const [main, behindResolved] = await Promise.all([readOptional("/etc/resolv.conf"), readOptional(resolvedFile)]);
  return upstreamsOf({ main: parseNameservers(main), behindResolved: parseNameservers(behindResolved), ourselves });
}

async function readOptional(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return "";
    throw error;
  }
}
