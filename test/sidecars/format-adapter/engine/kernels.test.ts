import assert from "node:assert/strict";
import { after, test } from "node:test";
import fc from "fast-check";
import { Core } from "../../../../sidecars/format-adapter/engine/core.ts";
import { compileFilter, compileKernel } from "../../../../sidecars/format-adapter/engine/kernels.ts";
import { compileMapping } from "../../../../sidecars/format-adapter/mapping/compile.ts";
import type { Mapping } from "../../../../sidecars/format-adapter/mapping/mapping.ts";
import { mappingOf } from "../support.ts";
import { byEngine, byReference } from "./outcomes.ts";

const columns = "{i: int64, j: 'int64?', c: decimal(2), d: 'decimal(6)?', b: bool, s: string, t: timestamp, u: 'timestamp?'}";
const outputs = ['{format: csv, file: "/o/{name}"}', '{format: ndjson, file: "/o/{name}"}'];
const mappingWith = (fields: string, options: { readonly format?: string; readonly out?: number; readonly more?: string } = {}): Mapping => mappingOf({ in: `{format: ${options.format ?? "csv"}, columns: ${columns}}`, out: `${outputs[options.out ?? 0] ?? ""}${options.more ?? ""}`, fields });

const number = fc.oneof(fc.integer({ min: -1000, max: 1000 }).map(String), fc.constantFrom("0", "9223372036854775807", "-9223372036854775808", "999999999999999999", "3037000500", "-3037000499", "4294967296", "100000000000"), fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String));
const scaled = (digits: number) => fc.tuple(number, fc.nat(digits), fc.nat(10 ** digits - 1)).map(([whole, places, fraction]) => (places === 0 ? whole : `${whole}.${String(fraction).padStart(digits, "0").slice(0, places)}`));
const wrong = fc.constantFrom("9223372036854775808", "-0", "01", "1e3", "x", "", "1.", "1.1234567");
const time = fc.oneof({ weight: 30, arbitrary: fc.date({ min: new Date("1970-01-01"), max: new Date("2099-01-01"), noInvalidDate: true }).map((date) => `${date.toISOString().slice(0, 19)}Z`) }, { weight: 10, arbitrary: fc.constantFrom("2026-01-31T23:59:59Z", "2026-10-31T00:00:00Z", "2024-02-29T00:00:00Z", "2026-01-02T03:04:05.678Z", "2026-01-02T03:04:05+02:00", "2026-01-02 03:04:05Z") }, fc.constantFrom("2026-04-31T00:00:00Z", "2026-01-02T03:04:05.1234567890Z"));
const text = fc.oneof(fc.constantFrom("", "A", "B", "x-y-z", "-", "--", "é-ü", '"', "a".repeat(300), "NEW", "PAID"), fc.string({ maxLength: 12 }));
const right = fc.record({ i: fc.oneof({ weight: 60, arbitrary: number }, wrong), j: fc.oneof(number, fc.constant("")), c: fc.oneof({ weight: 60, arbitrary: scaled(2) }, wrong), d: fc.oneof(scaled(6), fc.constant("")), b: fc.constantFrom("true", "false"), s: text, t: time, u: fc.oneof(time, fc.constant("")) });
type Values = Readonly<Record<"i" | "j" | "c" | "d" | "b" | "s" | "t" | "u", string>>;
const quoted = (value: string): string => `"${value.replaceAll('"', '""')}"`;
const asCsv = (rows: readonly Values[]): string => `i,j,c,d,b,s,t,u\n${rows.map((row) => `${[row.i, row.j, row.c, row.d, row.b, row.s, row.t, row.u].map(quoted).join(",")}\n`).join("")}`;
const asNdjson = (rows: readonly Values[]): string => rows.map((row) => `{"i":${JSON.stringify(row.i)},${row.j === "" ? "" : `"j":${JSON.stringify(row.j)},`}"c":${JSON.stringify(row.c)},"d":${row.d === "" ? "null" : JSON.stringify(row.d)},"b":${row.b},"s":${JSON.stringify(row.s)},"t":"${row.t}","u":"${row.u}"}\n`).join("");

const { number: numbers, truth } = fc.letrec<{ number: string; truth: string }>((tie) => ({
  number: fc.oneof({ maxDepth: 4 }, { weight: 3, arbitrary: fc.constantFrom("i", "j", "c", "d", "1", "0.05", "1000000007", "123456789012345678") }, { weight: 3, arbitrary: fc.tuple(tie("number"), fc.constantFrom("+", "-", "*"), tie("number")).map(([left, sign, other]) => `(${left} ${sign} ${other})`) }, fc.tuple(tie("truth"), tie("number"), tie("number")).map(([test, yes, no]) => `(${test} ? ${yes} : ${no})`), fc.tuple(tie("number"), fc.nat(3), fc.constantFrom("half-up", "half-even", "down")).map(([value, digits, how]) => `round(${value}, ${digits}, '${how}')`), fc.tuple(tie("number")).map(([value]) => `-${value}`)),
  truth: fc.oneof({ maxDepth: 3 }, { weight: 2, arbitrary: fc.constantFrom("b", "true", "s == 'A'", "'NEW' != s") }, fc.tuple(tie("number"), fc.constantFrom("<", "<=", "==", "!=", ">", ">="), tie("number")).map(([left, sign, other]) => `${left} ${sign} ${other}`), fc.tuple(tie("truth"), fc.constantFrom("&&", "||"), tie("truth")).map(([left, sign, other]) => `(${left} ${sign} ${other})`), tie("truth").map((value) => `!(${value})`)),
}));

let converted = 0;
let compared = 0;
function agree(mapping: Mapping, report: string, pieces: readonly number[]): void {
  const ours = byEngine(mapping, report, pieces);
  compared++;
  if ("text" in ours) converted++;
  assert.deepEqual(ours, byReference(mapping, report));
}
after(() => assert.ok(converted * 5 > compared, `only ${converted} of ${compared} reports were right`));

for (const out of [0, 1]) {
  test(`numbers computed for many records at once are those of the exact arithmetic, written as ${out === 0 ? "CSV" : "NDJSON"}`, () => {
    fc.assert(
      fc.property(numbers, truth, fc.constantFrom("half-up", "half-even", "down"), fc.nat(4), fc.array(right, { minLength: 1, maxLength: 25 }), (expression, condition, how, digits, rows) => {
        const fields = `{n: {expr: ${JSON.stringify(expression)}, type: "decimal(${digits})?", round: ${how}}, q: {expr: ${JSON.stringify(condition)}, type: "bool?"}, s: s}`;
        let mapping: Mapping;
        try {
          mapping = mappingWith(fields, { out });
        } catch (error) {
          assert.match(String(error), /more than 30|longer than/);
          return;
        }
        agree(mapping, asCsv(rows), [4096]);
      }),
      { numRuns: 700 },
    );
  });
}

for (const format of ["csv", "ndjson"] as const) {
  test(`texts and times made for many records at once are those of the closures, from ${format}`, () => {
    const mappings = ['map: {A: "1", "": "leer", "é-ü": "Ü"}, else: keep', "map: {A: a, NEW: n}, else: other", 'split: {sep: "-", index: 1}', 'split: {sep: "--", index: 0}', 'split: {sep: "é", index: 2}']
      .map((how) => mappingWith(`{m: {from: s, ${how}}, j: {join: [s, i, u], sep: "/"}, x: {from: t, date: {out: "dd/MM/yyyy HH:mm"}}, y: {from: u, date: {out: "yyyy-MM-dd'T'HH:mm:ss.SSSXXX"}}, z: {from: t, date: {out: "d MMM yyyy"}}}`, { format, out: format === "csv" ? 1 : 0 }));
    fc.assert(
      fc.property(fc.constantFrom(...mappings), fc.array(right, { minLength: 1, maxLength: 25 }), (mapping, rows) => agree(mapping, format === "csv" ? asCsv(rows) : asNdjson(rows), [4096])),
      { numRuns: 1_500 },
    );
  });
}

test("unlisted values are refused where the map says so, on the line where they stand", () => {
  const mapping = mappingWith("{m: {from: s, map: {A: a, NEW: n}}}");
  fc.assert(fc.property(fc.array(right, { minLength: 1, maxLength: 10 }), (rows) => agree(mapping, asCsv(rows), [4096])), { numRuns: 300 });
});

test("a filter leaves out what the closures leave out", () => {
  fc.assert(
    fc.property(truth, fc.array(right, { minLength: 1, maxLength: 25 }), fc.constantFrom("fail-file", "{skip-row: {max: 5}}", "{quarantine-row: {max: 30%}}"), (condition, rows, onError) => {
      const mapping = mappingOf({ in: `{format: csv, columns: ${columns}}`, fields: "{i: i, x: {from: t, date: {out: yyyy}}}", more: `where: ${JSON.stringify(condition)}\nonError: ${onError}` });
      agree(mapping, asCsv(rows), [4096]);
    }),
    { numRuns: 700 },
  );
});

test("what is meant to be computed in the core is", () => {
  const mapping = mappingWith("{a: {expr: c * i, type: decimal(2)}, b: {expr: 'i > 1 && b', type: bool}, m: {from: s, map: {A: a}}, j: {join: [s, i], sep: '-'}, p: {from: s, split: {sep: '-', index: 0}}, t: {from: t, date: {out: dd.MM.yyyy}}}");
  const index = (): number => 1;
  const { plan } = compileMapping(mapping);
  for (const field of plan.fields) assert.ok(field.kind === "computed" && field.kernel !== undefined && compileKernel(new Core(), field.kernel, index) !== undefined, field.name);
  const filtered = mappingOf({ in: `{format: csv, columns: ${columns}}`, fields: "{i: i}", more: "where: \"c > 1.5 && s != 'x'\"" });
  const { where } = compileMapping(filtered).plan;
  assert.ok(where !== undefined && compileFilter(new Core(), where.node, index) !== undefined);
});
