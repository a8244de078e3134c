// pure
import { coreModule } from "./core-module.ts";

/** Positions and lengths are bytes of the core's memory; what each function does is said in assembly/. */
export type CoreFunctions = {
  readonly scanCsv: (from: number, end: number, isLast: boolean, cells: number, columns: number, recordsMax: number, delimiter: number, quote: number) => number;
  readonly openSlots: (slots: number, order: number, capacity: number, table: number, tableSize: number) => void;
  readonly addSlot: (parent: number, start: number, length: number, descends: boolean) => number;
  readonly openArray: () => void;
  readonly openNested: () => void;
  readonly scanArray: (from: number, end: number, cells: number, rowBytes: number, recordsMax: number) => number;
  readonly scanLines: (from: number, end: number, cells: number, rowBytes: number, recordsMax: number) => number;
  readonly xmlAreaBytes: () => number;
  readonly openXml: (area: number, steps: number, stepCount: number) => void;
  readonly scanXml: (from: number, end: number, cells: number, columns: number, recordsMax: number) => number;
  readonly pendingNode: (index: number) => number;
  readonly setNodeColumn: (node: number, cell: number) => void;
  readonly nodeName: (node: number) => number;
  readonly nodeNameLength: (node: number) => number;
  readonly nodeParent: (node: number) => number;
  readonly openElements: () => number;
  readonly openName: (level: number) => number;
  readonly openNameLength: (level: number) => number;
  readonly firstUnsure: (cells: number, rowBytes: number, count: number, checks: number, checkCount: number, firstCheck: number) => number;
  readonly openOutput: (program: number, fields: number, firstLead: number, firstLeadBytes: number, lead: number, leadBytes: number, tail: number, tailBytes: number) => void;
  readonly openCsvOutput: (delimiter: number, quotesAll: boolean) => void;
  readonly emit: (isCsv: boolean, cells: number, rowBytes: number, computed: number, computedRowBytes: number, count: number, output: number, outputEnd: number) => number;
  readonly loadNumbers: (target: number, cells: number, rowBytes: number, count: number, scale: number, unsure: number) => void;
  readonly loadFlags: (target: number, cells: number, rowBytes: number, count: number, unsure: number) => void;
  readonly equalTexts: (target: number, cells: number, rowBytes: number, count: number, text: number, textLength: number, unsure: number) => void;
  readonly fillNumbers: (target: number, count: number, value: bigint) => void;
  readonly addNumbers: NumberStep;
  readonly subtractNumbers: NumberStep;
  readonly multiplyNumbers: NumberStep;
  readonly roundNumbers: (target: number, source: number, count: number, divisor: bigint, rounding: number, unsure: number) => void;
  readonly compareNumbers: (target: number, left: number, right: number, count: number, signs: number) => void;
  readonly combineFlags: (target: number, left: number, right: number, count: number, any: boolean) => void;
  readonly chooseNumbers: (target: number, flags: number, yes: number, no: number, count: number) => void;
  readonly writeNumbers: (computed: number, computedBytes: number, source: number, count: number, scale: number, texts: number) => void;
  readonly writeFlags: (computed: number, computedBytes: number, source: number, count: number, texts: number) => void;
  readonly nextMarked: (marks: number, row: number, count: number) => number;
  readonly nextUnmarked: (marks: number, row: number, count: number) => number;
  readonly markFalse: (marks: number, source: number, count: number) => void;
  readonly addMapped: (table: number, entries: number, key: number, keyLength: number, value: number, valueLength: number) => void;
  readonly mapTexts: (computed: number, computedBytes: number, cells: number, rowBytes: number, count: number, table: number, entries: number, otherwise: number, other: number, otherLength: number, unsure: number) => void;
  readonly splitTexts: (computed: number, computedBytes: number, cells: number, rowBytes: number, count: number, separator: number, separatorLength: number, index: number, unsure: number) => void;
  readonly beginTexts: (computed: number, computedBytes: number, count: number, texts: number, capacity: number) => void;
  readonly appendTexts: (computed: number, computedBytes: number, cells: number, rowBytes: number, count: number, capacity: number, unsure: number) => void;
  readonly appendText: (computed: number, computedBytes: number, count: number, text: number, length: number, capacity: number, unsure: number) => void;
  readonly appendPieces: (computed: number, computedBytes: number, cells: number, rowBytes: number, count: number, from: number, length: number, capacity: number, unsure: number) => void;
  readonly checkTimes: (cells: number, rowBytes: number, count: number, fractions: boolean, unsure: number) => void;
  readonly countLineEnds: (from: number, to: number) => number;
  readonly openLines: () => void;
  readonly setScratch: (position: number) => void;
  readonly next: WebAssembly.Global;
  readonly records: WebAssembly.Global;
  readonly keyStart: WebAssembly.Global;
  readonly keyLength: WebAssembly.Global;
  readonly keyParent: WebAssembly.Global;
  readonly arrayPlace: WebAssembly.Global;
  readonly hasUncompared: WebAssembly.Global;
  readonly xmlPlace: WebAssembly.Global;
  readonly pendingCount: WebAssembly.Global;
  readonly unsureCheck: WebAssembly.Global;
  readonly rowsDone: WebAssembly.Global;
  readonly written: WebAssembly.Global;
  readonly wrongField: WebAssembly.Global;
};

type NumberStep = (target: number, left: number, right: number, count: number, unsure: number) => void;

export const scanned = { done: 0, wrong: 1, newKey: 2, newColumns: 3, tooManyNames: 4 } as const;
export const emitted = { done: 0, full: 1, wrong: 2 } as const;
export const rootSlot = 0xffff_ffff;
export const afterArray = 4;
export const programFlag = { computed: 1, constant: 2, bare: 4, emptyIsNull: 8, optional: 16, fallback: 32, absent: 64 } as const;
export const checkType = { string: 0, int64: 1, decimal: 2, bool: 3, date: 4, timestamp: 5, number: 6 } as const;
export const cellBytes = 8;
export const cellKinds = ["text", "number", "boolean", "boolean", "null", "nested", undefined] as const;
export const cellKind = { text: 0, number: 1, null: 4, nested: 5 } as const;
export const missingKind = 6;

const pageBytes = 65_536;
/** Constants of the module lie in its first page. */
const firstArea = pageBytes;
/** The core reads and writes in blocks that run past the end of an area. */
const slackBytes = 64;

/** Areas from this size on are for what is written before it is read; one in memory that served before holds anything. */
const scratchBytesMin = 262_144;
/** What ended conversions leave for the next ones: making an instance costs more than converting a small report, and what is left of it is collected late. */
const sparesMax = 4;
const spareBytesMax = 8_388_608;

/** An instance of the module with its memory, and what its variables were at its beginning. */
type Instance = { readonly functions: CoreFunctions; readonly memory: WebAssembly.Memory; readonly state: readonly (readonly [WebAssembly.Global, number])[] };

const spares: Instance[] = [];

/**
 * The core with its memory, which grows with `allocate` and never shrinks. `bytes` and `words` are other objects after that.
 */
export class Core {
  readonly functions: CoreFunctions;
  readonly #instance: Instance;
  readonly #servedBefore: boolean;
  #free = firstArea;
  bytes: Buffer;
  words: Uint32Array;

  constructor() {
    const spare = spares.pop();
    this.#servedBefore = spare !== undefined;
    this.#instance = spare ?? instantiate();
    this.functions = this.#instance.functions;
    this.bytes = Buffer.from(this.#instance.memory.buffer);
    this.words = new Uint32Array(this.#instance.memory.buffer);
  }

  /** Gives instance and memory to the next core; this one must not be used afterwards. */
  release(): void {
    const { memory, state } = this.#instance;
    if (spares.length < sparesMax && this.bytes.length <= spareBytesMax && this.bytes.length > 0) {
      for (const [variable, value] of state) variable.value = value;
      if (firstPage !== undefined) new Uint8Array(memory.buffer).set(firstPage, 0);
      spares.push(this.#instance);
    }
    this.bytes = Buffer.alloc(0);
    this.words = new Uint32Array(0);
  }

  /** The position of a new area of so many bytes. All zero when it is smaller than 256 KiB; larger ones are to be written before they are read. */
  allocate(length: number): number {
    const position = this.#free;
    this.#free = Math.ceil((position + length + slackBytes) / 64) * 64;
    const missing = this.#free - this.bytes.length;
    if (missing > 0) {
      this.#instance.memory.grow(Math.ceil(missing / pageBytes));
      this.bytes = Buffer.from(this.#instance.memory.buffer);
      this.words = new Uint32Array(this.#instance.memory.buffer);
    }
    if (this.#servedBefore && length < scratchBytesMin) this.bytes.fill(0, position, this.#free);
    return position;
  }

  /** The position of an area of `wanted` bytes in place of that of `length` bytes: the same one, its content kept, when nothing was allocated behind it. */
  extend(position: number, length: number, wanted: number): number {
    if (Math.ceil((position + length + slackBytes) / 64) * 64 === this.#free) this.#free = position;
    return this.allocate(wanted);
  }

  startAt(cell: number): number {
    return this.words[cell >> 2] ?? 0;
  }

  kindAt(cell: number): number {
    return (this.words[(cell >> 2) + 1] ?? 0) & 7;
  }

  textAt(cell: number): string {
    const start = this.startAt(cell);
    return this.bytes.toString("utf8", start, start + ((this.words[(cell >> 2) + 1] ?? 0) >>> 3));
  }

  setCell(cell: number, start: number, length: number, kind: number): void {
    this.words[cell >> 2] = start;
    this.words[(cell >> 2) + 1] = (length << 3) | kind;
  }

  /** Puts bytes that stay, and tells where. */
  keep(content: Uint8Array): number {
    const position = this.allocate(content.length);
    this.bytes.set(content, position);
    return position;
  }
}

let compiled: WebAssembly.Module | undefined;
/** The first page of a new memory. */
let firstPage: Uint8Array | undefined;

function instantiate(): Instance {
  compiled ??= new WebAssembly.Module(Buffer.from(coreModule, "base64"));
  const memory = new WebAssembly.Memory({ initial: 2, maximum: 65_536 });
  const { exports } = new WebAssembly.Instance(compiled, { env: { memory } });
  firstPage ??= new Uint8Array(memory.buffer.slice(0, firstArea));
  const state = Object.entries(exports).flatMap(([name, variable]) => (name.startsWith("state:") && variable instanceof WebAssembly.Global ? [[variable, variable.value] as const] : []));
  // Sound because module and type are made of one source; tests run every function.
  return { functions: exports as CoreFunctions, memory, state };
}
