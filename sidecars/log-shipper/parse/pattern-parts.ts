// pure
/** A set of characters: one bit for each ASCII character and one for all others together. */
export type Characters = bigint;
export type Part =
  | { readonly kind: "characters"; readonly set: Characters; /** The one character that it can match. */ readonly literal?: string }
  /** Takes no characters: an anchor, a look-around, an empty alternative. */
  | { readonly kind: "nothing" }
  | { readonly kind: "sequence"; readonly parts: readonly Part[] }
  | { readonly kind: "choice"; readonly options: readonly Part[] }
  | { readonly kind: "repeat"; readonly part: Part; readonly min: number; readonly max: number; readonly at: number };

const beyondAscii = 1n << 128n;
const everything: Characters = (1n << 129n) - 1n;

/** Reads the source of a regular expression. Throws SyntaxError with the position; what it passes over, JavaScript itself must refuse. */
export function readPattern(source: string, flags: string): Part {
  return new PatternReader(source, flags).read();
}

/** The parts that follow each other. */
export function flattened(part: Part): readonly Part[] {
  return part.kind === "sequence" ? part.parts.flatMap(flattened) : [part];
}

class PatternReader {
  readonly #source: string;
  #ignoreCase: boolean;
  #at = 0;

  constructor(source: string, flags: string) {
    this.#source = source;
    this.#ignoreCase = flags.includes("i");
  }

  read(): Part {
    const part = this.#choice();
    if (this.#at < this.#source.length) throw new SyntaxError(`at character ${this.#at + 1} ")" closes no group`);
    return part;
  }

  #choice(): Part {
    const options = [this.#sequence()];
    while (this.#source[this.#at] === "|") {
      this.#at++;
      options.push(this.#sequence());
    }
    return options.length === 1 ? (options[0] ?? nothing) : { kind: "choice", options };
  }

  #sequence(): Part {
    const parts: Part[] = [];
    while (this.#at < this.#source.length && this.#source[this.#at] !== "|" && this.#source[this.#at] !== ")") parts.push(this.#quantified());
    return parts.length === 1 ? (parts[0] ?? nothing) : { kind: "sequence", parts };
  }

  #quantified(): Part {
    const part = this.#single();
    const match = /[*+?]|\{(\d+)(?:(,)(\d*))?\}/y;
    match.lastIndex = this.#at;
    const found = match.exec(this.#source);
    if (found === null) return part;
    const at = this.#at + found[0].length;
    this.#at = this.#source[at] === "?" ? at + 1 : at;
    const [whole, least, comma, most] = found;
    if (whole === "*") return { kind: "repeat", part, min: 0, max: Infinity, at };
    if (whole === "+") return { kind: "repeat", part, min: 1, max: Infinity, at };
    if (whole === "?") return { kind: "repeat", part, min: 0, max: 1, at };
    const min = Number(least);
    return { kind: "repeat", part, min, max: comma === undefined ? min : most === undefined || most === "" ? Infinity : Number(most), at };
  }

  #single(): Part {
    const character = this.#source[this.#at] ?? "";
    if (character === "(") return this.#group();
    if (character === "[") return this.#characterClass();
    if (character === "\\") return this.#escape();
    if (/[*+?]/.test(character)) throw new SyntaxError(`at character ${this.#at + 1} "${character}" has nothing before it to repeat`);
    this.#at++;
    if (character === "." ) return { kind: "characters", set: everything };
    if (character === "^" || character === "$") return nothing;
    return this.#literal(character);
  }

  #literal(character: string): Part {
    return { kind: "characters", set: this.#setOf(character), ...(this.#ignoreCase || /[\ud800-\udfff\ufffd]/.test(character) ? {} : { literal: character }) };
  }

  #group(): Part {
    const from = this.#at;
    const opening = /\((?:\?(?:[:=!]|<[=!]|<([^>]*)>|[-ims]*:))?/y;
    opening.lastIndex = from;
    const head = opening.exec(this.#source)?.[0] ?? "(";
    this.#at += head.length;
    const outside = this.#ignoreCase;
    const [, on = "", off = ""] = /^\(\?([ims]*)(?:-([ims]*))?:/.exec(head) ?? [];
    this.#ignoreCase = (outside || on.includes("i")) && !off.includes("i");
    const part = this.#choice();
    this.#ignoreCase = outside;
    if (this.#source[this.#at] !== ")") throw new SyntaxError(`the group that begins at character ${from + 1} is not closed`);
    this.#at++;
    return /^\(\?<?[=!]/.test(head) ? nothing : part;
  }

  #characterClass(): Part {
    const from = this.#at++;
    const negated = this.#source[this.#at] === "^";
    if (negated) this.#at++;
    let set = 0n;
    while (this.#source[this.#at] !== "]") {
      if (this.#at >= this.#source.length) throw new SyntaxError(`the character class that begins at character ${from + 1} is not closed`);
      const low = this.#classMember();
      if (low.length !== 1 || this.#source[this.#at] !== "-" || this.#source[this.#at + 1] === "]" || this.#at + 1 >= this.#source.length) {
        set |= low.length === 1 ? this.#setOf(low) : classes.get(low) ?? everything;
        continue;
      }
      this.#at++;
      const high = this.#classMember();
      for (let code = low.charCodeAt(0); code <= Math.min(high.charCodeAt(0), 127); code++) set |= this.#setOf(String.fromCharCode(code));
      if (high.charCodeAt(0) > 127) set |= beyondAscii;
    }
    this.#at++;
    return { kind: "characters", set: negated ? everything & ~(set & ~beyondAscii) : set };
  }

  /** One character, or the escape of a class as it is written. */
  #classMember(): string {
    const character = this.#source[this.#at] ?? "";
    this.#at++;
    if (character !== "\\") return character;
    return this.#escaped(true);
  }

  #escape(): Part {
    this.#at++;
    const escaped = this.#escaped(false);
    if (escaped === "\\b" || escaped === "\\B") return nothing;
    // What a group has matched, perhaps nothing.
    if (/^\\(?:[1-9]|k<)/.test(escaped)) return { kind: "repeat", part: { kind: "characters", set: everything }, min: 0, max: Infinity, at: this.#at };
    return escaped.length === 1 ? this.#literal(escaped) : { kind: "characters", set: classes.get(escaped) ?? everything };
  }

  #escaped(inClass: boolean): string {
    const match = /x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|c[A-Za-z]|[1-9]\d*|[pP]\{[^}]*\}|k<[^>]*>|[^]/y;
    match.lastIndex = this.#at;
    const found = match.exec(this.#source);
    if (found === null) throw new SyntaxError(`at character ${this.#at} "\\" escapes nothing`);
    this.#at += found[0].length;
    const hex = found[1] ?? found[2];
    if (hex !== undefined) return String.fromCharCode(Number.parseInt(hex, 16));
    const letter = found[0];
    if (letter === "b" && inClass) return "\b";
    const control = controls.get(letter);
    if (control !== undefined) return control;
    return letter.length > 1 || /[dDwWsSbB]|^[1-9]/.test(letter) ? `\\${letter}` : letter;
  }

  #setOf(character: string): Characters {
    if (!this.#ignoreCase) return bitOf(character);
    return bitOf(character.toLowerCase()) | bitOf(character.toUpperCase());
  }
}

export const nothing: Part = { kind: "nothing" };
const controls: ReadonlyMap<string, string> = new Map([["n", "\n"], ["r", "\r"], ["t", "\t"], ["f", "\f"], ["v", "\v"], ["0", "\0"]]);

function bitOf(character: string): Characters {
  const code = character.charCodeAt(0);
  return code < 128 ? 1n << BigInt(code) : beyondAscii;
}

function bitsOf(pattern: RegExp): Characters {
  let set = 0n;
  for (let code = 0; code < 128; code++) if (pattern.test(String.fromCharCode(code))) set |= 1n << BigInt(code);
  return set;
}

const classes: ReadonlyMap<string, Characters> = new Map([
  ["\\d", bitsOf(/\d/)],
  ["\\D", bitsOf(/\D/) | beyondAscii],
  ["\\w", bitsOf(/\w/)],
  ["\\W", bitsOf(/\W/) | beyondAscii],
  ["\\s", bitsOf(/\s/) | beyondAscii],
  ["\\S", bitsOf(/\S/) | beyondAscii],
]);
