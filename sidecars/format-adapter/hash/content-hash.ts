// pure
import { hashModule } from "./hash-module.ts";

/** Named in the ledger, so that hashes of different kinds are never compared. */
export const contentHashName = "xxh64";

type HashFunctions = {
  readonly begin: (state: number) => void;
  readonly take: (state: number, from: number, length: number) => void;
  readonly digest: (state: number) => bigint;
};

const pageBytes = 65_536;
/** The first page is the module's own. States follow, then the room through which bytes are handed over. */
const statesAt = pageBytes;
const stateBytes = 128;
const roomAt = 2 * pageBytes;
const roomBytes = pageBytes;
const statesMax = pageBytes / stateBytes;

type Loaded = { readonly functions: HashFunctions; readonly room: Uint8Array; readonly free: number[] };
let loaded: Loaded | undefined;

function load(): Loaded {
  if (loaded !== undefined) return loaded;
  const memory = new WebAssembly.Memory({ initial: 3, maximum: 3 });
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(Buffer.from(hashModule, "base64")), { env: { memory } });
  // Sound because module and type are made of one source; tests run every function.
  const functions = exports as HashFunctions;
  loaded = { functions, room: new Uint8Array(memory.buffer, roomAt, roomBytes), free: Array.from({ length: statesMax }, (_, index) => statesAt + index * stateBytes) };
  return loaded;
}

/**
 * XXH64 of a stream of bytes, to tell whether a report is the same as before. It signs nothing: who writes a report can make two of one hash,
 * and deceives only their own Pod. At most 512 may be under way in a process; `release` ends one.
 */
export class ContentHash {
  readonly #loaded = load();
  #state: number;

  constructor() {
    const state = this.#loaded.free.pop();
    if (state === undefined) throw new Error(`More than ${statesMax} hashes are under way`);
    this.#state = state;
    this.#loaded.functions.begin(state);
  }

  update(bytes: Uint8Array): void {
    const { room, functions } = this.#loaded;
    for (let at = 0; at < bytes.length; at += roomBytes) {
      const part = bytes.subarray(at, at + roomBytes);
      room.set(part);
      functions.take(this.#state, roomAt, part.length);
    }
  }

  /** 16 hex digits. More may be taken afterwards. */
  digest(): string {
    return BigInt.asUintN(64, this.#loaded.functions.digest(this.#state)).toString(16).padStart(16, "0");
  }

  /** Frees its place; it must not be used afterwards. */
  release(): void {
    if (this.#state === 0) return;
    this.#loaded.free.push(this.#state);
    this.#state = 0;
  }
}

/** The hash of bytes that are all there. */
export function contentHashOf(bytes: Uint8Array): string {
  const hash = new ContentHash();
  hash.update(bytes);
  const digest = hash.digest();
  hash.release();
  return digest;
}
