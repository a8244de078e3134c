// pure
/**
 * A regular expression that is a row of characters and sets of characters, each perhaps repeated, so that a text is matched in one
 * way or none: what a repeated atom can take, none of those after it can that may follow at once. Greedy matching from left to right
 * then finds what JavaScript finds, without ever going back.
 */
export type PlainPattern = {
  readonly atoms: readonly PlainAtom[];
  /** `^` at its beginning, `$` at its end, `\b` at its beginning. */
  readonly atBegin: boolean;
  readonly atEnd: boolean;
  readonly atBoundary: boolean;
};
export type PlainAtom = { /** One bit for each ASCII character. */ readonly set: bigint; readonly min: number; /** Infinity for no limit. */ readonly max: number };

const atomForm = /(\\[dDwWsS]|\\[nrtfv]|\\x[0-7][\da-fA-F]|\\[^\da-zA-Z]|\[(?:\\[^]|[^\]\\])*\]|[^\\()[\]{}|^$*+?])(?:([*+?])|\{(\d+)(?:(,)(\d*))?\})?(\?)?/y;

/** The pattern for text of ASCII characters alone; undefined when it is not plain, or may match the empty text. `source` is a valid pattern. */
export function plainPattern(source: string, flags: string): PlainPattern | undefined {
  const ignoreCase = flags.includes("i") ? "i" : "";
  const atBegin = source.startsWith("^");
  const atBoundary = source.startsWith("\\b");
  const first = atBegin ? 1 : atBoundary ? 2 : 0;
  const atEnd = /(?<!\\)(?:\\\\)*\$$/.test(source);
  const last = source.length - (atEnd ? 1 : 0);
  const atoms: PlainAtom[] = [];
  for (let at = first; at < last; ) {
    atomForm.lastIndex = at;
    const found = atomForm.exec(source);
    if (found === null || at + found[0].length > last) return undefined;
    const [whole, atom = "", sign, least, comma, most, lazy] = found;
    if (lazy !== undefined) return undefined;
    atoms.push({ set: asciiSet(atom, ignoreCase), ...repetition(sign, least, comma, most) });
    at += whole.length;
  }
  if (atoms.every(({ min }) => min === 0) || !dividesOneWay(atoms)) return undefined;
  return { atoms, atBegin, atEnd, atBoundary };
}

function repetition(sign: string | undefined, least: string | undefined, comma: string | undefined, most: string | undefined): { readonly min: number; readonly max: number } {
  if (sign !== undefined) return { min: sign === "+" ? 1 : 0, max: sign === "?" ? 1 : Infinity };
  if (least === undefined) return { min: 1, max: 1 };
  const min = Number(least);
  return { min, max: comma === undefined ? min : most === undefined || most === "" ? Infinity : Number(most) };
}

/** JavaScript itself tells what the atom takes. */
function asciiSet(atom: string, flags: string): bigint {
  const form = RegExp(`^${atom}$`, flags);
  let set = 0n;
  for (let code = 0; code < 128; code++) if (form.test(String.fromCharCode(code))) set |= 1n << BigInt(code);
  return set;
}

function dividesOneWay(atoms: readonly PlainAtom[]): boolean {
  return atoms.every(({ set, min, max }, index) => {
    if (min === max) return true;
    let after = 0n;
    for (const next of atoms.slice(index + 1)) {
      after |= next.max === 0 ? 0n : next.set;
      if (next.min > 0) break;
    }
    return (set & after) === 0n;
  });
}
