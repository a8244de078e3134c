// pure
import { parseLabelSelector } from "../orchestrator/api/selectors.ts";
import type { Arguments } from "./arguments.ts";
import { messageOf, usageFailure } from "./failure.ts";

/** The text of --selector, undefined without one. Throws CliFailure (64) when it cannot be read, before anybody is asked. */
export function labelSelectorOf(given: Pick<Arguments, "text">): string | undefined {
  const text = given.text("selector");
  if (text === undefined) return undefined;
  try {
    parseLabelSelector(text);
  } catch (error) {
    throw usageFailure(`Cannot use "${text}" for --selector: ${messageOf(error)}`, "write it as app=web, tier!=cache, key, !key, key in (a,b) or key notin (a,b), with commas between");
  }
  return text;
}
