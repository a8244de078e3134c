import { exitCode } from "../../../kit/exit-code.ts";
import type { Print } from "./command-line.ts";
import { diffPlain } from "./diff.ts";
import { doctorUsage } from "./doctor.ts";
import { infer } from "./infer.ts";
import { usages } from "./mapping-commands.ts";

/** What is answered without a configuration: commands that need none, and what a command is for. Undefined for all else. */
export function answerWithoutConfig(argv: readonly string[], print: Print): Promise<number> | undefined {
  const [name = "", ...rest] = argv;
  const wantsHelp = rest.some((argument) => argument === "--help" || argument === "-h");
  const usage = Object.entries({ ...usages, doctor: doctorUsage }).find(([command]) => command === name)?.[1];
  if (wantsHelp && usage !== undefined) {
    print(usage);
    return Promise.resolve(exitCode.ok);
  }
  if (name === "infer") return infer(rest, print);
  const wantsConfig = rest.some((argument) => /^--(?:config|mapping)(?:=|$)/.test(argument));
  if (name === "diff" && (wantsHelp || !wantsConfig)) return diffPlain(rest, print);
  return undefined;
}
