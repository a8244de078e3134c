import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { exitCode } from "../../../kit/exit-code.ts";
import type { CommandContext } from "../../../kit/process.ts";
import type { Config } from "../config.ts";
import { ConversionError } from "../conversion-error.ts";
import { detectMapping } from "../detect.ts";
import { runExamples } from "../examples.ts";
import { given } from "./command-line.ts";
import { explainMapping, fieldPaths } from "./explain-mapping.ts";
import { reverseMapping } from "./reverse-mapping.ts";
import { watchHints } from "../watch/watch-hints.ts";

/** What each command says of itself. */
export const usages = {
  test: "usage: format-adapter test [--config FILE]\nRuns the examples of all mappings.\nExit code 0: they hold; 78: one does not.\n",
  lint: "usage: format-adapter lint [--reverse] [--config FILE]\nTells what is allowed and may surprise, and which fields cannot be undone;\n--reverse prints the mappings back where all can.\n",
  explain: "usage: format-adapter explain [--sample REPORT] [--mapping NAME] [--config FILE]\nTells how each field is made, and at what cost; with a report, what its first\nrecord goes through.\n",
} as const;

/** `test`: runs the examples of all mappings. */
export function testExamples({ config, argv, print }: CommandContext<Config>): Promise<number> {
  const args = given(argv, print, usages.test, {});
  if (typeof args === "number") return Promise.resolve(args);
  const mappings = config.adapters.flatMap((adapter) => adapter.mappings);
  const failures = runExamples(mappings);
  for (const { mapping, origin, message } of failures) print(`${origin}: ${mapping}: ${message}\n`);
  print(`${mappings.reduce((sum, mapping) => sum + mapping.examples.length, 0)} examples, ${failures.length} do not hold\n`);
  return Promise.resolve(failures.length === 0 ? exitCode.ok : exitCode.config);
}

/** `lint`: the configuration was read without a problem; tells what may surprise, and what cannot be undone. */
export function lint({ config, argv, print }: CommandContext<Config>): Promise<number> {
  const args = given(argv, print, usages.lint, { reverse: { type: "boolean" } });
  if (typeof args === "number") return Promise.resolve(args);
  for (const adapter of config.adapters) {
    for (const hint of watchHints(adapter)) print(`${adapter.name}: ${hint}\n`);
    for (const mapping of adapter.mappings) {
      const say = (text: string): void => print(`${adapter.name}: ${mapping.name}: ${text}\n`);
      if (mapping.examples.length === 0) say("has no examples; nothing gates its readiness");
      if (!mapping.input.strict) say("strict is false; new columns go unnoticed");
      const slow = fieldPaths(mapping).filter(({ path }) => path === "slow").map(({ field }) => field.name);
      if (slow.length > 0) say(`made record by record, which is slower: ${slow.join(", ")}; explain tells more`);
      const reverse = reverseMapping(mapping);
      if (reverse.kind === "lossy") for (const { field, reason } of reverse.reasons) say(`cannot be undone: ${field}: ${reason}`);
      else if (args.values["reverse"] === true) print(`# ${mapping.name}, backwards\n${reverse.yaml}`);
      else say("every field can be undone; lint --reverse prints the mapping back");
    }
  }
  print(`${config.adapters.length} adapters, ${config.adapters.reduce((sum, adapter) => sum + adapter.mappings.length, 0)} mappings\n`);
  return Promise.resolve(exitCode.ok);
}

/** `explain`: how each field is made. */
export async function explain({ config, argv, print }: CommandContext<Config>): Promise<number> {
  const args = given(argv, print, usages.explain, { sample: { type: "string" }, mapping: { type: "string" } });
  if (typeof args === "number") return args;
  const { sample: path, mapping: wanted } = args.values;
  const sample = typeof path === "string" ? await readFile(path) : undefined;
  let shown = 0;
  for (const adapter of config.adapters) {
    const bySample = sample === undefined || typeof path !== "string" ? undefined : await detectMapping(adapter, basename(path), sourceOf(sample)).then((found) => found.mapping.name, (error: unknown) => {
      if (!(error instanceof ConversionError)) throw error;
      print(`${adapter.name}: ${error.code}: ${error.message}\n`);
      return "";
    });
    for (const mapping of adapter.mappings) {
      if ((typeof wanted === "string" && mapping.name !== wanted) || (bySample !== undefined && wanted === undefined && mapping.name !== bySample)) continue;
      print(explainMapping(mapping, sample));
      shown++;
    }
  }
  if (shown === 0) print(`no mapping to explain; there are ${config.adapters.flatMap((adapter) => adapter.mappings.map((mapping) => mapping.name)).join(", ")}\n`);
  return shown === 0 ? exitCode.usage : exitCode.ok;
}

function sourceOf(bytes: Buffer): { read(room: Buffer): Promise<number> } {
  let at = 0;
  return {
    read(room) {
      const count = bytes.copy(room, 0, at);
      at += count;
      return Promise.resolve(count);
    },
  };
}
