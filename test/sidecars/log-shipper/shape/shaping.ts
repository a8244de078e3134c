import assert from "node:assert/strict";
import { decodeMulti } from "@msgpack/msgpack";
import { list, object, string, type ConfigOf, type TypedField } from "../../../../kit/config/schema.ts";
import { formatProblem, type Problem } from "../../../../kit/config/problem.ts";
import { readYaml } from "../../../../kit/config/yaml-source.ts";
import { Core } from "../../../../sidecars/log-shipper/core/core.ts";
import type { ExtraPairs } from "../../../../sidecars/log-shipper/encode/range-encoder.ts";
import { MsgpackWriter, type MsgpackValue } from "../../../../sidecars/log-shipper/forward-protocol/msgpack-writer.ts";
import { createRateLimits, createShaper, type RateLimits, type ShapeEvents } from "../../../../sidecars/log-shipper/shape/create-shaper.ts";
import { filtersSpec, matchSpec } from "../../../../sidecars/log-shipper/shape/filter-config.ts";
import { optional } from "../../../../sidecars/log-shipper/shape/settings.ts";
import type { EntryBatch, ShapedRange, ShapeMemory, Shaper } from "../../../../sidecars/log-shipper/shape/shaper.ts";
import { timeSpec } from "../../../../sidecars/log-shipper/shape/time-config.ts";

/** The part of the shipper's settings that shaping reads, as YAML. */
export const shapingSpec = object({
  time: optional(timeSpec),
  filters: filtersSpec,
  sinks: list(object({ name: string({ doc: "name" }), match: matchSpec }), { doc: "sinks", default: [{ name: "all", match: undefined }] }),
});

export type Shaping = ConfigOf<typeof shapingSpec>;

/** Reads YAML by a spec; the problems as a person sees them. */
export function readSettings<T>(spec: TypedField<T>, yaml: string): { readonly value: T | undefined; readonly problems: readonly string[] } {
  const { node, problems } = readYaml("test.yaml", yaml);
  const all: Problem[] = [...problems];
  const value = spec.parse(node, "", { problems: all, readSecretFile: () => "" });
  return { value, problems: all.map(formatProblem) };
}

export function shaping(yaml: string): Shaping {
  const { value, problems } = readSettings(shapingSpec, yaml);
  if (value === undefined || problems.length > 0) throw new Error(problems.join("\n"));
  return value;
}

export type Told = { readonly filtered: Record<string, number>; readonly routed: Record<string, number>; unrouted: number; untimed: number };

/** One for all, as in the shipper: what an earlier batch left in its memory must not matter. */
const core = new Core({ inputBytes: 65_536, outputBytes: 4_194_304 });

type Request = { readonly from?: number; readonly tag?: string; readonly nowMs?: number; readonly extra?: ExtraPairs; readonly memory?: ShapeMemory | undefined; readonly content?: string };

/** Shapes everything twice, with the core and without it: the same must come out and be told. */
export class Bench {
  readonly told: Told = nothingTold();
  readonly limits: RateLimits;
  readonly shaper: Shaper | undefined;
  readonly #toldByCore: Told = nothingTold();
  readonly #withCore: Shaper | undefined;

  constructor(yaml: string) {
    const { time, filters, sinks } = shaping(yaml);
    this.limits = createRateLimits(filters);
    const options = { config: { filters, sinks }, time };
    this.shaper = createShaper({ ...options, limits: this.limits, events: eventsTo(this.told) });
    this.#withCore = createShaper({ ...options, limits: createRateLimits(filters), events: eventsTo(this.#toldByCore), core });
  }

  shape(batch: EntryBatch, facts: Request = {}): ShapedRange {
    if (this.shaper === undefined || this.#withCore === undefined) throw new Error("There is nothing to shape");
    const whole = { content: "pod\nfile", from: 0, tag: "app", nowMs: 0, memory: undefined, ...facts };
    const expected = this.shaper.shape(batch, whole);
    const actual = this.#withCore.shape(batch, whole);
    assert.deepEqual(plain(actual), plain(expected), "the core's records are those of the reference");
    assert.deepEqual(this.#toldByCore, this.told);
    return expected;
  }
}

function nothingTold(): Told {
  return { filtered: {}, routed: {}, unrouted: 0, untimed: 0 };
}

function eventsTo(told: Told): ShapeEvents {
  return {
    filtered: (filter, records) => (told.filtered[filter] = (told.filtered[filter] ?? 0) + records),
    routed: (names, records) => names.forEach((name) => (told.routed[name] = (told.routed[name] ?? 0) + records)),
    unrouted: (records) => (told.unrouted += records),
    untimed: (records) => (told.untimed += records),
  };
}

/** Bytes as hexadecimal digits: a difference can be read. */
function plain({ outlets, ...rest }: ShapedRange): object {
  return { ...rest, outlets: outlets.map(({ entries, records, spans }) => ({ entries: Buffer.from(entries).toString("hex"), records, spans: [...spans] })) };
}

/** Each record takes 100 bytes of the source, its own 90. */
export function batchOf(records: readonly MsgpackValue[], extra?: ExtraPairs): EntryBatch {
  const writer = new MsgpackWriter(64);
  for (const record of records) {
    writer.byte(0x92);
    writer.eventTime(1_700_000_000, 5);
    if (extra === undefined || typeof record !== "object" || record === null) {
      writer.value(record);
      continue;
    }
    const pairs = Object.entries(record);
    writer.mapHeader(pairs.length + extra.count);
    for (const [key, value] of pairs) {
      writer.string(key);
      writer.value(value);
    }
    writer.raw(extra.bytes);
  }
  return { entries: writer.copy(), records: records.length, spans: Uint32Array.from(records.flatMap((_, index) => [index * 100, 90])) };
}

/** Entries as pairs of nanosecond time (as text) and record, by an independent decoder. */
export function decodeAll(batch: EntryBatch | undefined): { readonly time: string; readonly record: unknown }[] {
  return [...decodeMulti(batch?.entries ?? new Uint8Array(0))].map((entry) => {
    const [time, record] = entry as [{ readonly data: Uint8Array }, unknown];
    const data = Buffer.from(time.data);
    return { time: `${data.readUInt32BE(0)}.${String(data.readUInt32BE(4)).padStart(9, "0")}`, record };
  });
}

/** What becomes of records, at the first outlet. */
export function shapeRecords(yaml: string, records: readonly MsgpackValue[], facts: { readonly tag?: string } = {}): readonly unknown[] {
  return decodeAll(new Bench(yaml).shape(batchOf(records), facts).outlets[0]).map(({ record }) => record);
}
