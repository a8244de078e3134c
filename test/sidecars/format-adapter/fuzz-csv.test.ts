// CSV as this program reads it against others' readings of the same reports. Where another one is known to read otherwise, its table says in which reports and
// what it makes of one of them; everywhere else both must agree. The reports are the same at every run, unless PODKIT_FUZZ_SECONDS asks for more, which the
// tests share; PODKIT_FUZZ_SEED repeats such a run.
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import fc from "fast-check";
import { ConversionError } from "../../../sidecars/format-adapter/conversion-error.ts";
import { createByteReader } from "../../../sidecars/format-adapter/formats/create-reader.ts";
import { strictCsv } from "../../../sidecars/format-adapter/formats/csv-dialect.ts";
import { columns, csvParseOracle, duckdbOracle, hasMiller, millerOracle, papaOracle, type Oracle } from "./csv-oracles.ts";

const { PODKIT_FUZZ_SECONDS: asked, PODKIT_FUZZ_SEED: given } = process.env;
const seconds = Number(asked ?? 20);
const seed = Number(given ?? (asked === undefined ? 20_261 : Date.now() % 1_000_000_000));

type Ours = { readonly rows: readonly (readonly string[])[] } | { readonly code: string; readonly message: string; readonly sample: string; readonly line: number };

function ours(text: string, size: number): Ours {
  const rows: string[][] = [];
  let names: readonly string[] = [];
  try {
    const reader = createByteReader({ format: "csv", ...strictCsv(",") }, { onColumns: (found) => (names = found), onRow: (row) => rows.push(names.map((name) => row.text(name) ?? "")) });
    const bytes = Buffer.from(text);
    for (let at = 0; at < bytes.length; at += size) reader.push(bytes.subarray(at, at + size));
    reader.end({ takeUnfinished: true });
    return { rows };
  } catch (error) {
    if (!(error instanceof ConversionError)) throw error;
    return { code: error.code, message: error.message, sample: error.sample ?? "", line: error.line };
  }
}

type Case = { readonly text: string; readonly size: number };
type Rows = readonly (readonly string[])[];
/** What another one is known to do otherwise: in which reports, and with what result (`any` when that depends). `sample` is one of them, with what the other makes of it. */
type Deviation = { readonly name: string; readonly holds: (text: string, ours: Ours) => boolean; readonly becomes: "any" | ((rows: Rows) => Rows); readonly sample: string; readonly theirs: Rows };
type Peer = { readonly name: string; readonly create: () => Oracle | Promise<Oracle>; readonly batch: number; readonly rounds: number; readonly lineEnds: readonly string[]; readonly deviations: readonly Deviation[] };

const width = 2;
const header = columns(width).join(",");
const cell = fc.oneof(
  { weight: 1, arbitrary: fc.constantFrom("", "00123", "1.10", "0x1F", "-0", "1e400", "NO", "true", "None", "null", "9007199254740993", "=1+1", " x ", "__proto__", "l1\r\nl2", "\\", '\\"', "'") },
  { weight: 3, arbitrary: fc.string({ unit: fc.constantFrom("a", "1", '"', ",", "\n", "\r", "é", "😀", "\\", "\t", " ", ";", "'", "\u2028", "#"), maxLength: 12 }) },
);
const quoted = (text: string): string => `"${text.replaceAll('"', '""')}"`;
/** A report that is written right, with more quotes than it needs. */
const written = (ends: readonly string[]): fc.Arbitrary<string> =>
  fc.record({ rows: fc.array(fc.array(fc.tuple(cell, fc.boolean()), { minLength: width, maxLength: width }), { maxLength: 8 }), eol: fc.constantFrom(...ends), bom: fc.boolean(), isEnded: fc.boolean() }).map(({ rows, eol, bom, isEnded }) => {
    const text = `${bom ? "\uFEFF" : ""}${header}${eol}${rows.map((row) => row.map(([value, more]) => (more || /[",\r\n]/.test(value) ? quoted(value) : value)).join(",") + eol).join("")}`;
    return isEnded || rows.length === 0 ? text : text.slice(0, -eol.length);
  });
/** Anything below a header. */
const anything = (ends: readonly string[]): fc.Arbitrary<string> => fc.tuple(fc.array(fc.constantFrom("a", '"', '"', ",", "EOL", "é", " ", '""', "x,y"), { maxLength: 16 }), fc.constantFrom(...ends)).map(([parts, eol]) => header + eol + parts.map((part) => (part === "EOL" ? eol : part)).join(""));
const cases = (ends: readonly string[]): fc.Arbitrary<Case> => fc.record({ text: fc.oneof({ weight: 3, arbitrary: written(ends) }, { weight: 2, arbitrary: anything(ends) }), size: fc.constantFrom(1, 3, 7, 1_000) });

const says = (ours: Ours, code: string, message: RegExp): boolean => "code" in ours && ours.code === code && message.test(ours.message);
const isStray = (_: string, read: Ours): boolean => says(read, "SYNTAX", /^a quote inside an unquoted field/);
/** As many right fields as there are columns, and a delimiter behind them. */
const wholeFields = /^(?:(?:"(?:[^"]|"")*"|[^",\n]*),){2}/;
const isSpaceBehindQuote = (text: string, read: Ours): boolean => says(read, "SYNTAX", /^text after/) && /" +(?:[,\r\n]|$)/.test(text);
const crlfBecomesLf = (rows: Rows): Rows => rows.map((row) => row.map((value) => value.replaceAll("\r\n", "\n")));

const peers: readonly Peer[] = [
  { name: "csv-parse", create: () => csvParseOracle, batch: 100, rounds: 6, lineEnds: ["\n", "\r\n", "\r"], deviations: [] },
  {
    name: "papaparse", create: () => papaOracle, batch: 100, rounds: 6, lineEnds: ["\n", "\r\n", "\r"],
    deviations: [
      { name: "takes a quote inside a field for a character", holds: isStray, becomes: "any", sample: 'c0,c1\nx"y,z\n', theirs: [['x"y', "z"]] },
      { name: "passes over spaces behind a closing quote", holds: isSpaceBehindQuote, becomes: "any", sample: 'c0,c1\n"x" ,z\n', theirs: [["x", "z"]] },
    ],
  },
  {
    name: "Miller", create: millerOracle, batch: 40, rounds: 3, lineEnds: ["\n", "\r\n"],
    deviations: [
      { name: "makes CRLF inside quotes LF", holds: (_, read) => "rows" in read && read.rows.flat().some((value) => value.includes("\r\n")), becomes: crlfBecomesLf, sample: 'c0,c1\n"x\r\ny",z\n', theirs: [["x\ny", "z"]] },
      { name: "ends at a wrong quote and keeps the fields before it when they are as many as the header's", holds: (text, read) => "line" in read && read.code !== "COLUMN" && wholeFields.test(text.split(/\r\n|\n|\r/).slice(read.line - 1).join("\n")), becomes: "any", sample: 'c0,c1\nx,y,z"w\n', theirs: [["x", "y"]] },
    ],
  },
  {
    name: "DuckDB", create: duckdbOracle, batch: 20, rounds: 8, lineEnds: ["\n", "\r\n", "\r"],
    deviations: [
      { name: "takes a quote inside a field for a character", holds: isStray, becomes: "any", sample: 'c0,c1\nx"y,z\n', theirs: [['x"y', "z"]] },
      { name: "passes over spaces behind a closing quote", holds: isSpaceBehindQuote, becomes: "any", sample: 'c0,c1\n,"x"  ', theirs: [["", "x"]] },
      { name: "takes spaces between two quoted texts for a part of the field", holds: (text, read) => says(read, "SYNTAX", /^text after/) && /" +"/.test(text), becomes: "any", sample: 'c0,c1\n"" """",\n', theirs: [[' "', ""]] },
      { name: "passes over empty lines", holds: (_, read) => says(read, "COLUMN", /^the record has 1 fields/) && "sample" in read && read.sample === "", becomes: "any", sample: "c0,c1\n\nx,y\n", theirs: [["x", "y"]] },
      { name: "drops empty fields behind the last", holds: (_, read) => says(read, "COLUMN", /^the record has (?:[3-9]|\d\d) fields/) && "sample" in read && read.sample.endsWith(","), becomes: "any", sample: "c0,c1\nx,y,\n", theirs: [["x", "y"]] },
    ],
  },
];

for (const peer of peers) {
  const skip = peer.name === "Miller" && !hasMiller ? "Miller (mlr) is not installed: NOT COMPARED. Remedy: apt-get install miller" : false;
  test(`CSV is read as by ${peer.name}`, { skip }, async (t) => {
    const oracle = await peer.create();
    try {
      await compare(t, peer, oracle);
    } finally {
      oracle.close();
    }
  });
  test(`CSV: ${peer.name} still reads otherwise what its table says`, { skip }, async () => {
    const oracle = await peer.create();
    try {
      for (const { name, holds, sample, theirs } of peer.deviations) {
        assert.ok(holds(sample, ours(sample, 1_000)), `${name}: not a sample of it`);
        assert.deepEqual(await oracle.read([sample], width), [{ rows: theirs }], name);
      }
    } finally {
      oracle.close();
    }
  });
}

async function compare(t: TestContext, peer: Peer, oracle: Oracle): Promise<void> {
  t.diagnostic(`seed ${seed}`);
  const until = performance.now() + (seconds * 1_000) / peers.length;
  let [compared, left] = [0, 0];
  const rounds = asked === undefined ? peer.rounds : Number.POSITIVE_INFINITY;
  for (let round = 0; round === 0 || (round < rounds && performance.now() < until); round++) {
    const batch = fc.sample(cases(peer.lineEnds), { seed: seed + round, numRuns: peer.batch });
    const reads = await oracle.read(batch.map(({ text }) => text), width);
    for (const [index, { text, size }] of batch.entries()) {
      const own = ours(text, size);
      const known = peer.deviations.filter(({ holds }) => holds(text, own));
      if (known.some(({ becomes }) => becomes === "any")) {
        left++;
        continue;
      }
      compared++;
      const expected = "rows" in own ? known.reduce((rows, { becomes }) => (becomes === "any" ? rows : becomes(rows)), own.rows) : undefined;
      const theirs = reads[index];
      assert.ok(theirs !== undefined);
      const agree = "rows" in theirs ? JSON.stringify(expected) === JSON.stringify(theirs.rows) : expected === undefined;
      assert.ok(agree, `PODKIT_FUZZ_SEED=${seed}, round ${round}, ${JSON.stringify(text)}\nhere: ${JSON.stringify(own)}\n${peer.name}: ${JSON.stringify(theirs)}`);
    }
  }
  t.diagnostic(`${compared} reports compared, ${left} left out as its table says`);
}
