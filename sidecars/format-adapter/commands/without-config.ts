import { exitCode } from "../../../kit/exit-code.ts";
import type { Print } from "./command-line.ts";
import { diffPlain, diffUsage } from "./diff.ts";
import { doctorUsage } from "./doctor.ts";
import { infer, inferUsage } from "./infer.ts";
import { usages } from "./mapping-commands.ts";
import { replayUsage, runUsage } from "./run-commands.ts";

const allUsages: Readonly<Record<string, string>> = { ...usages, infer: inferUsage, diff: diffUsage, doctor: doctorUsage, run: runUsage, replay: replayUsage };

const overview = `usage: format-adapter [COMMAND] [--config FILE]
Without a command the adapter runs: it watches folders and adapts what comes.

  infer     drafts a configuration from a sample of the old and the new report
  lint      tells what may surprise in a configuration
  test      runs its examples
  explain   tells how each field is made
  diff      compares two reports, or an adapted new one with the old
  doctor    checks folders, rights, room and clocks around the adapter
  run       adapts what is there, once
  replay    takes refused reports up again

COMMAND --help tells its options, --help the settings of the adapter.
`;

/** What is answered without a configuration: commands that need none, and what a command is for. Undefined for all else. */
export function answerWithoutConfig(argv: readonly string[], print: Print): Promise<number> | undefined {
  const [name = "", ...rest] = argv;
  const wantsHelp = rest.some((argument) => argument === "--help" || argument === "-h");
  const usage = name === "help" ? (allUsages[rest[0] ?? ""] ?? overview) : wantsHelp && Object.hasOwn(allUsages, name) ? allUsages[name] : undefined;
  if (usage !== undefined) {
    print(usage);
    return Promise.resolve(exitCode.ok);
  }
  if (name === "infer") return infer(rest, print);
  const wantsConfig = rest.some((argument) => /^--(?:config|mapping)(?:=|$)/.test(argument));
  if (name === "diff" && !wantsConfig) return diffPlain(rest, print);
  return undefined;
}
