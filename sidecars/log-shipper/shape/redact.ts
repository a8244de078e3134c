// pure
import { skipValue } from "../forward-protocol/msgpack-reader.ts";
import type { MsgpackWriter } from "../forward-protocol/msgpack-writer.ts";
import { searchedMax } from "../parse/pattern.ts";
import type { FilterConfig } from "./filter-config.ts";
import { compilePath, type FieldPath, type KeyTable } from "./keys.ts";
import type { ShapedRecord } from "./record.ts";
import { presets } from "./redact-presets.ts";
import { TextSearch } from "./text-search.ts";
import { TextWindow } from "./text-window.ts";
import { contentStart, firstPairAt, isListType, isMapType, isText, pairCount, textAt } from "./value.ts";

type RedactConfig = Extract<FilterConfig, { type: "redact" }>;

/**
 * Replaces what its patterns find in texts, wherever they are nested below the fields given; keys stay. Without fields it looks
 * at all but the metadata that the shipper itself has added. A number is looked at as
 * its digits, and becomes text if something in it is replaced. Where something is replaced, bytes of that text that are not UTF-8
 * become U+FFFD; all else is kept byte for byte.
 *
 * A text longer than 8192 characters is searched in pieces of that length, cut at white space where there is some near (see
 * parse/pattern.ts for why): what lies across such a cut is not found.
 */
export class Redaction {
  readonly #fields: readonly FieldPath[] | undefined;
  readonly #replacements: readonly Replacement[];
  readonly #window = new TextWindow();

  constructor(config: RedactConfig, keys: KeyTable) {
    this.#fields = config.fields?.map((name) => compilePath(name, keys));
    const flags = flagsOf(config);
    this.#replacements = [
      ...(config.patterns ?? []).map((pattern) => replacement(RegExp(pattern, flags), config.replacement)),
      ...config.presets.map((name) => {
        const { pattern, confirm, keeps, digitsMin } = presets[name];
        const literal = config.replacement.replaceAll("$", "$$$$");
        return replacement(pattern, confirm === undefined ? `${keeps ?? ""}${literal}` : (match: string) => (confirm(match) ? config.replacement : match), digitsMin);
      }),
    ];
  }

  apply(record: ShapedRecord): void {
    if (this.#fields !== undefined) {
      for (const field of this.#fields) if (record.find(field)) this.#redactFound(record);
      return;
    }
    for (let pair = 0; pair < record.pairs; pair++) if (!record.isAdded(pair) && record.select(pair)) this.#redactFound(record);
  }

  #redactFound(record: ShapedRecord): void {
    const { bytes, valueFrom, valueTo } = record;
    const type = bytes[valueFrom] ?? 0;
    if (isMapType(type) || isListType(type)) {
      const { isOriginal } = record;
      if (!this.#anyBelow(bytes, valueFrom, valueTo, isOriginal)) return;
      record.replaceFound((writer) => this.#writeRedacted(bytes, valueFrom, valueTo, isOriginal, writer));
      return;
    }
    const redacted = this.#redacted(bytes, valueFrom, valueTo, record.isOriginal);
    if (redacted !== undefined) record.replaceFound((writer) => writer.string(redacted));
  }

  /** The new text of the scalar in `bytes[from, to)`; undefined when it stays as it is. */
  #redacted(bytes: Buffer, from: number, to: number, isOriginal: boolean): string | undefined {
    let text: string | undefined;
    let changed = false;
    const searchable = isOriginal && isText(bytes[from] ?? 0);
    for (const { search, replace } of this.#replacements) {
      // What an earlier pattern has put in is not in the bytes.
      if (searchable && !changed && !search.mayMatch(bytes, from, to)) continue;
      text ??= (searchable ? this.#window.text(bytes, contentStart(bytes, from), to) : undefined) ?? textAt(bytes, from, to);
      if (text === undefined) return undefined;
      const replaced = text.length > searchedMax ? pieces(text).map(replace).join("") : replace(text);
      changed ||= replaced !== text;
      text = replaced;
    }
    return changed ? text : undefined;
  }

  #anyBelow(bytes: Buffer, from: number, to: number, isOriginal: boolean): boolean {
    const type = bytes[from] ?? 0;
    if (!isMapType(type) && !isListType(type)) return this.#redacted(bytes, from, to, isOriginal) !== undefined;
    let at = firstPairAt(bytes, from);
    while (at < to) {
      if (isMapType(type)) at = skipValue(bytes, at, to);
      const end = skipValue(bytes, at, to);
      if (this.#anyBelow(bytes, at, end, isOriginal)) return true;
      at = end;
    }
    return false;
  }

  #writeRedacted(bytes: Buffer, from: number, to: number, isOriginal: boolean, writer: MsgpackWriter): void {
    const type = bytes[from] ?? 0;
    if (!isMapType(type) && !isListType(type)) {
      const redacted = this.#redacted(bytes, from, to, isOriginal);
      if (redacted === undefined) writer.raw(bytes, from, to);
      else writer.string(redacted);
      return;
    }
    let at = firstPairAt(bytes, from);
    if (isMapType(type)) writer.mapHeader(pairCount(bytes, from));
    else writer.arrayHeader(pairCount(bytes, from));
    while (at < to) {
      const valueAt = isMapType(type) ? skipValue(bytes, at, to) : at;
      writer.raw(bytes, at, valueAt);
      const end = skipValue(bytes, valueAt, to);
      this.#writeRedacted(bytes, valueAt, end, isOriginal, writer);
      at = end;
    }
  }
}

/** A pattern as data. `replacement` is undefined where nothing is replaced, and null where what stands there instead depends on the match. */
export type RedactPattern = { readonly source: string; readonly flags: string; readonly replacement: string | undefined | null; readonly digitsMin: number };

/** What the redaction looks for, in its order. */
export function redactPatterns(config: RedactConfig): readonly RedactPattern[] {
  const flags = flagsOf(config);
  return [
    ...(config.patterns ?? []).map((source) => ({ source, flags, replacement: config.replacement.includes("$") ? null : config.replacement, digitsMin: 0 })),
    ...config.presets.map((name) => {
      const { pattern, confirm, keeps, digitsMin = 0 } = presets[name];
      return { source: pattern.source, flags: pattern.flags, replacement: confirm === undefined && keeps === undefined ? config.replacement : null, digitsMin };
    }),
  ];
}

function flagsOf({ ignoreCase }: RedactConfig): string {
  return ignoreCase ? "gi" : "g";
}

type Replacement = { readonly search: TextSearch; readonly replace: (text: string) => string };

function replacement(pattern: RegExp, by: string | ((match: string) => string), digitsMin = 0): Replacement {
  const search = new TextSearch(pattern.source, pattern.flags, digitsMin);
  // Two calls, because the overloads of replace take one of the two each.
  return { search, replace: typeof by === "string" ? (text) => text.replace(pattern, by) : (text) => text.replace(pattern, by) };
}

const cutWindow = 256;

function pieces(text: string): readonly string[] {
  const cut: string[] = [];
  for (let from = 0; from < text.length; ) {
    let to = Math.min(from + searchedMax, text.length);
    if (to < text.length) {
      const near = text.slice(to - cutWindow, to).search(/\s\S*$/);
      if (near >= 0) to = to - cutWindow + near + 1;
      else if ((text.charCodeAt(to) & 0xfc00) === 0xdc00) to--;
    }
    cut.push(text.slice(from, to));
    from = to;
  }
  return cut;
}
