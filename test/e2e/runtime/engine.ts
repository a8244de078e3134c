import { createServer } from "node:net";
import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { connectDocker } from "../../../orchestrator/runtime/docker/docker-runtime.ts";
import type { Runtime } from "../../../orchestrator/runtime/runtime.ts";

/** The engine of this machine, as DOCKER_HOST says. */
export async function connectEngine(): Promise<Runtime> {
  return await connectDocker({ dockerHost: process.env["DOCKER_HOST"], configDirectory: process.env["DOCKER_CONFIG"] ?? join(homedir(), ".docker") });
}

/** The local reference of one of the project's images, which the image build wrote down. */
export async function builtImage(name: string): Promise<string> {
  const images: unknown = JSON.parse(await readFile(new URL("../../../.podkit/images.json", import.meta.url), "utf8"));
  const entry: unknown = typeof images === "object" && images !== null ? Object.getOwnPropertyDescriptor(images, name)?.value : undefined;
  const reference: unknown = typeof entry === "object" && entry !== null ? Object.getOwnPropertyDescriptor(entry, "reference")?.value : undefined;
  if (typeof reference !== "string") throw new Error(`.podkit/images.json does not name ${name}: build the images first`);
  return reference;
}

/** Free at the time of asking. */
export async function freePort(): Promise<number> {
  return await new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => (typeof address === "object" && address !== null ? resolve(address.port) : reject(new Error("no port"))));
    });
  });
}
