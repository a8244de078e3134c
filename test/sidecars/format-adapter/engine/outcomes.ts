import assert from "node:assert/strict";
import { ConversionError } from "../../../../sidecars/format-adapter/conversion-error.ts";
import { startConversion } from "../../../../sidecars/format-adapter/convert.ts";
import { applyPlan } from "../../../../sidecars/format-adapter/engine/plan.ts";
import { createReader } from "../../../../sidecars/format-adapter/formats/text-readers.ts";
import { isEngineInput } from "../../../../sidecars/format-adapter/formats/options.ts";
import { createCsvWriter } from "../../../../sidecars/format-adapter/formats/csv-writer.ts";
import { createJsonArrayWriter, createNdjsonWriter, type TextWriter } from "../../../../sidecars/format-adapter/formats/writers.ts";
import { compileMapping } from "../../../../sidecars/format-adapter/mapping/compile.ts";
import type { Mapping } from "../../../../sidecars/format-adapter/mapping/mapping.ts";
import { RowRefusals } from "../../../../sidecars/format-adapter/row-refusals.ts";

export type Outcome = { readonly text: string; readonly refused: readonly number[]; readonly dropped: number } | { readonly code: string; readonly line: number };

/** What the readers, makers and writers in TypeScript make of a report: the reference that the engine is held to. */
export function byReference(mapping: Mapping, text: string): Outcome {
  const { plan, checkColumns } = compileMapping(mapping);
  const names = plan.fields.map((field) => field.name);
  const writer: TextWriter = mapping.output.format === "csv" ? createCsvWriter(names, mapping.output) : mapping.output.format === "json" ? createJsonArrayWriter(names, mapping.output.wrap) : createNdjsonWriter(names);
  let out = writer.start();
  return outcomeOf(() => {
    const refusals = new RowRefusals(plan.refusals);
    let rows = 0;
    assert.ok(isEngineInput(mapping.input));
    const reader = createReader(mapping.input, {
      onColumns: checkColumns,
      onFault: plan.refusals.kind === "fail-file" ? undefined : (fault) => refusals.refuseRecord(fault, []),
      onRow: (row) => {
        let cells: ReturnType<typeof applyPlan>;
        try {
          cells = applyPlan(plan, row);
        } catch (error) {
          return refusals.refuse(error, row, []);
        }
        if (cells === undefined) return void refusals.dropped++;
        rows++;
        out += writer.row(cells);
      },
    });
    reader.push(text);
    reader.end({ takeUnfinished: false });
    refusals.end(rows);
    return { text: out + writer.end(), refused: refusals.rows.map(({ line }) => line), dropped: refusals.dropped };
  });
}

/** The engine's, given the bytes in pieces of these sizes, again and again. */
export function byEngine(mapping: Mapping, text: string, sizes: readonly number[]): Outcome {
  return outcomeOf(() => {
    const conversion = startConversion(mapping);
    const bytes = Buffer.from(text);
    const pieces: Buffer[] = [];
    for (let at = 0, turn = 0; at < bytes.length; turn++) {
      const size = Math.min(sizes[turn % sizes.length] ?? 1, bytes.length - at);
      const count = bytes.copy(conversion.room(), 0, at, at + size);
      for (const piece of conversion.take(count)) pieces.push(Buffer.from(piece));
      at += count;
    }
    for (const piece of conversion.end({ takeUnfinished: false })) pieces.push(Buffer.from(piece));
    const { rows, dropped } = conversion.refusals;
    return { text: Buffer.concat(pieces).toString("utf8"), refused: rows.map(({ line }) => line), dropped };
  });
}

function outcomeOf(convert: () => Outcome): Outcome {
  try {
    return convert();
  } catch (error) {
    if (!(error instanceof ConversionError)) throw error;
    return { code: error.code, line: error.line };
  }
}
