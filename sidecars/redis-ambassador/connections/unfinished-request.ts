// pure
import type { CommandPlan } from "../commands/command-plan.ts";
import { RequestCollector } from "../protocol/request-collector.ts";

/** An unfinished request above this size is passed on as it arrives, over a connection of its own. */
export const streamedBytes = 1024 * 1024;
/** Requests that have to be read whole by the ambassador itself (AUTH, HELLO, …) may not be longer. */
export const wholeRequestBytesMax = 1024 * 1024;
/** In a cluster requests for several keys are read whole up to here, so that they can be split. */
const splitBytesMax = 64 * 1024 * 1024;

/** Whether a request of which `begunBytes` are there, and which has `neededBytes` at least, is one that is passed on as it arrives. */
export function isBig(begunBytes: number, neededBytes: number): boolean {
  return Math.max(begunBytes, neededBytes) > streamedBytes;
}

/**
 * What becomes of a big request of which only the beginning is there. `collect`: it is looked at again when more of it has
 * come. `collectWhole`: when it may be complete. `stream`: it is passed on as it arrives. `refuse`: it is too big for its kind.
 * `mayBeSplit`: a cluster may have to cut it into parts.
 */
export function dealingWith(plan: CommandPlan, begunBytes: number, mayBeSplit: boolean): "collect" | "collectWhole" | "stream" | "refuse" {
  if (isDealtWithHere(plan)) return begunBytes > wholeRequestBytesMax ? "refuse" : "collect";
  return mayBeSplit && begunBytes <= splitBytesMax ? "collectWhole" : "stream";
}

function isDealtWithHere({ kind }: CommandPlan): boolean {
  return kind === "state" || kind === "ask" || kind === "local" || kind === "wait" || kind === "refused";
}

/** The request of one client that has not come whole yet, put together from what is read. */
export class UnfinishedRequest {
  #collector: RequestCollector | undefined;
  /** The one that the socket is being read into. */
  #readInto: RequestCollector | undefined;

  get begun(): boolean {
    return this.#collector !== undefined;
  }
  get bytes(): number {
    return this.#collector?.length ?? 0;
  }

  /** `begun` is copied; the request is not looked at before `neededBytes` of it are there. */
  begin(begun: Uint8Array, neededBytes: number): void {
    this.#collector = new RequestCollector(begun, neededBytes);
  }

  /** Where the socket is read to next: a big request to where it is put together, else `otherwise`. Undefined: where it was. */
  nextBuffer(otherwise: Buffer): Buffer | undefined {
    const room = this.#collector?.room;
    if (room === undefined && this.#readInto === undefined) return undefined;
    this.#readInto = room === undefined ? undefined : this.#collector;
    return room ?? otherwise;
  }

  /** Takes what was read, to `nextBuffer` or elsewhere; gives how many of the bytes belong to what is put together here. */
  add(bytes: Uint8Array): number {
    const collector = this.#collector;
    if (collector === undefined) return 0;
    if (this.#readInto !== collector) return collector.add(bytes);
    collector.filled(bytes.length);
    return bytes.length;
  }

  /** What there is, when it is worth looking at: whoever takes it releases it afterwards. */
  takeFull(): RequestCollector | undefined {
    const collector = this.#collector;
    if (collector?.full !== true) return undefined;
    this.#collector = undefined;
    return collector;
  }

  forget(): void {
    this.#collector = undefined;
  }
}
