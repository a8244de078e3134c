import type { Hub } from "../hub.ts";
import type { Run } from "./run.ts";
import { scanned } from "../protocol/request-scanner.ts";

/** What becomes of a request whose reply did not come as it should: it is sent again, or answered with these bytes. */
export type Outcome =
  | { readonly kind: "again"; readonly request: Buffer }
  | { readonly kind: "answered"; readonly request: Buffer; readonly reply: Buffer; readonly thenClose: boolean };

/**
 * Goes through the requests `from` to `to` of a run. Those that cannot have been executed (never given to the socket) and
 * those that only read are to be sent again; for all others `replyFor` gives the answer. The requests are copied.
 */
export function collectUnanswered(hub: Hub, run: Run, from: number, to: number, replyFor: () => Buffer): Outcome[] {
  const outcomes: Outcome[] = [];
  if (run.original !== undefined) return [{ kind: "again", request: run.original }];
  if (run.bytes === undefined) {
    for (let index = from; index < to; index += 1) outcomes.push({ kind: "answered", request: Buffer.alloc(0), reply: replyFor(), thenClose: false });
    return outcomes;
  }
  const bytes = run.bytes, scanner = hub.otherScanner;
  let at = run.start;
  for (let index = 0; index < to && at < run.end; index += 1) {
    if (scanner.scan(bytes, at, run.end) !== scanned.complete) break;
    if (index >= from) {
      const request = Buffer.from(bytes.subarray(at, scanner.next));
      const again = !run.handed || hub.planOf(scanner, bytes).repeatable;
      outcomes.push(again ? { kind: "again", request } : { kind: "answered", request, reply: replyFor(), thenClose: false });
    }
    at = scanner.next;
  }
  return outcomes;
}
