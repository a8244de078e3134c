import { nearest } from "../../kit/nearest.ts";
import type { Command } from "../command.ts";
import { cliExit } from "../exit-codes.ts";
import { usageFailure } from "../failure.ts";
import { overview, verbHelp } from "../help.ts";
import { verbs } from "../verbs.ts";

export const helpWidth = (columns: number | undefined): number => Math.min(columns ?? 100, 120);

export const help: Command = async (context) => {
  const [name] = context.arguments.positionals;
  const width = helpWidth(context.stdout.columns);
  if (name === undefined) {
    context.print(overview(verbs, context.installation.version, width));
    return cliExit.ok;
  }
  const verb = verbs.find((candidate) => candidate.name === name);
  if (verb === undefined) throw unknownVerb(name);
  context.print(verbHelp(verb, width));
  return cliExit.ok;
};

export function unknownVerb(name: string): Error {
  const others: Readonly<Record<string, string>> = { apply: "up", create: "up", delete: "down", run: "up", ps: "get", ls: "get", log: "logs", start: "serve", top: "activity", status: "get" };
  const meant = others[name] ?? nearest(name, verbs.map((verb) => verb.name));
  return usageFailure(`podkit has no verb "${name}"`, meant === undefined ? "podkit --help lists the verbs" : `Did you mean "podkit ${meant}"?`);
}
