import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { encodeRecord, readCheckpoint, type CheckpointRecord, type RememberedFile } from "../../../sidecars/log-shipper/state/checkpoint-log.ts";
import { Ledger } from "../../../sidecars/log-shipper/state/ledger.ts";
import { emptyFingerprint, formerNames, observe } from "../../../sidecars/log-shipper/tail/tail-state.ts";

const file = (number: number): CheckpointRecord => ({ kind: "file", number, dev: "1", ino: String(number), birthNs: "5", generation: 0, content: `1:${number}:5:0`, path: `/logs/${number}.log`, offset: 0, discarding: false, print: emptyFingerprint });
const cut = (number: number, from: number, to: number): CheckpointRecord => ({ kind: "cut", number, from, to, seconds: 1, nanoseconds: 2, print: { ...emptyFingerprint, tailHash: `at ${to}` }, startsDiscarding: false, discarding: false, final: false });
const ack = (number: number, from: number): CheckpointRecord => ({ kind: "ack", number, from });
const logOf = (records: readonly CheckpointRecord[]): string => records.map(encodeRecord).join("");
const offsets = (files: readonly RememberedFile[]): readonly (readonly [number, number, number])[] => files.map(({ file: state, cuts }) => [state.number, state.offset, cuts.length] as const);

test("A file's offset moves over contiguous acknowledged cuts only", () => {
  const { state } = readCheckpoint(logOf([file(1), cut(1, 0, 10), cut(1, 10, 20), cut(1, 20, 30), ack(1, 10), ack(1, 20)]));
  assert.deepEqual(offsets(state.files), [[1, 0, 3]]);
  state.apply(ack(1, 0));
  assert.deepEqual(offsets(state.files), [[1, 30, 0]]);
  assert.equal(state.files[0]?.file.print.tailHash, "at 30");
});

const history: readonly CheckpointRecord[] = [file(1), cut(1, 0, 10), file(2), ack(1, 0), cut(2, 0, 7), cut(1, 10, 20), cut(1, 20, 30), ack(1, 20), { kind: "move", number: 2, dev: "1", ino: "9", birthNs: "6" }, { kind: "drop", number: 2 }];

test("Torn at every byte, the log gives the state of its whole records", () => {
  const log = logOf(history);
  for (let length = 0; length <= log.length; length++) {
    const torn = log.slice(0, length);
    const whole = torn.slice(0, torn.lastIndexOf("\n") + 1);
    // A last line that lacks only its LF is whole in content, and is taken.
    const expected = readCheckpoint(log[length] === "\n" ? log.slice(0, length + 1) : whole).state.snapshot();
    assert.deepEqual(readCheckpoint(torn).state.snapshot(), expected, `torn after ${length} bytes`);
  }
});

test("With any one bit flipped no offset is ever beyond what was acknowledged", () => {
  const log = Buffer.from(logOf(history.slice(0, 8)));
  for (let bit = 0; bit < log.length * 8; bit++) {
    const flipped = Buffer.from(log);
    flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    for (const { file: state } of readCheckpoint(flipped.toString("latin1")).state.files) assert.ok(state.offset <= (state.number === 1 ? 10 : 0), `bit ${bit}: offset ${state.offset}`);
  }
});

test("A snapshot means the same as the history, at every point of it", () => {
  for (let count = 0; count <= history.length; count++) {
    const { state } = readCheckpoint(logOf(history.slice(0, count)));
    const again = readCheckpoint(logOf(state.snapshot()));
    assert.equal(again.refused, 0);
    assert.deepEqual(again.state.files, state.files);
  }
});

test("The ledger balances whatever happens, and refuses to settle what is not pending", () => {
  fc.assert(
    fc.property(fc.array(fc.record({ bytes: fc.nat(1_000), filtered: fc.nat(1_000), dead: fc.boolean() })), (events) => {
      const ledger = new Ledger();
      for (const { bytes, filtered, dead } of events) {
        ledger.read(bytes);
        if (dead) ledger.settled(bytes, { filteredBytes: 0, deadLetteredBytes: bytes });
        else ledger.settled(bytes, { filteredBytes: Math.min(filtered, bytes), deadLetteredBytes: 0 });
      }
      ledger.read(7);
      assert.equal(ledger.totals().pendingBytes, 7);
      assert.throws(() => ledger.settled(8, { filteredBytes: 0, deadLetteredBytes: 0 }));
    }),
  );
});

const former = (name: string, expected: readonly string[]): void => void test(`${name} may have been ${expected.join(", ") || "nothing"}`, () => assert.deepEqual(formerNames(name), expected));
former("app.log.1", ["app.log", "app"]);
former("app.log-20250101", ["app.log", "app"]);
former("app.log.1.gz", []);
former("app", []);

const seen = (what: string, known: readonly [number, number, bigint], now: readonly [number, bigint]): void =>
  void test(`offset ${known[0]}, size ${known[1]} -> ${now[0]}, time ${known[2] === now[1] ? "same" : "other"}: ${what}`, () => assert.equal(observe({ offset: known[0], size: known[1], mtimeNs: known[2] }, { size: now[0], mtimeNs: now[1] }), what));
seen("unchanged", [10, 10, 1n], [10, 1n]);
seen("grown", [10, 10, 1n], [11, 2n]);
seen("shrunk", [10, 12, 1n], [9, 2n]);
seen("maybe-rewritten", [10, 10, 1n], [10, 2n]);
seen("maybe-rewritten", [5, 12, 1n], [10, 2n]);
