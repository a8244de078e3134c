// pure
// Where the keys of a command stand, from the key specifications in the server's COMMAND answer (Redis 7.0 on).
// Nothing is guessed: what the server itself calls incomplete or unknown gives "unknown".

export type KeySpec = {
  /** True when the server says that this key is only read (flag RO). */
  readonly readOnly: boolean;
  /** True for arguments that only look like keys, e.g. shard channels. */
  readonly notKey: boolean;
  readonly begin: { readonly kind: "index"; readonly index: number }
    | { readonly kind: "keyword"; readonly keyword: string; readonly from: number }
    | { readonly kind: "unknown" };
  readonly find: { readonly kind: "range"; readonly last: number; readonly step: number; readonly limit: number }
    | { readonly kind: "keynum"; readonly countAt: number; readonly firstAt: number; readonly step: number }
    | { readonly kind: "unknown" };
};

/** The arguments of one request: offsets into `bytes`, as the request scanner left them. */
export type Arguments = {
  readonly bytes: Uint8Array;
  readonly argc: number;
  readonly argStart: readonly number[];
  readonly argEnd: readonly number[];
};

/** Compares an argument with an upper-case ASCII word, ignoring case. */
export function argumentIs(args: Arguments, index: number, upper: string): boolean {
  const start = args.argStart[index] ?? 0, end = args.argEnd[index] ?? 0;
  if (index >= args.argc || end - start !== upper.length) return false;
  for (let at = 0; at < upper.length; at += 1) {
    const byte = args.bytes[start + at] ?? 0;
    const folded = byte >= 97 && byte <= 122 ? byte - 32 : byte;
    if (folded !== upper.charCodeAt(at)) return false;
  }
  return true;
}

function argumentNumber(args: Arguments, index: number): number {
  let value = 0;
  const start = args.argStart[index] ?? 0, end = args.argEnd[index] ?? 0;
  if (index >= args.argc || start === end || end - start > 9) return Number.NaN;
  for (let at = start; at < end; at += 1) {
    const digit = (args.bytes[at] ?? 0) - 48;
    if (digit < 0 || digit > 9) return Number.NaN;
    value = value * 10 + digit;
  }
  return value;
}

function beginOf(spec: KeySpec, args: Arguments): number {
  if (spec.begin.kind === "index") return spec.begin.index;
  if (spec.begin.kind === "unknown") return Number.NaN;
  const { keyword, from } = spec.begin;
  const step = from >= 0 ? 1 : -1;
  for (let index = from >= 0 ? from : args.argc + from; index > 0 && index < args.argc; index += step) {
    if (argumentIs(args, index, keyword)) return index + 1;
  }
  return -1; // the keyword is absent, and so are its keys
}

/** Calls `visit(argument index)` for every key of `spec`. Gives false when the positions cannot be known. */
export function visitKeys(spec: KeySpec, args: Arguments, visit: (index: number) => void): boolean {
  const first = beginOf(spec, args);
  if (Number.isNaN(first)) return false;
  if (first < 0) return true;
  const { find } = spec;
  if (find.kind === "unknown") return false;
  if (find.kind === "keynum") {
    const count = argumentNumber(args, first + find.countAt);
    if (Number.isNaN(count)) return false;
    const begin = first + find.firstAt;
    for (let key = 0; key < count && begin + key * find.step < args.argc; key += 1) visit(begin + key * find.step);
    return true;
  }
  let last = find.last >= 0 ? first + find.last : args.argc + find.last;
  if (find.last < 0 && find.limit > 1) last = first + Math.floor((args.argc - first) / find.limit) + find.last;
  for (let index = first; index <= last && index < args.argc; index += Math.max(1, find.step)) visit(index);
  return true;
}

/** The argument that is the only key, where the key specifications say so without a look at the request; else -1. */
export function soleKey(keys: readonly KeySpec[]): number {
  const spec = keys[0];
  if (spec === undefined || keys.length > 1 || spec.begin.kind !== "index" || spec.find.kind !== "range" || spec.find.last !== 0) return -1;
  return spec.begin.index;
}

/** The index of the first key among the arguments, or undefined when there is none or it is not known. */
export function firstKeyOf(plan: { readonly keys: readonly KeySpec[] }, args: Arguments): number | undefined {
  let first: number | undefined;
  for (const spec of plan.keys) {
    if (first !== undefined) break;
    visitKeys(spec, args, (index) => (first ??= index));
  }
  return first;
}
