// pure
import type { ArgumentSpec, FlagSpec } from "./arguments.ts";
import { exitCodeHelp } from "./exit-codes.ts";
import { wrap } from "./print/text.ts";

/** What a verb takes and says about itself. */
export type VerbHelp = ArgumentSpec & {
  readonly group: "run" | "look" | "control plane" | "other";
  readonly summary: string;
  readonly usage: string;
  /** Paragraphs of the verb's own help. */
  readonly description: readonly string[];
  readonly examples: readonly (readonly [command: string, what: string])[];
};

const groups: readonly (readonly [VerbHelp["group"], string])[] = [["run", "Run"], ["look", "Look"], ["control plane", "Control plane"], ["other", "Other"]];

function columns(rows: readonly (readonly [string, string])[], width: number): string[] {
  const left = Math.max(...rows.map(([first]) => first.length)) + 2;
  return rows.flatMap(([first, second]) => {
    const [head = "", ...more] = wrap(second, Math.max(30, width - left - 2));
    return [`  ${first.padEnd(left)}${head}`.trimEnd(), ...more.map((line) => `${" ".repeat(left + 2)}${line}`)];
  });
}

const exitCodeLines = (width: number): string[] => columns(exitCodeHelp.map(([code, meaning]) => [String(code), meaning] as const), width);

export function overview(verbs: readonly VerbHelp[], version: string, width: number): string {
  const lines = [`podkit ${version}: Pods with their sidecars on a plain Docker Engine`, "", "Usage: podkit VERB [options]   (podkit VERB --help explains one)"];
  for (const [group, title] of groups) {
    lines.push("", `${title}:`, ...columns(verbs.filter((verb) => verb.group === group).map((verb) => [verb.name, verb.summary] as const), width));
  }
  lines.push("", "Exit codes (exec ends with its command's own):", ...exitCodeLines(width));
  lines.push("", "State lives in ~/.podkit, or $PODKIT_HOME. Docker is found at $DOCKER_HOST or /var/run/docker.sock.");
  return lines.join("\n");
}

function flagLabel(flag: FlagSpec): string {
  const long = flag.value === undefined ? `--${flag.name}` : `--${flag.name} ${flag.value}`;
  return flag.short === undefined ? `    ${long}` : `-${flag.short}, ${long}`;
}

export function verbHelp(verb: VerbHelp, width: number): string {
  const lines = [verb.summary + ".", "", `Usage: ${verb.usage}`];
  for (const paragraph of verb.description) lines.push("", ...wrap(paragraph, width));
  const shown = verb.flags.filter((flag) => flag.hidden === undefined);
  if (shown.length > 0) lines.push("", "Options:", ...columns(shown.map((flag) => [flagLabel(flag), flag.doc] as const), width));
  if (verb.examples.length > 0) lines.push("", "Examples:", ...columns(verb.examples, width));
  if (verb.name === "up" || verb.name === "help") lines.push("", "Exit codes:", ...exitCodeLines(width));
  return lines.join("\n");
}
