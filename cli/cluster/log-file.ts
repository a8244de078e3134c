import { copyFileSync, fstatSync, ftruncateSync, writeSync } from "node:fs";
import process from "node:process";
import { isErrno } from "./process-identity.ts";

/** The log of a background control plane takes at most twice this: the file and the one before it. */
export const logFileBytesMax = 8 * 1024 * 1024;

/**
 * A stream for the log of a background control plane, whose standard error already is the file (so that a crash of Node itself is
 * written there too). When the file is full it is copied to "<path>.1" and emptied; only this process appends to it, so nothing is lost.
 * What cannot be written, since the disk is full, is dropped and counted: a log must not end what it tells of.
 */
export function boundedStandardError(path: string): { write(text: string): void } {
  let sinceCheck = 0;
  let dropped = 0;
  const append = (text: string): void => {
    writeSync(process.stderr.fd, text);
    sinceCheck += text.length;
    if (sinceCheck < 65_536) return;
    sinceCheck = 0;
    if (fstatSync(process.stderr.fd).size < logFileBytesMax) return;
    copyFileSync(path, `${path}.1`);
    ftruncateSync(process.stderr.fd, 0);
  };
  return {
    write(text) {
      try {
        if (dropped > 0) append(`${dropped} lines were lost here: the disk was full\n`);
        dropped = 0;
        append(text);
      } catch (error) {
        if (!isErrno(error, "ENOSPC", "EDQUOT")) throw error;
        dropped++;
      }
    },
  };
}

/** For people: "12:01:02 info  agent: Pod is running" out of pino's JSON; a line that is none stays as it is. */
export function readableLine(line: string): string {
  let fields: ReadonlyMap<string, unknown>;
  try {
    const parsed: unknown = JSON.parse(line);
    if (typeof parsed !== "object" || parsed === null) return line;
    fields = new Map(Object.entries(parsed));
  } catch {
    return line;
  }
  const text = (name: string): string => (typeof fields.get(name) === "string" ? String(fields.get(name)) : "");
  const rest = [...fields].filter(([name]) => !["time", "level", "role", "msg", "pid", "hostname"].includes(name)).map(([name, value]) => `${name}=${typeof value === "string" ? value : shownError(value)}`);
  return `${text("time").slice(11, 19)} ${text("level").padEnd(5)} ${text("msg")}${rest.length === 0 ? "" : `  ${rest.join(" ")}`}`;
}

function shownError(value: unknown): string {
  if (typeof value === "object" && value !== null && "stack" in value && typeof value.stack === "string") return value.stack;
  return JSON.stringify(value);
}
