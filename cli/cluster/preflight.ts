import { createServer } from "node:net";
import type { ApiObject } from "../../orchestrator/api/types/meta.ts";
import type { Runtime } from "../../orchestrator/runtime/runtime.ts";
import { cliExit } from "../exit-codes.ts";
import { CliFailure } from "../failure.ts";
import { isPod, objectName } from "../print/kinds.ts";
import type { ControlPlaneImages } from "./images.ts";
import { isErrno } from "./process-identity.ts";

/** One thing that is missing, and what to do about it. */
export type Lack = { readonly message: string; readonly remedy: string };

/** The images of the control plane that the engine has not. */
export async function missingImages(runtime: Runtime, images: ControlPlaneImages): Promise<readonly Lack[]> {
  const found = await Promise.all([images.pause, images.dns].map(async (reference) => ((await runtime.imageStatus(reference)) === undefined ? reference : undefined)));
  return found.flatMap((reference) => (reference === undefined ? [] : [{ message: `The image ${reference} is not in the engine`, remedy: "build the images with `npm run images` in podkit's folder" }]));
}

/** Images that no pull policy allows to fetch (imagePullPolicy: Never) and that are not there. */
export async function missingLocalImages(runtime: Runtime, objects: readonly ApiObject[]): Promise<readonly Lack[]> {
  const wanted = new Map<string, string>();
  for (const pod of objects.filter(isPod)) {
    for (const container of [...(pod.spec.initContainers ?? []), ...pod.spec.containers]) {
      if (container.imagePullPolicy === "Never" && !wanted.has(container.image)) wanted.set(container.image, `${objectName(pod)} container ${container.name}`);
    }
  }
  const lacks = await Promise.all([...wanted].map(async ([image, where]) => ((await runtime.imageStatus(image)) === undefined ? [{ message: `${where}: the image ${image} is not in the engine, and imagePullPolicy: Never forbids to pull it`, remedy: image.startsWith("podkit/") ? "build the images with `npm run images` in podkit's folder" : `build or load it: docker image ls ${image}` }] : [])));
  return lacks.flat();
}

export type HostPort = { readonly port: number; readonly ip: string; readonly protocol: string; readonly where: string };

export function hostPorts(objects: readonly ApiObject[]): readonly HostPort[] {
  return objects.filter(isPod).flatMap((pod) =>
    [...(pod.spec.initContainers ?? []), ...pod.spec.containers].flatMap((container) =>
      (container.ports ?? []).flatMap((port) => (port.hostPort === undefined || port.hostPort === 0 ? [] : [{ port: port.hostPort, ip: port.hostIP ?? "", protocol: port.protocol ?? "TCP", where: `${objectName(pod)} container ${container.name}` }])),
    ),
  );
}

/**
 * Host ports that somebody else uses now, found by listening on them for a moment. `ours` are those that Pods of this cluster hold
 * already. Only TCP is tried. A port that may be free now and taken a moment later is found when the Pod starts.
 */
export async function takenHostPorts(wanted: readonly HostPort[], ours: readonly HostPort[]): Promise<readonly Lack[]> {
  const held = new Set(ours.map((port) => `${port.protocol}:${port.port}`));
  const lacks: Lack[] = [];
  const seen = new Map<string, string>();
  for (const port of wanted) {
    const key = `${port.protocol}:${port.ip}:${port.port}`;
    const other = seen.get(key);
    if (other !== undefined) lacks.push({ message: `${port.where}: hostPort ${port.port} is also wanted by ${other}`, remedy: "give one of them another hostPort" });
    seen.set(key, port.where);
    if (other === undefined && port.protocol === "TCP" && !held.has(`TCP:${port.port}`) && (await isTaken(port))) {
      lacks.push({ message: `${port.where}: hostPort ${port.port} is in use on this machine`, remedy: `end what listens there (\`ss -lptn "sport = :${port.port}"\` tells what), or choose another hostPort` });
    }
  }
  return lacks;
}

async function isTaken(port: HostPort): Promise<boolean> {
  const server = createServer();
  try {
    return await new Promise<boolean>((resolve) => {
      // EACCES: a low port this user may not take, which the engine may; EADDRNOTAVAIL: an address of another machine. The engine will tell.
      server.once("error", (error) => resolve(isErrno(error, "EADDRINUSE")));
      server.listen({ port: port.port, host: port.ip === "" ? "0.0.0.0" : port.ip, exclusive: true }, () => resolve(false));
    });
  } finally {
    await new Promise<void>((resolve) => void (server.listening ? server.close(() => resolve()) : resolve()));
  }
}

/** One message for everything that is missing, so that it can be mended in one go. Does nothing when nothing is. */
export function refuseLacks(lacks: readonly Lack[]): void {
  const [first] = lacks;
  if (first === undefined) return;
  if (lacks.length === 1) throw new CliFailure(cliExit.unavailable, `${first.message}; nothing was started`, { remedy: first.remedy });
  throw new CliFailure(cliExit.unavailable, `${lacks.length} things are missing; nothing was started`, { details: lacks.map((lack) => `${lack.message}; ${lack.remedy}`) });
}
