// pure
import { boolean, list, number, object, string, type CrossProblem, type TypedField } from "../../../kit/config/schema.ts";
import { patternFault } from "../parse/pattern.ts";
import { optional, recursive, textList } from "./settings.ts";

/** A condition on a record's fields, as it is written in the configuration. All that is given must hold. */
export type ConditionConfig = {
  readonly field: string | undefined;
  readonly equals: string | undefined;
  readonly in: readonly string[] | undefined;
  readonly matches: string | undefined;
  readonly ignoreCase: boolean;
  readonly exists: boolean | undefined;
  readonly above: number | undefined;
  readonly atLeast: number | undefined;
  readonly below: number | undefined;
  readonly atMost: number | undefined;
  readonly all: readonly ConditionConfig[] | undefined;
  readonly any: readonly ConditionConfig[] | undefined;
  readonly not: ConditionConfig | undefined;
};

const nested = recursive<ConditionConfig>("a condition", () => conditionSpec);

export const conditionSpec: TypedField<ConditionConfig> = object(
  {
    field: string({ doc: "a field of the record; a.b is the field b in the map a", optional: true, check: (name) => (name === "" ? "the name of a field" : undefined) }),
    equals: string({ doc: "the field has this value; 500 is met by a number and by text", optional: true }),
    in: textList({ doc: "the field has one of these values" }),
    matches: string({ doc: "a regular expression is found in the field", optional: true, check: (pattern) => patternFault(pattern) }),
    ignoreCase: boolean({ doc: "whether equals, in and matches take letters in either case", default: false }),
    exists: boolean({ doc: "the field is there (or is not)", optional: true }),
    above: number({ doc: "the field is a number above this", optional: true }),
    atLeast: number({ doc: "the field is this number or above", optional: true }),
    below: number({ doc: "the field is a number below this", optional: true }),
    atMost: number({ doc: "the field is this number or below", optional: true }),
    all: list(nested, { doc: "all of these conditions hold", optional: true, minItems: 1 }),
    any: list(nested, { doc: "at least one of these conditions holds", optional: true, minItems: 1 }),
    not: optional(nested),
  },
  { doc: "a condition on a record's fields", check: (condition) => conditionFaults(condition) },
);

const fieldTests = ["equals", "in", "matches", "exists", "above", "atLeast", "below", "atMost"] as const;

/** What makes a condition meaningless: no test, tests without a field, tests that nothing can meet. */
function conditionFaults(condition: ConditionConfig): readonly CrossProblem[] {
  const given = fieldTests.filter((test) => condition[test] !== undefined);
  const combined = (["all", "any", "not"] as const).filter((key) => condition[key] !== undefined);
  if (condition.field === undefined && given.length > 0) return [{ path: [given[0] ?? ""], message: "needs field: which field has to be looked at?" }];
  if (condition.field === undefined && combined.length === 0) return [{ path: [], message: `is an empty condition; give field and one of ${fieldTests.join(", ")}, or one of all, any, not` }];
  if (condition.field !== undefined && given.length === 0) return [{ path: ["field"], message: `stands without a test; add one of ${fieldTests.join(", ")}` }];
  return impossible(condition, given);
}

function impossible(condition: ConditionConfig, given: readonly string[]): readonly CrossProblem[] {
  const { equals, above, atLeast, below, atMost, ignoreCase } = condition;
  const faults: CrossProblem[] = [];
  if (condition.exists !== undefined && given.length > 1) faults.push({ path: ["exists"], message: condition.exists ? `says nothing more than ${given.find((test) => test !== "exists") ?? ""}; leave it out` : `can never hold together with ${given.find((test) => test !== "exists") ?? ""}: a field that is not there meets no other test` });
  if (equals !== undefined && condition.in?.includes(equals) === false) faults.push({ path: ["equals"], message: `can never hold together with in: ${JSON.stringify(equals)} is not one of ${condition.in.join(", ")}` });
  if (equals !== undefined && condition.matches !== undefined && !RegExp(condition.matches, ignoreCase ? "i" : "").test(equals)) faults.push({ path: ["equals"], message: `can never hold together with matches: the pattern is not found in ${JSON.stringify(equals)}` });
  const low = Math.max(above ?? -Infinity, atLeast ?? -Infinity);
  const high = Math.min(below ?? Infinity, atMost ?? Infinity);
  const open = (above !== undefined && above === low) || (below !== undefined && below === high);
  const lower = above === low ? "above" : "atLeast";
  if (low > high || (low === high && open)) faults.push({ path: [lower], message: `can never hold together with ${below === high ? "below" : "atMost"}: no number is ${lower === "above" ? "above" : "at least"} ${low} and ${below === high ? "below" : "at most"} ${high}` });
  const number = equals === undefined ? Number.NaN : Number(equals);
  if (equals !== undefined && (low > -Infinity || high < Infinity) && !(number >= low && number <= high)) faults.push({ path: ["equals"], message: `can never hold together with the bounds given: ${JSON.stringify(equals)} does not lie between them` });
  return faults;
}
