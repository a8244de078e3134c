// pure
import type { Origin } from "./raw.ts";

/** One fault of a configuration. `path` is the configuration path (`sinks[0].url`), empty for the whole. */
export type Problem = { readonly origin: Origin; readonly path: string; readonly message: string };

/** One line: where, which setting, what is wrong and what would be right. */
export function formatProblem(problem: Problem): string {
  return [problem.origin, problem.path, problem.message].filter((part) => part !== "").join(": ");
}

export function joinPath(path: string, key: string | number): string {
  if (typeof key === "number") return `${path}[${key}]`;
  return path === "" ? key : `${path}.${key}`;
}
