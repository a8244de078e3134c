// pure
import { ContainerLine } from "./encode/container-line.ts";
import { decodeText, type Encoding } from "./encode/encoding.ts";
import { MultiLine, OpenRecord } from "./encode/multi-line.ts";
import { presetNames, type PresetName } from "./encode/multi-line-presets.ts";
import { MsgpackWriter } from "./forward-protocol/msgpack-writer.ts";
import { encodingSeen } from "./parse/encoding-seen.ts";
import type { LineConfig } from "./sources/line-config.ts";

const linesMax = 1_000;

/** Settings that would suit the beginning of a file better, by the look of it, in words for people. */
export function settingHints(source: LineConfig, bytes: Buffer, encoding: Encoding): readonly string[] {
  const seen = encodingSeen(bytes);
  const looks = /^UTF-16(LE|BE)/.exec(seen)?.[1]?.toLowerCase();
  if (looks !== undefined && encoding !== `utf-16${looks}`) return [`it looks like UTF-16 and is read as ${encoding}: set encoding: utf-16${looks}`];
  if (encoding === "utf-8" && seen.startsWith("not UTF-8")) return ["it is not UTF-8: if it is Latin-1, set encoding: latin1"];
  const lines = decodeText(encoding, bytes, 0, bytes.length).split(/\r?\n/).slice(0, linesMax);
  const container = containerOf(lines[0] ?? "");
  if (source.container === "none" && container !== undefined) return [`its lines look like those of a container runtime: set container: ${container}`];
  if (source.container !== "none" || source.multiline !== undefined) return [];
  const traces = presetNames.filter((name) => hasTrace(name, lines));
  return traces.length === 0 ? [] : [`it has stack traces, which become a record for each line: set multiline: { presets: [${traces.join(", ")}] }`];
}

function containerOf(line: string): "cri" | "docker" | undefined {
  const bytes = Buffer.from(line);
  for (const format of ["cri", "docker"] as const) if (new ContainerLine(format, new MsgpackWriter(64)).read(bytes, 0, bytes.length)) return format;
  return undefined;
}

/** Whether three lines follow each other that the preset makes one record of. */
function hasTrace(preset: PresetName, lines: readonly string[]): boolean {
  const multiLine = new MultiLine({ start: undefined, continue: undefined, presets: [preset] });
  const open = new OpenRecord();
  let following = 0;
  for (const line of lines) {
    const bytes = Buffer.from(line);
    following = multiLine.place(open, bytes, 0, bytes.length) === "continue" && line !== "" ? following + 1 : 0;
    if (following === 2) return true;
  }
  return false;
}
