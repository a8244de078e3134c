// pure
import { MsgpackWriter } from "../forward-protocol/msgpack-writer.ts";
import { compileCondition, type Condition } from "./condition.ts";
import { constantsOf, type FilterConfig } from "./filter-config.ts";
import { compilePath, encodeKey, type FieldPath, type KeyTable } from "./keys.ts";
import type { DropList, RateLimiter } from "./rate-limit.ts";
import type { ShapedRecord } from "./record.ts";
import { Redaction } from "./redact.ts";
import { hashPlace, hashValue } from "./sampling.ts";

/** What a filter may know of a record besides its fields. One object serves record after record. */
export type Place = {
  /** Hash of the content's name. */
  contentHash: number;
  /** Of the record's first byte in its content. */
  position: number;
  nowMs: number;
  /** By number of a rate limit: what it decides now is noted there, … */
  readonly drops: (DropList | undefined)[];
  /** … unless it was decided before: then this tells, for the nth decision. */
  readonly decided: (((nth: number) => boolean) | undefined)[];
  readonly decisions: number[];
};

/** Changes the record, or returns false when it is dropped. */
export type Filter = (record: ShapedRecord, place: Place) => boolean;

/** `limiter` is this filter's, for a rate limit; it outlives the filter. */
export function compileFilter(config: FilterConfig, index: number, keys: KeyTable, limiter: RateLimiter | undefined): Filter {
  const when = config.when === undefined ? undefined : compileCondition(config.when, keys);
  if (config.type === "keep" && when !== undefined) return when;
  if (config.type === "drop" && when !== undefined) return (record) => !when(record);
  const filter = compileAction(config, index, keys, limiter);
  return when === undefined ? filter : onlyWhen(when, filter);
}

function onlyWhen(when: Condition, filter: Filter): Filter {
  return (record, place) => !when(record) || filter(record, place);
}

function compileAction(config: FilterConfig, index: number, keys: KeyTable, limiter: RateLimiter | undefined): Filter {
  switch (config.type) {
    case "redact": {
      const redaction = new Redaction(config, keys);
      return (record) => {
        redaction.apply(record);
        return true;
      };
    }
    case "sample":
      return sampling(config.share, config.key === undefined ? undefined : compilePath(config.key, keys));
    case "rate-limit":
      return limiter === undefined ? passAll : limiting(limiter, index, config.key === undefined ? undefined : compilePath(config.key, keys));
    case "rename":
      return renaming(Object.entries(config.fields).map(([from, to]) => ({ from: compilePath(from, keys), to: encodeKey(to, keys) })));
    case "remove":
      return removing(config.fields.map((field) => compilePath(field, keys)));
    case "add":
      return adding(config, keys);
    default:
      return passAll;
  }
}

const passAll: Filter = () => true;

function sampling(share: number, key: FieldPath | undefined): Filter {
  const kept = share * 4_294_967_296;
  return (record, place) => {
    const keyed = key !== undefined && record.find(key);
    return (keyed ? hashValue(record.bytes, record.valueFrom, record.valueTo) : hashPlace(place.contentHash, place.position)) < kept;
  };
}

/** Records without the key field share one limit. What is not scalar counts as absent. */
function limiting(limiter: RateLimiter, index: number, key: FieldPath | undefined): Filter {
  return (record, place) => {
    const nth = place.decisions[index] ?? 0;
    place.decisions[index] = nth + 1;
    const decided = place.decided[index];
    const passes = decided === undefined ? limiter.take(key !== undefined && record.find(key) ? `=${record.text() ?? ""}` : "", place.nowMs) : !decided(nth);
    place.drops[index]?.add(!passes);
    return passes;
  };
}

function renaming(renames: readonly { readonly from: FieldPath; readonly to: ReturnType<typeof encodeKey> }[]): Filter {
  return (record) => {
    for (const { from, to } of renames) if (record.find(from)) record.renameFound(to);
    return true;
  };
}

function removing(fields: readonly FieldPath[]): Filter {
  return (record) => {
    for (const field of fields) if (record.find(field)) record.removeFound();
    return true;
  };
}

function adding(config: Extract<FilterConfig, { type: "add" }>, keys: KeyTable): Filter {
  const constants = constantsOf(config).map(([name, value]) => {
    const writer = new MsgpackWriter(64);
    writer.value(value);
    return { key: encodeKey(name, keys), path: { name, whole: keys.idOf(name), first: -1, rest: [] }, value: writer.copy() };
  });
  return (record) => {
    for (const { key, path, value } of constants) if (config.replace || !record.find(path)) record.put(key, value);
    return true;
  };
}
