import { exitCodeHelp } from "../../cli/exit-codes.ts";
import { verbs } from "../../cli/verbs.ts";
import { code, table } from "./markdown.ts";

/** The lists of docs/podkit.md, by the name in their markers, as the command's own tables say it now. */
export function podkitLists(): ReadonlyMap<string, string> {
  return new Map([
    ["verbs", table(["verb", "what it does"], verbs.map((verb) => [code(verb.name), verb.summary]))],
    ["exit-codes", table(["code", "meaning"], exitCodeHelp.map(([number, meaning]) => [String(number), meaning]))],
  ]);
}
