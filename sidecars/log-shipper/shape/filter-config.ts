// pure
import { anything, boolean, choice, integer, list, map, number, object, plain, string, union, type ConfigOf, type CrossProblem } from "../../../kit/config/schema.ts";
import type { MsgpackValue } from "../forward-protocol/msgpack-writer.ts";
import { patternFault } from "../parse/pattern.ts";
import { conditionSpec } from "./condition-config.ts";
import { presetNames } from "./redact-presets.ts";
import { optional, textList } from "./settings.ts";

const fieldName = (name: string): string | undefined => (name === "" ? "the name of a field" : undefined);

/** What every filter has: its name and the records that it looks at. */
const common = {
  name: string({ doc: "name in metrics; its type and place in the list without it", optional: true }),
  tags: textList({ doc: 'only records with one of these tags; * stands for any characters ("app.*")', check: (glob) => (glob === "" ? 'a tag or a pattern such as "app.*"' : undefined) }),
};
const when = optional(conditionSpec);

const keepSpec = object({ ...common, when: conditionSpec }, { doc: "drops the records that do not meet a condition" });
const dropSpec = object({ ...common, when: conditionSpec }, { doc: "drops the records that meet a condition" });

const redactSpec = object(
  {
    ...common,
    when,
    fields: textList({ doc: "fields to look into, maps and lists in them included; every field without it", check: fieldName }),
    patterns: textList({ doc: "what to replace: regular expressions", check: (pattern) => patternFault(pattern) ?? (RegExp(pattern).test("") ? "a pattern that does not match the empty text" : undefined) }),
    presets: list(choice(presetNames, { doc: "a preset" }), { doc: `what to replace: ${presetNames.join(", ")}`, default: [] }),
    ignoreCase: boolean({ doc: "whether the patterns take letters in either case", default: false }),
    replacement: string({ doc: "what stands there instead; $1 and $<name> are groups of the pattern, $$ is a dollar sign", default: "[redacted]" }),
  },
  {
    doc: "replaces parts of texts, such as passwords and addresses",
    check({ patterns, presets, ignoreCase }) {
      if ((patterns ?? []).length + presets.length === 0) return [{ path: [], message: "redacts nothing: give patterns or presets" }];
      return (ignoreCase ? (patterns ?? []) : []).flatMap((pattern) => {
        const fault = patternFault(pattern, "i");
        return fault === undefined ? [] : [{ path: ["patterns"], message: `expected ${fault} (with ignoreCase)` }];
      });
    },
  },
);

const sampleSpec = object(
  {
    ...common,
    when,
    share: number({ doc: "share of the records that are kept, such as 0.1", check: (share) => (share > 0 && share < 1 ? undefined : "a share above 0 and below 1 (to drop all use type: drop)") }),
    key: string({ doc: "records with the same value of this field are kept or dropped together, in every Pod; each record by itself without it", optional: true, check: fieldName }),
  },
  { doc: "keeps a share of the records, always the same ones" },
);

const rateLimitSpec = object(
  {
    ...common,
    when,
    perSecond: number({ doc: "how many records a second pass, in the long run", check: (rate) => (rate > 0 ? undefined : "a number above 0") }),
    burst: integer({ doc: "how many may pass at once after a pause; as many as in a second without it", optional: true, min: 1 }),
    key: string({ doc: "each value of this field has a limit of its own; one limit for all records without it", optional: true, check: fieldName }),
    keysMax: integer({ doc: "how many values have limits of their own at a time; the others share one", default: 1_000, min: 1, max: 100_000 }),
  },
  { doc: "drops what is above a rate" },
);

const renameSpec = object(
  { ...common, when, fields: map(string({ doc: "the new name", check: fieldName }), { doc: "new names by old names; a field a.b is lifted out of the map a" }) },
  { doc: "gives fields other names; a field that has the new name already is replaced", check: ({ fields }) => renameFaults(fields) },
);

const removeSpec = object({ ...common, when, fields: list(string({ doc: "a field", check: fieldName }), { doc: "the fields", minItems: 1 }) }, { doc: "takes fields out of records" });

const addSpec = object(
  {
    ...common,
    when,
    fields: map(anything({ doc: "the value" }), { doc: "fields and their values" }),
    replace: boolean({ doc: "whether a field that the record has already gets the value too", default: true }),
  },
  { doc: "adds fields with constant values", check: ({ fields }) => (Object.keys(fields).length === 0 ? [{ path: ["fields"], message: "adds nothing: give at least one field" }] : []) },
);

const variants = { keep: keepSpec, drop: dropSpec, redact: redactSpec, sample: sampleSpec, "rate-limit": rateLimitSpec, rename: renameSpec, remove: removeSpec, add: addSpec };

export const filterSpec = union("type", variants, { doc: "a filter" });
export type FilterConfig = ConfigOf<typeof filterSpec>;

/** `filters` of the configuration: what happens to records between their parser and the sinks, in this order. */
export const filtersSpec = list(filterSpec, { doc: "what happens to records on their way, in this order", default: [] });

/** `match` of a sink. */
export const matchSpec = optional(object({ tags: common.tags, when }, { doc: "which records the sink gets; all without it", check: (match) => (match.tags === undefined && match.when === undefined ? [{ path: [], message: "matches everything: give tags or when, or leave match out" }] : []) }));
export type MatchConfig = ConfigOf<typeof matchSpec>;

function renameFaults(fields: Readonly<Record<string, string>>): readonly CrossProblem[] {
  const pairs = Object.entries(fields);
  if (pairs.length === 0) return [{ path: ["fields"], message: "renames nothing: give at least one field" }];
  const targets = pairs.map(([, to]) => to);
  return pairs.flatMap(([from, to], index) => {
    if (from === to) return [{ path: ["fields", from], message: "is its own new name" }];
    return targets.indexOf(to) < index ? [{ path: ["fields", from], message: `two fields cannot both become ${JSON.stringify(to)}` }] : [];
  });
}

/** The constants of an `add` filter. */
export function constantsOf(filter: Extract<FilterConfig, { type: "add" }>): readonly (readonly [name: string, value: MsgpackValue])[] {
  return Object.entries(filter.fields).map(([name, node]) => [name, asValue(plain(node))]);
}

function asValue(value: unknown): MsgpackValue {
  if (value === null || typeof value === "boolean" || typeof value === "number" || typeof value === "bigint" || typeof value === "string") return value;
  if (Array.isArray(value)) return value.map(asValue);
  return Object.fromEntries(Object.entries(value ?? {}).map(([key, each]) => [key, asValue(each)]));
}

/** A filter's name in metrics and explanations. */
export function filterName(filter: FilterConfig, index: number): string {
  return filter.name ?? `${filter.type}-${index}`;
}
