// pure
import { arityHolds, type CommandPlan } from "../commands/command-plan.ts";

const shownMax = 128;
const shown = (word: string, max: number): string => word.slice(0, max).replaceAll(/[\r\n]/g, " ");

/** The beginning of the arguments as the server repeats them in its error. */
function beginning(words: readonly string[]): string {
  let text = "";
  for (const word of words.slice(1)) {
    if (text.length >= shownMax) break;
    text += `'${shown(word, shownMax - text.length)}' `;
  }
  return text;
}

/**
 * What a server says of a request before it looks at who sent it: unknown names and wrong numbers of words come before
 * NOAUTH. Undefined when there is nothing to say. Only for connections that may not reach a server yet.
 */
export function requestProblem(plan: CommandPlan, words: readonly string[]): Buffer | undefined {
  const error = (text: string): Buffer => Buffer.from(`-${plan.name === "exec" ? "EXECABORT Transaction discarded because of: " : "ERR "}${text}\r\n`, "latin1");
  const [name = ""] = words;
  if (plan.name === "unknown") return error(`unknown command '${shown(name, shownMax)}', with args beginning with: ${beginning(words)}`);
  if (plan.subcommands !== undefined && words.length > 1) return error(`unknown subcommand '${shown(words[1] ?? "", shownMax)}'. Try ${plan.name.toUpperCase()} HELP.`);
  if (!arityHolds(plan, words.length)) return error(`wrong number of arguments for '${plan.name}' command`);
  return plan.name === "exec" ? error("NOAUTH Authentication required.") : undefined;
}
