import assert from "node:assert/strict";
import { test } from "node:test";
import { convertReport, convertText } from "../../../../sidecars/format-adapter/convert.ts";
import { Core } from "../../../../sidecars/format-adapter/engine/core.ts";
import { parseAdapter } from "../support.ts";

const mapping = (input: string, output: string, fields: string) => parseAdapter(`watch: {dir: /in}\nmappings:\n  m:\n    in: {format: ${input}, strict: false, columns: {id: int64, amount: decimal(2), qty: int64, note: "string?"}}\n    out: {format: ${output}, file: "/o/{name}.x"}\n    fields: ${fields}\n`).mappings[0] ?? assert.fail();
const fields = '{n: id, total: {expr: "amount * qty", type: decimal(2)}, note: note, kind: {from: qty, map: {"1": one, "2": two}, else: keep}}';
const mappings = ["csv", "ndjson", "json"].flatMap((input) => ["csv", "ndjson", "json"].map((output) => [input, mapping(input, output, fields)] as const));

function textOf(input: string, count: number, seed: number): string {
  const rows = Array.from({ length: count }, (_, index) => ({ id: seed + index, amount: `${index}.${(index * 7) % 10}`, qty: (index % 4) + 1, note: `a "quoted", ${"é".repeat(index % 9)} ${seed}` }));
  if (input === "csv") return `id,amount,qty,note\n${rows.map((row) => `${row.id},${row.amount},${row.qty},"${row.note.replaceAll('"', '""')}"\n`).join("")}`;
  const objects = rows.map((row) => `{"id":${row.id},"amount":${row.amount},"qty":${row.qty},"note":${JSON.stringify(row.note)}}`);
  return input === "ndjson" ? objects.map((each) => `${each}\n`).join("") : `[${objects.join(",")}]`;
}

async function convert(each: (typeof mappings)[number][1], text: string): Promise<string> {
  const bytes = Buffer.from(text);
  const pieces: Buffer[] = [];
  let at = 0;
  await convertReport({
    mapping: each, takeUnfinished: false, signal: new AbortController().signal,
    source: { read: (room) => {
      const count = bytes.copy(room, 0, at, at + 70_000);
      at += count;
      return Promise.resolve(count);
    } },
    write: (piece) => Promise.resolve(void pieces.push(Buffer.from(piece))),
  });
  return Buffer.concat(pieces).toString();
}

test("a conversion in memory that others used before gives the same bytes as one in memory of its own", async () => {
  // Large and small in turn, in all formats, also after failures in the middle.
  for (let round = 0; round < 3; round++) {
    for (const [index, [input, each]] of mappings.entries()) {
      const text = textOf(input, [3, 4_000, 1][(round + index) % 3] ?? 1, 1_000 * round + index);
      const fresh = convertText(each, text);
      assert.equal(await convert(each, text), fresh.kind === "converted" ? fresh.text : assert.fail(fresh.error.message));
      await assert.rejects(convert(each, text.slice(0, Math.floor(text.length / 2) + 1).replace(/1$/, "")), (error: Error) => error.name !== "AssertionError");
    }
  }
});

test("conversions side by side do not touch each other's memory", async () => {
  const all = Array.from({ length: 12 }, (_, index) => {
    const [input, each] = mappings[index % mappings.length] ?? assert.fail();
    return { each, text: textOf(input, 500 + 100 * index, index) };
  });
  const expected = all.map(({ each, text }) => convertText(each, text)).map((result) => (result.kind === "converted" ? result.text : assert.fail(result.error.message)));
  for (let round = 0; round < 3; round++) assert.deepEqual(await Promise.all(all.map(async ({ each, text }) => await convert(each, text))), expected);
});

const stateOf = (core: Core): Record<string, unknown> => Object.fromEntries(Object.entries(core.functions).flatMap(([name, variable]: [string, unknown]) => (name.startsWith("state:") && variable instanceof WebAssembly.Global ? [[name, variable.value]] : [])));

test("a core that served before begins with every variable as a new one does", async () => {
  const unused = stateOf(new Core());
  assert.ok(Object.keys(unused).length > 30, "the module tells its variables");
  for (const [input, each] of mappings) {
    await assert.rejects(convert(each, textOf(input, 400, 1).slice(0, -20)));
    const again = new Core();
    const served = new Set(again.bytes.subarray(65_536)).size > 1;
    assert.ok(served, "the core is one that served before");
    assert.deepEqual(stateOf(again), unused);
  }
});
