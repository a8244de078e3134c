import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import type { ApiObject } from "../orchestrator/api/types/meta.ts";
import type { CommandContext } from "./command.ts";
import { cliExit } from "./exit-codes.ts";
import { CliFailure, messageOf, usageFailure } from "./failure.ts";
import { plural } from "./print/text.ts";

type Source = { readonly name: string; readonly text: string };

const manifestName = /\.(?:ya?ml|json)$/;
/** No sane manifest is larger; a wrong file named by accident is not read whole. */
const fileBytesMax = 16 * 1024 * 1024;

/** Reads every -f: files, folders (their *.yaml, *.yml and *.json, not deeper, by name) and - for standard input; then checks all of it at once. */
export async function readManifestFiles(context: CommandContext): Promise<readonly ApiObject[]> {
  const names = context.arguments.texts("filename");
  if (names.length === 0) throw usageFailure("No manifest is given", "name one with -f FILE, a folder with -f FOLDER, or standard input with -f -");
  if (names.filter((name) => name === "-").length > 1) throw usageFailure("Standard input can be read only once: -f - is given more than once");
  const sources: Source[] = [];
  for (const name of names) sources.push(...(name === "-" ? [{ name: "stdin", text: await text(context.stdin) }] : await readPlace(name)));
  const { readManifests } = await import("../orchestrator/api/manifest/read-manifests.ts");
  const read = readManifests(sources, { defaultNamespace: context.arguments.text("namespace") ?? "default" });
  if (read.kind === "invalid") {
    throw new CliFailure(cliExit.config, `${plural(read.problems.length, "problem")} in the manifests; nothing was started`, {
      details: read.problems.map((problem) => `${problem.file}:${problem.line}:${problem.column}: ${problem.object === undefined ? "" : `${problem.object} `}${problem.path === "" ? "" : `${problem.path}: `}${problem.message}`),
    });
  }
  if (read.objects.length === 0) throw new CliFailure(cliExit.config, `No object is in ${names.map((name) => (name === "-" ? "standard input" : name)).join(", ")}`, { remedy: "a manifest has apiVersion, kind and metadata.name" });
  return read.objects;
}

async function readPlace(name: string): Promise<readonly Source[]> {
  try {
    const place = await stat(name);
    if (!place.isDirectory()) return [await readOne(name, place.size)];
    const files = (await readdir(name)).filter((file) => manifestName.test(file)).toSorted();
    if (files.length === 0) throw usageFailure(`No manifest is in the folder ${name}: it holds no *.yaml, *.yml or *.json`);
    return await Promise.all(files.map(async (file) => await readOne(join(name, file), (await stat(join(name, file))).size)));
  } catch (error) {
    if (error instanceof CliFailure) throw error;
    throw new CliFailure(cliExit.usage, `Cannot read the manifest ${name}: ${messageOf(error)}`, { cause: error });
  }
}

async function readOne(name: string, bytes: number): Promise<Source> {
  if (bytes > fileBytesMax) throw usageFailure(`Cannot read the manifest ${name}: it has ${bytes} bytes, at most ${fileBytesMax} are read`);
  return { name, text: await readFile(name, "utf8") };
}
