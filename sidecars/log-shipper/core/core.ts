// pure
import { coreModule } from "./core-module.ts";

/**
 * The hot core: a WebAssembly module that makes entries of raw and JSON lines and shapes entries (assembly/core.ts), and the memory it
 * works on. One serves all files of a process in turn.
 *
 * The memory never grows. Its pages are the system's to give when they are touched first, so what is idle costs address space
 * alone.
 */
type CoreFunctions = {
  readonly configure: (isJson: boolean, cutsLongLines: boolean, lineMax: number, partialFlagBytes: number, cutFlagBytes: number) => void;
  readonly open: (from: number, end: number, inputMax: number, isFinal: boolean, startsDiscarding: boolean) => void;
  readonly openOutput: (area: number, areaEnd: number, outputMax: number, spans: number, plainPrefixBytes: number, flaggedPrefixBytes: number, extraBytes: number, extraPairs: number) => void;
  readonly run: () => number;
  readonly takeRest: (cut: boolean) => number;
  readonly at: WebAssembly.Global;
  readonly output: WebAssembly.Global;
  readonly records: WebAssembly.Global;
  readonly discardedBytes: WebAssembly.Global;
  readonly discarding: WebAssembly.Global;
  readonly unparsed: WebAssembly.Global;
  readonly lineStart: WebAssembly.Global;
  readonly openShape: (area: number, shapedEnd: number, entries: number, entriesEnd: number, spans: number, keptSpans: number) => void;
  readonly describeShape: (addedPairs: number, addedBytes: number, passOver: boolean, contentHash: number, position: number) => void;
  readonly shape: () => number;
  readonly pass: (keeps: boolean) => void;
  readonly entry: WebAssembly.Global;
  readonly span: WebAssembly.Global;
  readonly shaped: WebAssembly.Global;
  readonly kept: WebAssembly.Global;
  readonly droppedBytes: WebAssembly.Global;
};

/** What `run` returns (assembly/core.ts). */
export const coreOutcome = { done: 0, hostLine: 1, full: 2 } as const;
/** Where the core expects what is written before each range (assembly/core.ts). */
export const coreArea = { plainPrefix: 32_768, flaggedPrefix: 32_800, partialFlag: 32_832, cutFlag: 32_848, extra: 32_896 } as const;
/** What `shape` returns (assembly/shape.ts). */
export const shapeOutcome = { done: 0, hostEntry: 1, full: 2 } as const;
/** The shaping area from its beginning (assembly/record.ts): the program, how many records each filter dropped, what comes out. */
export const shapeArea = { programBytes: 32_768, counts: 33_792, shaped: 141_376 } as const;
/** What a program may speak of. */
export const shapeMax = { filters: 256, keys: 256 } as const;
export const prefixBytesMax = 32;
export const extraBytesMax = 32_000;

const pageBytes = 65_536;
const inputArea = 3 * pageBytes;
/** The core reads and writes in blocks that run past the end. */
const slackBytes = 64;
/** The shortest entry: array, time, empty map. */
const entryBytesMin = 12;

export class Core {
  /** Input goes here, at any place of it. */
  readonly input: Buffer;
  readonly memory: Buffer;
  readonly functions: CoreFunctions;
  readonly outputArea: number;
  readonly outputEnd: number;
  readonly spansArea: number;
  readonly shapingArea: number;
  readonly shapedEnd: number;
  readonly keptSpansArea: number;

  /** `outputBytes` must hold the most that is asked for at once and one record more. */
  constructor({ inputBytes, outputBytes }: { readonly inputBytes: number; readonly outputBytes: number }) {
    this.outputArea = aligned(inputArea + inputBytes + slackBytes);
    this.outputEnd = this.outputArea + outputBytes;
    this.spansArea = aligned(this.outputEnd + slackBytes);
    const spansBytes = Math.ceil(outputBytes / entryBytesMin) * 8;
    this.shapingArea = aligned(this.spansArea + spansBytes + slackBytes);
    // Shaped records are hardly longer; a batch that does not fit is shaped by the host.
    this.shapedEnd = this.shapingArea + shapeArea.shaped + outputBytes + Math.ceil(outputBytes / 4);
    this.keptSpansArea = aligned(this.shapedEnd + slackBytes);
    const pages = Math.ceil((this.keptSpansArea + spansBytes + slackBytes) / pageBytes);
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
    this.memory = Buffer.from(memory.buffer);
    this.input = this.memory.subarray(inputArea, inputArea + inputBytes);
    const numberOf = (from: number, to: number): number => Number(this.memory.toString("latin1", from, to));
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(Buffer.from(coreModule, "base64")), { env: { memory }, host: { number: numberOf } });
    // Sound because module and type are made of one source; a test runs every function.
    this.functions = exports as CoreFunctions;
  }

  /** The position in the memory of `bytes[0]`, or undefined if they are not in the core's input. */
  positionOf(bytes: Uint8Array): number | undefined {
    return bytes.buffer === this.memory.buffer ? bytes.byteOffset : undefined;
  }

  spans(records: number): Uint32Array {
    return new Uint32Array(this.memory.buffer, this.spansArea, records * 2);
  }

  keptSpans(records: number): Uint32Array {
    return new Uint32Array(this.memory.buffer, this.keptSpansArea, records * 2);
  }
}

/** Whether this process can run the core; without it the TypeScript encoder does the same at three times the cost. */
export function coreIsAvailable(): boolean {
  return typeof WebAssembly === "object";
}

function aligned(position: number): number {
  return Math.ceil(position / 64) * 64;
}
