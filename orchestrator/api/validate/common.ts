// pure
import { canonicalQuantity, parseQuantity, quantityExpectation, tryParseQuantity } from "../types/quantity.ts";
import { forbidden, invalid, required as requiredFault, wrongType, type Report } from "./fault.ts";
import { ipAddress, portName, portNumber, timestamp } from "./formats.ts";
import { text, type Check, type RuleContext } from "./schema.ts";

/** A quantity, written as text or as a number; rebuilt in Kubernetes' canonical form. */
export const quantity: Check<string> = quantityCheck(() => undefined);

/** A quantity of something that cannot be owed. */
export const nonNegativeQuantity: Check<string> = quantityCheck((value) => (parseQuantity(value).nano < 0n ? "must be greater than or equal to 0" : undefined));

function quantityCheck(check: (value: string) => string | undefined): Check<string> {
  const run = (value: unknown, path: string, report: Report): unknown => {
    if (typeof value !== "string" && typeof value !== "number") {
      report(wrongType(path, value, "a quantity"));
      return undefined;
    }
    const written = String(value);
    if (tryParseQuantity(written) === undefined) {
      report(invalid(path, value, quantityExpectation));
      return undefined;
    }
    const canonical = canonicalQuantity(written);
    const detail = check(canonical);
    if (detail !== undefined) report(invalid(path, canonical, detail));
    return canonical;
  };
  return { run, shape: { kind: "scalar" } };
}

/** A port number or an IANA port name. */
export const portOrName: Check<number | string> = {
  shape: { kind: "scalar" },
  isAbsent: (value) => value === "",
  run: (value, path, report) => {
    if (typeof value === "number" && Number.isSafeInteger(value)) {
      const detail = portNumber(value);
      if (detail !== undefined) report(invalid(path, value, detail));
      return value;
    }
    if (typeof value === "string") {
      for (const detail of portName(value)) report(invalid(path, value, detail));
      return value;
    }
    report(wrongType(path, value, "an integer or a string"));
    return undefined;
  },
};

export const time: Check<string> = text({ format: timestamp });
export const ip: Check<string> = text({ format: ipAddress });

/**
 * Demands exactly one of `keys`, where `others` are keys that are no alternative. What was given wrongly, an unsupported or
 * misspelt alternative included, counts as given, so that one mistake makes one fault.
 */
export function exactlyOne(keys: readonly string[], context: RuleContext, words: { readonly none: string; readonly many: string; readonly others?: readonly string[] }): void {
  const present = keys.filter((key) => context.given.has(key));
  for (const key of present.slice(1)) context.report(forbidden(`${context.path}.${key}`, words.many));
  const candidates = [...context.given].filter((key) => words.others?.includes(key) !== true);
  if (candidates.length === 0) context.report(requiredFault(context.path, words.none));
}
