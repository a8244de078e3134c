// pure
import type { Core } from "../core/core.ts";
import { noExtraPairs, type ExtraPairs } from "../encode/range-encoder.ts";
import { decodeValue, skipValue, textOf } from "../forward-protocol/msgpack-reader.ts";
import { compileCondition, type Condition } from "./condition.ts";
import { filterName, type FilterConfig, type MatchConfig } from "./filter-config.ts";
import { compileProgram } from "./core-program.ts";
import { shapeInCore } from "./core-shaping.ts";
import { compileFilter, type Filter, type Place } from "./filters.ts";
import { compilePath, KeyTable, type FieldPath } from "./keys.ts";
import { OutletWriter, type Copy } from "./outlet-writer.ts";
import { decodeDrops, DropList, RateLimiter } from "./rate-limit.ts";
import { ShapedRecord } from "./record.ts";
import { hashText } from "./sampling.ts";
import type { EntryBatch, ShapedRange, ShapeFacts, ShapeMemory, Shaper } from "./shaper.ts";
import { matchesTag } from "./tags.ts";
import { TimeReader } from "./time.ts";
import type { TimeConfig } from "./time-config.ts";

/** The settings that decide how records are shaped, apart from their source's `time`. */
export type ShapingConfig = { readonly filters: readonly FilterConfig[]; readonly sinks: readonly { readonly name: string; readonly match: MatchConfig }[] };

/** Told after each range. Ranges that are cut again after a restart are told again. */
export type ShapeEvents = {
  filtered(filter: string, records: number): void;
  /** `sinks` are the outlet's. */
  routed(sinks: readonly string[], records: number): void;
  /** Records that match no sink and therefore go nowhere. */
  unrouted(records: number): void;
  /** Records whose `time.field` has no time of the format; they keep the time of their file. */
  untimed(records: number): void;
};

export type Outlet = { readonly sinks: readonly string[]; readonly match: MatchConfig };

/** Sinks with equal `match` get the same records: they share an outlet. In order of the first sink of each. */
export function outletsOf(sinks: ShapingConfig["sinks"]): readonly Outlet[] {
  const outlets = new Map<string, { readonly sinks: string[]; readonly match: MatchConfig }>();
  for (const { name, match } of sinks) {
    const form = JSON.stringify(match ?? null);
    const outlet = outlets.get(form);
    if (outlet === undefined) outlets.set(form, { sinks: [name], match });
    else outlet.sinks.push(name);
  }
  return [...outlets.values()];
}

/** The place of each sink's outlet, in the order of the sinks. */
export function outletIndexes(sinks: ShapingConfig["sinks"]): readonly number[] {
  const outlets = outletsOf(sinks);
  return sinks.map(({ name }) => outlets.findIndex((outlet) => outlet.sinks.includes(name)));
}

/** The rate limits of all sources, by place of the filter: a limit holds for all sources together. */
export type RateLimits = ReadonlyMap<number, RateLimiter>;

export function createRateLimits(filters: readonly FilterConfig[]): RateLimits {
  return new Map(filters.flatMap((filter, index) => (filter.type === "rate-limit" ? [[index, new RateLimiter({ ...filter, burst: filter.burst ?? Math.max(1, Math.ceil(filter.perSecond)) })] as const] : [])));
}

export type ShaperOptions = {
  readonly config: ShapingConfig;
  readonly time: TimeConfig | undefined;
  readonly limits: RateLimits;
  readonly events: ShapeEvents;
  /** For what goes to the outlets; by default memory that is left to the garbage collector. */
  readonly copy?: Copy;
  /** Does what it can; the same bytes come out without it. */
  readonly core?: Core | undefined;
};

/**
 * The shaper of one source. Undefined when there is nothing to do: no time to take, no filters, and every sink gets everything.
 * All sources have the same outlets (`outletsOf`), whether they have a shaper or not.
 */
export function createShaper(options: ShaperOptions): Shaper | undefined {
  const outlets = outletsOf(options.config.sinks);
  const everything = outlets.length === 1 && outlets[0]?.match === undefined;
  if (options.time === undefined && options.config.filters.length === 0 && everything) return undefined;
  return new RecordShaper(options, outlets);
}

/** What the settings come to for one tag. */
type Plan = {
  readonly record: ShapedRecord;
  /** Whether no setting speaks of these pairs. */
  readonly ignores: (extra: ExtraPairs) => boolean;
  readonly time: { readonly reader: TimeReader; readonly field: FieldPath; readonly keep: boolean } | undefined;
  readonly filters: readonly { readonly index: number; readonly apply: Filter }[];
  /** By outlet: undefined when no record of the tag goes there. */
  readonly routes: readonly (Condition | "all" | undefined)[];
  /** The filters for the core, where it takes them. */
  readonly program: Buffer | undefined;
  /** So many batches are not given to the core. */
  rest: number;
};

/** A core that leaves more than a quarter of a batch to the host costs more than it saves: it is tried again after so many batches. */
const restBatches = 31;

const plansMax = 256;
const ownCopy: Copy = (bytes) => Buffer.from(bytes);

class RecordShaper implements Shaper {
  readonly #options: ShaperOptions;
  readonly #outlets: readonly Outlet[];
  readonly #names: readonly string[];
  readonly #plans = new Map<string, Plan>();
  readonly #writers: readonly OutletWriter[];
  readonly #place: Place = { contentHash: 0, position: 0, nowMs: 0, drops: [], decided: [], decisions: [] };
  readonly #filtered: Uint32Array;
  /** For single records that the core has left. */
  readonly #hostWriter = new OutletWriter(ownCopy);
  #contentHashed = "";
  #untimed = 0;
  #unrouted = 0;

  constructor(options: ShaperOptions, outlets: readonly Outlet[]) {
    this.#options = options;
    this.#outlets = outlets;
    this.#names = options.config.filters.map(filterName);
    this.#writers = outlets.map(() => new OutletWriter(options.copy ?? ownCopy));
    this.#filtered = new Uint32Array(options.config.filters.length);
  }

  shape(batch: EntryBatch, facts: ShapeFacts): ShapedRange {
    const plan = this.#planFor(facts.tag);
    const bytes = Buffer.from(batch.entries.buffer, batch.entries.byteOffset, batch.entries.length);
    this.#begin(plan, bytes, facts);
    const fast = this.#shapeInCore(plan, bytes, batch, facts);
    if (fast !== undefined) return fast;
    const filteredBytes = plan.time === undefined && plan.filters.length === 0 && plan.routes.every((route) => route === undefined || route === "all") ? this.#routeWhole(plan, batch) : this.#shapeEach(plan, bytes, batch, facts);
    const outlets = this.#writers.map((writer) => writer.take());
    this.#tell(outlets);
    return { outlets, filteredBytes, memory: this.#memory(plan) };
  }

  #begin(plan: Plan, bytes: Buffer, { content, nowMs, memory }: ShapeFacts): void {
    const place = this.#place;
    if (content !== this.#contentHashed) {
      this.#contentHashed = content;
      place.contentHash = hashText(content);
    }
    place.nowMs = nowMs;
    for (const { index } of plan.filters) {
      if (!this.#options.limits.has(index)) continue;
      const remembered = memory?.[memoryKey(index)];
      place.drops[index] = new DropList();
      place.decisions[index] = 0;
      place.decided[index] = remembered === undefined ? undefined : decodeDrops(remembered);
    }
    this.#filtered.fill(0);
    this.#untimed = 0;
    this.#unrouted = 0;
    for (const writer of this.#writers) writer.begin(bytes);
  }

  /** Undefined when the core does not take the batch. */
  #shapeInCore(plan: Plan, bytes: Buffer, batch: EntryBatch, { from, extra }: ShapeFacts): ShapedRange | undefined {
    const { core, copy } = this.#options;
    const { program, record } = plan;
    if (core === undefined || program === undefined) return undefined;
    if (plan.rest > 0) {
      plan.rest--;
      return undefined;
    }
    const added = extra ?? noExtraPairs, passOver = plan.ignores(added);
    const host = (at: number, nth: number): Uint8Array | undefined => {
      record.load(bytes, at, added, passOver);
      this.#place.position = from + (batch.spans[nth * 2] ?? 0);
      if (!this.#passes(plan, record)) return undefined;
      this.#hostWriter.begin(bytes);
      record.write(this.#hostWriter);
      return this.#hostWriter.bytes();
    };
    const shaped = shapeInCore(core, { program, batch, added, passOver, contentHash: this.#place.contentHash, from, host });
    if (shaped === undefined) {
      this.#filtered.fill(0);
      return undefined;
    }
    if (shaped.hostRecords * 4 > batch.records) plan.rest = restBatches;
    for (const { index } of plan.filters) this.#filtered[index] = (this.#filtered[index] ?? 0) + (shaped.filtered[index] ?? 0);
    const outlet = { entries: (copy ?? ownCopy)(shaped.batch.entries), records: shaped.batch.records, spans: shaped.batch.spans.slice() };
    this.#tell([outlet]);
    return { outlets: [outlet], filteredBytes: shaped.filteredBytes, memory: undefined };
  }

  /** No record is looked at. */
  #routeWhole(plan: Plan, { records, spans }: EntryBatch): number {
    const taking = this.#writers.filter((_, outlet) => plan.routes[outlet] !== undefined);
    for (const writer of taking) writer.whole(spans);
    if (taking.length > 0) return 0;
    this.#unrouted = records;
    let filteredBytes = 0;
    for (let record = 0; record < records; record++) filteredBytes += spans[record * 2 + 1] ?? 0;
    return filteredBytes;
  }

  #shapeEach(plan: Plan, bytes: Buffer, { records, spans }: EntryBatch, { from, extra }: ShapeFacts): number {
    const { record } = plan;
    const added = extra ?? noExtraPairs;
    const passOver = plan.ignores(added);
    const place = this.#place;
    let filteredBytes = 0;
    let at = 0;
    for (let index = 0; index < records; index++) {
      at = record.load(bytes, at, added, passOver);
      const start = spans[index * 2] ?? 0;
      const size = spans[index * 2 + 1] ?? 0;
      place.position = from + start;
      if (plan.time !== undefined) this.#takeTime(plan.time, record);
      if (!this.#passes(plan, record) || !this.#route(plan, record, start, size)) filteredBytes += size;
    }
    return filteredBytes;
  }

  #takeTime({ reader, field, keep }: NonNullable<Plan["time"]>, record: ShapedRecord): void {
    if (!record.find(field) || !reader.read(record.bytes, record.valueFrom, record.valueTo, record.timeSeconds())) {
      this.#untimed++;
      return;
    }
    if (!keep) record.removeFound();
    record.setTime(reader.seconds, reader.nanoseconds);
  }

  #passes(plan: Plan, record: ShapedRecord): boolean {
    for (const { index, apply } of plan.filters) {
      if (apply(record, this.#place)) continue;
      this.#filtered[index] = (this.#filtered[index] ?? 0) + 1;
      return false;
    }
    return true;
  }

  /** False when no outlet takes the record. */
  #route(plan: Plan, record: ShapedRecord, start: number, size: number): boolean {
    let taken = false;
    for (let outlet = 0; outlet < plan.routes.length; outlet++) {
      const route = plan.routes[outlet];
      const writer = this.#writers[outlet];
      if (writer === undefined || route === undefined || (route !== "all" && !route(record))) continue;
      record.write(writer);
      writer.count(start, size);
      taken = true;
    }
    if (!taken) this.#unrouted++;
    return taken;
  }

  #memory(plan: Plan): ShapeMemory | undefined {
    const noted = plan.filters.flatMap(({ index }) => {
      const drops = this.#place.drops[index];
      return this.#options.limits.has(index) && drops !== undefined ? [[memoryKey(index), drops.encode()] as const] : [];
    });
    return noted.length === 0 ? undefined : Object.fromEntries(noted);
  }

  #tell(outlets: readonly EntryBatch[]): void {
    const { events } = this.#options;
    for (const [index, records] of this.#filtered.entries()) if (records > 0) events.filtered(this.#names[index] ?? "", records);
    for (const [index, { records }] of outlets.entries()) if (records > 0) events.routed(this.#outlets[index]?.sinks ?? [], records);
    if (this.#untimed > 0) events.untimed(this.#untimed);
    if (this.#unrouted > 0) events.unrouted(this.#unrouted);
  }

  #planFor(tag: string): Plan {
    const known = this.#plans.get(tag);
    if (known !== undefined) return known;
    if (this.#plans.size >= plansMax) this.#plans.clear();
    const plan = compilePlan(this.#options, this.#outlets, tag);
    this.#plans.set(tag, plan);
    return plan;
  }
}

/** Tags come from few sources; a client that invents tags costs a compilation each. */
function compilePlan({ config, time, limits, core }: ShaperOptions, outlets: readonly Outlet[], tag: string): Plan {
  const keys = new KeyTable();
  const timing = time === undefined ? undefined : { reader: new TimeReader(time), field: compilePath(time.field, keys), keep: time.keep };
  const filters = config.filters.flatMap((filter, index) => (matchesTag(tag, filter.tags) ? [{ index, apply: compileFilter(filter, index, keys, limits.get(index)) }] : []));
  const routes = outlets.map(({ match }) => {
    if (match === undefined) return "all";
    if (!matchesTag(tag, match.tags)) return undefined;
    return match.when === undefined ? "all" : compileCondition(match.when, keys);
  });
  const wantsAll = filters.some(({ index }) => looksAtAll(config.filters[index]));
  const fitsCore = timing === undefined && filters.length > 0 && routes.length === 1 && routes[0] === "all";
  const taken = filters.flatMap(({ index }) => config.filters[index] === undefined ? [] : [{ index, config: config.filters[index] }]);
  const program = core !== undefined && fitsCore ? compileProgram(taken, { keys, area: core.shapingArea, wantsAll }) : undefined;
  return { record: new ShapedRecord(keys, wantsAll), ignores: ignoring(keys), time: timing, filters, routes, program, rest: 0 };
}

function looksAtAll(filter: FilterConfig | undefined): boolean {
  return filter?.type === "redact" && filter.fields === undefined;
}

/** Remembers the answer: the pairs are the same object for a whole file. */
function ignoring(keys: KeyTable): (extra: ExtraPairs) => boolean {
  let last: ExtraPairs | undefined;
  let answer = false;
  return (extra) => {
    if (extra === last) return answer;
    last = extra;
    answer = !keysOf(extra).some((key) => keys.has(key));
    return answer;
  };
}

function keysOf({ count, bytes }: ExtraPairs): readonly string[] {
  const names: string[] = [];
  let at = 0;
  for (let pair = 0; pair < count; pair++) {
    const key = decodeValue(bytes, at);
    if (key.value instanceof Uint8Array) names.push(textOf(key.value));
    at = skipValue(bytes, key.end, bytes.length);
  }
  return names;
}

function memoryKey(index: number): string {
  return `drops${index}`;
}
