import { basename } from "node:path";
import { exitCode } from "../../../kit/exit-code.ts";
import type { CommandContext } from "../../../kit/process.ts";
import type { Config } from "../config.ts";
import { ConversionError } from "../conversion-error.ts";
import { detectMapping } from "../detect/detect-mapping.ts";
import { runExamples } from "../examples.ts";
import { sourceOf } from "../formats/compression.ts";
import { withReport } from "./open-report.ts";
import { given, guarded, ReportFault, tellError } from "./command-line.ts";
import { explainMapping, fieldPaths } from "./explain-mapping.ts";
import { reverseMapping } from "./reverse-mapping.ts";
import { shownName } from "./terminal.ts";
import { watchHints } from "../watch/watch-hints.ts";

const testUsage = `usage: format-adapter test [--config FILE]
Runs the examples of all mappings, as every start and reload does.
Exit code 0: they hold; 78: one does not.
`;
const lintUsage = `usage: format-adapter lint [--reverse] [--config FILE]
Reads the configuration and tells what is allowed and may surprise, and which
fields cannot be undone. --reverse prints the mappings back where all can, to be
put into a configuration, and tells all else on stderr.
Exit code 0: the configuration is right; 78: it is not.
`;
const explainUsage = `usage: format-adapter explain [--sample REPORT] [--mapping NAME] [--config FILE]
Tells how each field is made, and at what cost; with a report, which mapping is
for it and what its first record goes through.
Exit code 0; 64: there is no such mapping or report; 75: the report, or its
first record, would be refused.
`;

/** What each command of this file says of itself. */
export const usages = { test: testUsage, lint: lintUsage, explain: explainUsage } as const;

export function countText(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}

/** `test`: runs the examples of all mappings. */
export function testExamples({ config, argv, print }: CommandContext<Config>): Promise<number> {
  const args = given(argv, print, testUsage, {});
  if (typeof args === "number") return Promise.resolve(args);
  const mappings = config.adapters.flatMap((adapter) => adapter.mappings);
  const failures = runExamples(mappings);
  for (const { mapping, origin, message } of failures) print(`${origin}: ${mapping}: ${message}\n`);
  for (const mapping of mappings) if (mapping.examples.length === 0) print(`${mapping.name} has no examples\n`);
  const count = mappings.reduce((sum, mapping) => sum + mapping.examples.length, 0);
  print(`${countText(count, "example")}: ${count - failures.length} hold, ${failures.length} not\n`);
  return Promise.resolve(failures.length === 0 ? exitCode.ok : exitCode.config);
}

/** `lint`: the configuration was read without a problem; tells what may surprise, and what cannot be undone. */
export function lint({ config, argv, print }: CommandContext<Config>, complain = tellError): Promise<number> {
  const args = given(argv, print, lintUsage, { reverse: { type: "boolean" } });
  if (typeof args === "number") return Promise.resolve(args);
  const isReversed = args.values["reverse"] === true;
  const tell = isReversed ? complain : print;
  const backwards: string[] = [];
  for (const adapter of config.adapters) {
    for (const hint of watchHints(adapter)) tell(`${adapter.name}: ${hint}\n`);
    for (const mapping of adapter.mappings) {
      const say = (text: string): void => tell(`${adapter.name}: ${mapping.name}: ${text}\n`);
      if (mapping.examples.length === 0) say("has no examples; nothing gates its readiness");
      if (!mapping.input.strict) say("strict is false; new columns go unnoticed");
      const slow = fieldPaths(mapping).filter(({ path }) => path === "slow").map(({ field }) => field.name);
      if (slow.length > 0) say(`made record by record, which is slower (see explain): ${slow.join(", ")}`);
      const reverse = reverseMapping(mapping);
      if (reverse.kind === "lossy") for (const [reason, fields] of Map.groupBy(reverse.reasons, (each) => each.reason)) say(`cannot be undone: ${fields.map(({ field }) => field).join(", ")}: ${reason}`);
      else if (isReversed) backwards.push(`  ${JSON.stringify(`${mapping.name}-backwards`)}:\n${reverse.yaml.replaceAll(/^(?=.)/gm, "    ")}`);
      else say("every field can be undone; lint --reverse prints the mapping back");
    }
  }
  if (backwards.length > 0) print(`mappings:\n${backwards.join("")}`);
  tell(`The configuration is right: ${countText(config.adapters.length, "adapter")}, ${countText(config.adapters.reduce((sum, adapter) => sum + adapter.mappings.length, 0), "mapping")}\n`);
  return Promise.resolve(exitCode.ok);
}

/** `explain`: how each field is made. */
export async function explain(context: CommandContext<Config>): Promise<number> {
  return await guarded(async () => await explainMappings(context));
}

async function explainMappings({ config, argv, print }: CommandContext<Config>): Promise<number> {
  const args = given(argv, print, explainUsage, { sample: { type: "string" }, mapping: { type: "string" } });
  if (typeof args === "number") return args;
  const { sample: path, mapping: wanted } = args.values;
  const sample = typeof path === "string" ? await readStart(path) : undefined;
  let shown = 0;
  let refused = 0;
  let taken = 0;
  for (const adapter of config.adapters) {
    const bySample = sample === undefined || typeof path !== "string" || typeof wanted === "string" ? undefined : await detectMapping(adapter, basename(path), sourceOf(sample)).then((found) => found.mapping.name, (error: unknown) => {
      if (!(error instanceof ConversionError)) throw error;
      print(`${adapter.name}: ${shownName(path)}:${error.line}: ${error.code}: ${error.message}\n`);
      refused++;
      return "";
    });
    for (const mapping of adapter.mappings) {
      if ((typeof wanted === "string" && mapping.name !== wanted) || (bySample !== undefined && mapping.name !== bySample)) continue;
      const { text, isRefused } = explainMapping(mapping, sample);
      print(text);
      shown++;
      if (isRefused) refused++;
      else taken++;
    }
  }
  if (shown === 0 && refused === 0) tellError(`no mapping has the name "${String(wanted)}"; there are ${config.adapters.flatMap((adapter) => adapter.mappings.map((mapping) => mapping.name)).join(", ")}\n`);
  // Another adapter's reports may not be for this one.
  return refused > 0 && taken === 0 ? exitCode.retry : shown === 0 ? exitCode.usage : exitCode.ok;
}

/** The first record is in it, unless it is larger than any may be. */
const sampleBytesMax = 33_554_432;

/** The beginning of a report, unpacked. */
async function readStart(path: string): Promise<Buffer> {
  try {
    return await withReport(path, async (source) => {
      const blocks: Buffer[] = [];
      let length = 0;
      for (let count = 1; count > 0 && length < sampleBytesMax; length += count) {
        const block = Buffer.alloc(262_144);
        count = await source.read(block);
        blocks.push(block.subarray(0, count));
      }
      return Buffer.concat(blocks);
    });
  } catch (error) {
    throw error instanceof ConversionError ? new ReportFault(path, error) : error;
  }
}
