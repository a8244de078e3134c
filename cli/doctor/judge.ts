// pure
import type { RuntimeVersion } from "../../orchestrator/runtime/runtime.ts";
import type { Finding } from "./findings.ts";

const gibibyte = 1024 ** 3;

export function judgeNode(version: string): Finding {
  return Number(version.split(".")[0]) >= 24 ? { level: "ok", what: "node", message: `Node ${version}` } : { level: "fail", what: "node", message: `Node ${version} is too old`, remedy: "podkit needs Node 24 or newer" };
}

export function judgeEngine(engine: RuntimeVersion): readonly Finding[] {
  return [
    { level: "ok", what: "engine", message: `${engine.engine} ${engine.version}, API ${engine.apiVersion}, ${engine.os}/${engine.arch}` },
    ...(engine.os === "linux" ? [] : [{ level: "fail", what: "engine", message: `the engine runs ${engine.os} containers`, remedy: "switch it to Linux containers" } as const]),
    engine.cgroupVersion === "2"
      ? { level: "ok", what: "cgroups", message: `version 2, driver ${engine.cgroupDriver}` }
      : { level: "warn", what: "cgroups", message: `version ${engine.cgroupVersion || "unknown"}, driver ${engine.cgroupDriver}`, remedy: "memory and CPU limits work; pressure readings and memory.high exist in version 2 only" },
  ];
}

/** An engine whose disk is full fails in many odd ways, so this warns early. */
export function judgeSpace(what: string, path: string, space: { readonly freeBytes: number; readonly totalBytes: number }): Finding {
  const message = `${(space.freeBytes / gibibyte).toFixed(1)} GiB free of ${(space.totalBytes / gibibyte).toFixed(1)} GiB at ${path}`;
  if (space.freeBytes < gibibyte / 4) return { level: "fail", what, message, remedy: "free some space, for example with `docker system prune`" };
  if (space.freeBytes < 2 * gibibyte) return { level: "warn", what, message, remedy: "images and logs may soon fill it: `docker system df` tells what takes the space" };
  return { level: "ok", what, message };
}
