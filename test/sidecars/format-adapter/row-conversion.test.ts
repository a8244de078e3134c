import assert from "node:assert/strict";
import { test } from "node:test";
import { startConversion } from "../../../sidecars/format-adapter/convert.ts";
import { createByteReader } from "../../../sidecars/format-adapter/formats/create-reader.ts";
import { createWriter } from "../../../sidecars/format-adapter/formats/create-writer.ts";
import { compileMapping } from "../../../sidecars/format-adapter/mapping/compile.ts";
import type { Mapping } from "../../../sidecars/format-adapter/mapping/mapping.ts";
import { RowConversion } from "../../../sidecars/format-adapter/row-conversion.ts";
import { mappingOf } from "./support.ts";

const reports = {
  csv: 'id,name\n1,Ann\n2,"Lee, ""B"""\n3,Zoë 🎈\n',
  ndjson: '{"id":1,"name":"Ann"}\n{"id":2,"name":"Lee, \\"B\\""}\n{"id":3,"name":"Zoë 🎈"}\n',
  json: '[{"id":1,"name":"Ann"},\n{"id":2,"name":"Lee, \\"B\\""},{"id":3,"name":"Zoë 🎈"}]\n',
};

function converted(conversion: Pick<RowConversion, "room" | "take" | "end">, bytes: Buffer, size: number): string {
  const pieces: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += size) {
    const count = bytes.copy(conversion.room(), 0, at, at + size);
    for (const piece of conversion.take(count)) pieces.push(Buffer.from(piece));
  }
  for (const piece of conversion.end({ takeUnfinished: false })) pieces.push(Buffer.from(piece));
  return Buffer.concat(pieces).toString("utf8");
}

function byRows(mapping: Mapping): RowConversion {
  const { plan, columns, checkColumns } = compileMapping(mapping);
  return new RowConversion({ plan, onColumns: checkColumns, createReader: (handler) => createByteReader(mapping.input, handler), writer: createWriter(columns, mapping.output) });
}

for (const input of ["csv", "ndjson", "json"] as const) {
  for (const output of ["csv", "ndjson", "json"] as const) {
    test(`record by record ${input} becomes the same ${output} as in the engine, wherever it is cut`, () => {
      const mapping = mappingOf({ in: `{format: ${input}, columns: {id: int64}}`, out: `{format: ${output}, file: "/o/{name}"}`, fields: '{id: id, who: name, twice: {expr: "id * 2", type: int64}}' });
      const bytes = Buffer.from(reports[input]);
      const whole = converted(startConversion(mapping), bytes, bytes.length);
      for (const size of [1, 2, 3, 7, bytes.length]) assert.equal(converted(byRows(mapping), bytes, size), whole);
    });
  }
}
