// pure
import type { CommandPlan } from "../commands/command-plan.ts";
import type { Fence, Generation } from "./fence.ts";
import { visitKeys } from "../commands/key-positions.ts";
import { scanned, type RequestScanner } from "../protocol/request-scanner.ts";
import { hashKey } from "./write-filter.ts";

/** Which keys a request may change, kept until the moment at which they must be marked. */
export type Marks = { all: boolean; readonly hashes: number[] };

const hashesMax = 4096;
export const noMarks = (): Marks => ({ all: false, hashes: [] });

/** Adds the keys that `request` may change. */
export function addMarks(marks: Marks, plan: CommandPlan, request: Buffer, scanner: RequestScanner): void {
  if (plan.marks === "none" || marks.all) return;
  if (plan.marks === "all" || scanner.scan(request, 0, request.length) !== scanned.complete) {
    marks.all = true;
    return;
  }
  const args = { bytes: request, argc: scanner.argc, argStart: scanner.argStart, argEnd: scanner.argEnd };
  for (const spec of plan.keys) {
    const known = visitKeys(spec, args, (index) => marks.hashes.push(hashKey(request, args.argStart[index] ?? 0, args.argEnd[index] ?? 0)));
    if (!known || marks.hashes.length > hashesMax) marks.all = true;
  }
}

/** Marks them now; undefined when there is nothing to mark. */
export function applyMarks(marks: Marks, fence: Fence): Generation | undefined {
  if (marks.all) return fence.markAll();
  let generation: Generation | undefined;
  for (const hash of marks.hashes) generation = fence.mark(hash);
  return generation;
}
