// pure
import { isDeepStrictEqual } from "node:util";
import type { ShipperConfig } from "../config.ts";
import type { ExtraPairs } from "../encode/range-encoder.ts";
import { fieldsOf, timeOf } from "./preview.ts";
import { createRateLimits, createShaper, outletIndexes, type ShapeEvents } from "../shape/create-shaper.ts";
import { filterName } from "../shape/filter-config.ts";
import type { EntryBatch, ShapedRange, Shaper } from "../shape/shaper.ts";
import { matchesTag } from "../shape/tags.ts";
import type { TimeConfig } from "../shape/time-config.ts";

/** What shaping does to one record, step by step. */
export type Change = { readonly field: string; readonly before?: unknown; readonly after?: unknown };
export type FilterStep = { readonly filter: string; readonly type: string; readonly outcome: "other tags" | "unchanged" | "changed" | "dropped"; readonly changes: readonly Change[] };
export type ShapingSteps = {
  readonly time: { readonly field: string; readonly present: boolean; readonly found: boolean; readonly value: string } | undefined;
  readonly filters: readonly FilterStep[];
  readonly routes: readonly { readonly sink: string; readonly gets: boolean }[];
  /** The record as the sinks get it; undefined if it is dropped. */
  readonly result: { readonly time: string; readonly fields: Readonly<Record<string, unknown>> } | undefined;
};

type Facts = { readonly tag: string; readonly extra: ExtraPairs; readonly content: string };

/**
 * Runs the shipper's own shaper with ever more of the filters, and tells the differences. Records must be given in their order:
 * a rate limit sees those given alone, all at one moment.
 */
export class Explainer {
  readonly #config: Pick<ShipperConfig, "filters" | "sinks">;
  readonly #time: TimeConfig | undefined;
  /** The nth has the first n filters and sends everything to one outlet; undefined when there is nothing to do yet. */
  readonly #prefixes: readonly (Shaper | undefined)[];
  readonly #whole: Shaper | undefined;
  #untimed = 0;

  constructor(config: Pick<ShipperConfig, "filters" | "sinks">, time: TimeConfig | undefined) {
    this.#config = config;
    this.#time = time;
    const silent: ShapeEvents = { filtered: () => undefined, routed: () => undefined, unrouted: () => undefined, untimed: () => undefined };
    this.#prefixes = [...config.filters.keys(), config.filters.length].map((count) => {
      const filters = config.filters.slice(0, count);
      const events = count === 0 ? { ...silent, untimed: (records: number) => (this.#untimed += records) } : silent;
      return createShaper({ config: { filters, sinks: [{ name: "all", match: undefined }] }, time, limits: createRateLimits(filters), events });
    });
    this.#whole = createShaper({ config, time, limits: createRateLimits(config.filters), events: silent });
  }

  explain(batch: EntryBatch, facts: Facts): ShapingSteps {
    this.#untimed = 0;
    const stages = this.#prefixes.map((shaper) => shapeOne(shaper, batch, facts).outlets[0] ?? batch);
    const timed = stages[0] ?? batch;
    const time = this.#time === undefined ? undefined : { field: this.#time.field, present: isPresent(fieldsOf(batch), this.#time.field), found: this.#untimed === 0, value: timeOf(timed) };
    const whole = shapeOne(this.#whole, batch, facts);
    const outlets = outletIndexes(this.#config.sinks);
    const last = stages.at(-1);
    return {
      time,
      filters: this.#filterSteps(stages, facts.tag),
      routes: this.#config.sinks.map(({ name }, index) => ({ sink: name, gets: whole.outlets[outlets[index] ?? 0]?.records === 1 })),
      result: last === undefined || last.records === 0 ? undefined : { time: timeOf(last), fields: fieldsOf(last) },
    };
  }

  #filterSteps(stages: readonly EntryBatch[], tag: string): readonly FilterStep[] {
    const steps: FilterStep[] = [];
    for (const [index, filter] of this.#config.filters.entries()) {
      const before = stages[index];
      const after = stages[index + 1];
      const step = { filter: filterName(filter, index), type: filter.type };
      if (before === undefined || after === undefined) break;
      if (!matchesTag(tag, filter.tags)) {
        steps.push({ ...step, outcome: "other tags", changes: [] });
        continue;
      }
      if (after.records === 0) {
        steps.push({ ...step, outcome: "dropped", changes: [] });
        break;
      }
      const changes = changesOf(fieldsOf(before), fieldsOf(after), "");
      steps.push({ ...step, outcome: changes.length === 0 ? "unchanged" : "changed", changes });
    }
    return steps;
  }
}

function shapeOne(shaper: Shaper | undefined, batch: EntryBatch, facts: Facts): ShapedRange {
  return shaper === undefined ? { outlets: [batch], filteredBytes: 0, memory: undefined } : shaper.shape(batch, { ...facts, from: 0, nowMs: 0, memory: undefined });
}

function isPresent(fields: Readonly<Record<string, unknown>>, path: string): boolean {
  if (Object.hasOwn(fields, path)) return true;
  const dot = path.indexOf(".");
  const inner = dot < 0 ? undefined : fields[path.slice(0, dot)];
  return isPlainMap(inner) && isPresent(inner, path.slice(dot + 1));
}

/** Fields that differ, nested ones by their path. */
export function changesOf(before: Readonly<Record<string, unknown>>, after: Readonly<Record<string, unknown>>, prefix: string): readonly Change[] {
  const names = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...names].flatMap((name): readonly Change[] => {
    const field = `${prefix}${name}`;
    const [left, right] = [before[name], after[name]];
    if (isDeepStrictEqual(left, right)) return [];
    if (isPlainMap(left) && isPlainMap(right)) return changesOf(left, right, `${field}.`);
    return [{ field, ...(Object.hasOwn(before, name) ? { before: left } : {}), ...(Object.hasOwn(after, name) ? { after: right } : {}) }];
  });
}

function isPlainMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
