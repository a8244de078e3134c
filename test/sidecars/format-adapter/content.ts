import assert from "node:assert/strict";
import { test } from "node:test";
import { ConversionError } from "../../../sidecars/format-adapter/conversion-error.ts";
import { startConversion } from "../../../sidecars/format-adapter/convert.ts";
import { Engine } from "../../../sidecars/format-adapter/engine/engine.ts";
import type { Mapping } from "../../../sidecars/format-adapter/mapping/mapping.ts";
import { mappingOf } from "./support.ts";

/** The bytes that come out as text, or the fault. */
export type Content = string | { readonly code: string; readonly line: number; readonly column?: string };

/** What becomes of a report whose reads are cut at this byte, and again at every so many behind it. */
export function convertCut(mapping: Mapping, bytes: Buffer, first: number, size = bytes.length): Content {
  const conversion = startConversion(mapping);
  try {
    const pieces: Buffer[] = [];
    for (let at = 0, until = first; at < bytes.length; ) {
      const count = bytes.copy(conversion.room(), 0, at, Math.min(until, bytes.length));
      for (const piece of conversion.take(count)) pieces.push(Buffer.from(piece));
      at += count;
      if (at >= until) until += Math.max(size, 1);
    }
    for (const piece of conversion.end({ takeUnfinished: false })) pieces.push(Buffer.from(piece));
    return Buffer.concat(pieces).toString("utf8");
  } catch (error) {
    if (!(error instanceof ConversionError)) throw error;
    return { code: error.code, line: error.line, ...(error.column === undefined ? {} : { column: error.column }) };
  } finally {
    if (conversion instanceof Engine) conversion.close();
  }
}

const everyByteMax = 2_000;

/** Tests rows of a table: what a mapping makes of a content, whole and with reads cut at every byte (long ones at some). */
export function contentTable(given: { readonly in: string; readonly fields: string; readonly out?: string }, rows: readonly (readonly [name: string, content: string | Buffer, expected: Content, input?: string])[]): void {
  for (const [name, content, expected, input] of rows) {
    test(name, () => {
      const mapping = mappingOf({ in: input ?? given.in, fields: given.fields, out: given.out ?? '{format: ndjson, file: "/o/{name}"}' });
      const bytes = Buffer.from(content);
      assert.deepEqual(convertCut(mapping, bytes, bytes.length), expected);
      const step = bytes.length <= everyByteMax ? 1 : Math.ceil(bytes.length / 7);
      for (let cut = 1; cut < bytes.length; cut += step) assert.deepEqual(convertCut(mapping, bytes, cut), expected, `cut at ${cut}`);
      if (bytes.length <= everyByteMax) assert.deepEqual(convertCut(mapping, bytes, 1, 1), expected, "byte by byte");
    });
  }
}
