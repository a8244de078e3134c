import { parseArgs } from "node:util";
import type { Problem } from "../../../kit/config/problem.ts";
import { readYaml } from "../../../kit/config/yaml-source.ts";
import { exitCode } from "../../../kit/exit-code.ts";
import type { ConversionError } from "../conversion-error.ts";
import type { InputFormat } from "../mapping/mapping.ts";
import { readNode } from "../mapping/node-reader.ts";
import { harmless, shownName } from "./terminal.ts";
import { formatsIn, readInput } from "../mapping/read-format.ts";

export type Print = (text: string) => void;

/** Where commands tell what they cannot work with: not among what they make, which may go into a file. */
export const tellError: Print = (text) => void process.stderr.write(harmless(text));

/** What a command was given, or the exit code with which it ends at once. */
export type Given = { readonly values: Readonly<Record<string, unknown>>; readonly positionals: readonly string[] } | number;

/** Reads the arguments of a command. Its usage is printed for --help, and told as an error behind what is wrong. Only a usage that names arguments in capitals takes any. */
export function given(argv: readonly string[], print: Print, usage: string, options: Readonly<Record<string, { readonly type: "string" | "boolean"; readonly multiple?: boolean }>>, complain = tellError): Given {
  try {
    const { values, positionals } = parseArgs({ args: [...argv], options: { ...options, help: { type: "boolean" } }, allowPositionals: true });
    if (values["help"] === true) {
      print(usage);
      return exitCode.ok;
    }
    const [first] = positionals;
    if (first === undefined || takesArguments.test(usage)) return { values, positionals };
    complain(`got "${first}", and takes no argument; a configuration is named by --config\n${usage}`);
    return exitCode.usage;
  } catch (error) {
    complain(`${error instanceof Error ? error.message : String(error)}\n${usage}`);
    return exitCode.usage;
  }
}

/** As in "usage: format-adapter replay [NAME...]". */
const takesArguments = /^usage: format-adapter [a-z]+ \[?[A-Z]/;

/** The values of an option that may be given several times, or with commas. */
export function listOf(value: unknown): readonly string[] {
  return (Array.isArray(value) ? value : typeof value === "string" ? [value] : []).flatMap((each) => String(each).split(",")).filter((each) => each !== "");
}

/** What the user gave, or what stands around, cannot be worked with; the message says what to do instead. */
export class CommandFault extends Error {
  readonly exitCode: number;

  constructor(message: string, code: number = exitCode.usage) {
    super(message);
    this.exitCode = code;
  }
}

/** A fault of a report, with the report's name. */
export class ReportFault extends Error {
  constructor(path: string, { line, code, column, message, sample }: ConversionError) {
    super(`${shownName(path)}:${line}: ${code}${column === undefined ? "" : ` in column ${column}`}: ${message}${sample === undefined ? "" : `: ${JSON.stringify(sample)}`}`);
  }
}

/** Runs a command; what is wrong with its arguments or files is told as an error, with the code for wrong usage unless the fault has another. */
export async function guarded(run: () => Promise<number>, complain = tellError): Promise<number> {
  try {
    return await run();
  } catch (error) {
    const isSystem = error instanceof Error && "syscall" in error;
    if (!(error instanceof CommandFault) && !(error instanceof ReportFault) && !isSystem) throw error;
    complain(`${error.message}\n`);
    return error instanceof CommandFault ? error.exitCode : exitCode.usage;
  }
}

/** A name may end with its format, or with one of these. */
const endings: Readonly<Record<string, string>> = { jsonl: "ndjson", yml: "yaml", prom: "prometheus", log: "logfmt", conf: "ini" };

/** The format that the ending of a name tells; "" when it tells none. */
export function formatOfName(path: string): string {
  const ending = /\.([A-Za-z]+)(?:\.(?:gz|zst))?$/.exec(path)?.[1]?.toLowerCase() ?? "";
  return formatsIn.includes(ending) ? ending : Object.hasOwn(endings, ending) ? (endings[ending] ?? "") : "";
}

/** How a report of these settings is read, as `in:` says it; `option` is the one that names another format. Throws CommandFault. */
export function inputOfSettings(settings: Readonly<Record<string, unknown>>, path: string, option = "--format"): InputFormat {
  const problems: Problem[] = [];
  const { node } = readYaml("format", JSON.stringify(settings));
  const input = node === undefined ? undefined : readInput(readNode(node, "", problems));
  if (problems.length === 0 && input !== undefined) return input;
  throw new CommandFault(`cannot tell how to read ${path}: ${problems.map(({ message }) => message).join("; ")}. Name the format by ${option}, or rename the file`);
}
