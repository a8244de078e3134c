import { ConversionError } from "../../../sidecars/format-adapter/conversion-error.ts";
import { startConversion } from "../../../sidecars/format-adapter/convert.ts";
import type { Mapping } from "../../../sidecars/format-adapter/mapping/mapping.ts";

/** What a mapping makes of bytes that come in pieces of `size`: the output, or the error as "CODE line 3 column x". */
export function madeOf(mapping: Mapping, bytes: Uint8Array, size: number): string {
  return recordsOf(mapping, bytes, size).made;
}

/** As `madeOf`, with the lines of the records that were left out, each with its code. */
export function recordsOf(mapping: Mapping, bytes: Uint8Array, size: number): { readonly made: string; readonly refused: readonly string[] } {
  try {
    const conversion = startConversion(mapping);
    const pieces: Buffer[] = [];
    for (let at = 0; at < bytes.length; ) {
      const room = conversion.room();
      const count = Math.min(size, room.length, bytes.length - at);
      room.set(bytes.subarray(at, at + count));
      for (const piece of conversion.take(count)) pieces.push(Buffer.from(piece));
      at += count;
    }
    for (const piece of conversion.end({ takeUnfinished: false })) pieces.push(Buffer.from(piece));
    return { made: Buffer.concat(pieces).toString("utf8"), refused: conversion.refusals.rows.map(({ line, code }) => `${code} line ${line}`) };
  } catch (error) {
    if (!(error instanceof ConversionError)) throw error;
    return { made: `${error.code} line ${error.line}${error.column === undefined ? "" : ` column ${error.column}`}`, refused: [] };
  }
}
