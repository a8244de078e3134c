// pure
import { compileDateFormat, compileDateParse } from "../../mapping/date-pattern.ts";
import type { Moment } from "../../mapping/timestamp.ts";
import { yaml, type Column, type Guess } from "./columns.ts";

const patterns = [
  "rfc3339", "unix", "unix-ms", "yyyy-MM-dd", "yyyy-MM-dd HH:mm:ss", "yyyy-MM-dd HH:mm", "yyyy-MM-dd'T'HH:mm:ss", "yyyy-MM-dd'T'HH:mm", "yyyy-MM-dd HH:mm:ss.SSS", "yyyy-MM-dd'T'HH:mm:ss.SSS", "yyyy-MM-dd'T'HH:mm:ss.SSSXXX", "yyyy-MM-dd'T'HH:mm:ssXXX",
  "dd/MM/yyyy HH:mm:ss", "dd/MM/yyyy HH:mm", "dd/MM/yyyy", "MM/dd/yyyy HH:mm:ss", "MM/dd/yyyy HH:mm", "MM/dd/yyyy", "MM/dd/yyyy hh:mm a", "M/d/yyyy", "M/d/yyyy h:mm a", "yyyy/MM/dd", "yyyy/MM/dd HH:mm:ss",
  "dd.MM.yyyy HH:mm:ss", "dd.MM.yyyy HH:mm", "dd.MM.yyyy", "d.M.yyyy", "dd-MM-yyyy", "dd-MM-yyyy HH:mm:ss", "yyyyMMdd", "yyyyMMddHHmmss", "yyyyMMdd'T'HHmmss'Z'", "yyyyMMdd HHmmss", "d MMM yyyy", "dd MMM yyyy", "dd-MMM-yyyy", "dd MMM yyyy HH:mm:ss", "d MMM yyyy hh:mm a", "MMM d yyyy",
] as const;
/** Written, but not read: a part of the time. */
const partsWritten = ["HH:mm", "HH:mm:ss", "hh:mm a", "yyyy-MM", "yyyyMM", "MM/yyyy", "yyyy"] as const;

/** Tried before all others, which are as good when they fit. */
const zonesFirst = [
  "Europe/Berlin", "Europe/London", "Europe/Paris", "Europe/Madrid", "Europe/Rome", "Europe/Helsinki", "Europe/Istanbul", "Europe/Moscow", "America/New_York", "America/Chicago", "America/Denver", "America/Los_Angeles", "America/Sao_Paulo",
  "Asia/Kolkata", "Asia/Shanghai", "Asia/Tokyo", "Asia/Singapore", "Asia/Dubai", "Australia/Sydney", "Pacific/Auckland",
] as const;

type Moments = readonly (Moment | undefined)[];
/** Whether the values of a column, read in one zone, are what is wanted when they are written in another. */
type Clocks = { readonly inZone: string; readonly zone: string };

/** A time, written in another way or as other clocks show it. `zones`: all that the runtime knows. */
export function guessDate(wanted: readonly string[], columns: readonly Column[], zones: readonly string[]): Guess | undefined {
  if (wanted.every((value) => value === "") || !wanted.every((value) => value === "" || /\d/.test(value))) return undefined;
  for (const { name, values } of columns) {
    if (values.some((value, row) => (value === "") !== (wanted[row] === ""))) continue;
    for (const input of patterns) {
      const moments = momentsOf(values, input, "UTC");
      if (moments === undefined) continue;
      for (const output of [...patterns, ...partsWritten]) {
        const found = clocksFor({ wanted, values, moments, input, output, zones });
        if (found === undefined) continue;
        const { clocks: { inZone, zone }, others } = found;
        const settings = [...(input === "rfc3339" ? [] : [`in: ${pattern(input)}`]), ...(inZone === "UTC" ? [] : [`inZone: ${inZone}`]), ...(output === "rfc3339" && input !== "rfc3339" ? [] : [`out: ${pattern(output)}`]), ...(zone === "UTC" ? [] : [`zone: ${zone}`])];
        return { source: `{from: ${yaml(name)}, date: {${settings.join(", ")}}}`, ...(others === 0 ? {} : { note: `${others} other zones fit these times too` }) };
      }
    }
  }
  return undefined;
}

function pattern(text: string): string {
  return /^[a-z0-9-]+$/i.test(text) ? text : JSON.stringify(text);
}

function momentsOf(values: readonly string[], input: string, zone: string): Moments | undefined {
  const parsed = compileDateParse({ pattern: input, zone, overlap: "earlier", gap: "error" });
  if (parsed.kind === "wrong") return undefined;
  const moments: (Moment | undefined)[] = [];
  for (const value of values) {
    const moment = value === "" ? undefined : parsed.parse(value);
    if (value !== "" && moment === undefined) return undefined;
    moments.push(moment);
  }
  return moments;
}

function gives(wanted: readonly string[], moments: Moments, output: string, zone: string): boolean {
  const formatted = compileDateFormat(output, zone);
  return formatted.kind === "ok" && wanted.every((text, row) => {
    const moment = moments[row];
    return (moment === undefined ? "" : formatted.format(moment)) === text;
  });
}

/** How much of a time a pattern may leave out. */
function resolutionMs(output: string): number {
  if (output === "rfc3339" || output.startsWith("unix") || output.includes("SSS")) return 0;
  return output.includes("ss") ? 1_000 : output.includes("mm") ? 60_000 : 86_400_000;
}

type Trial = { readonly wanted: readonly string[]; readonly values: readonly string[]; readonly moments: Moments; readonly input: string; readonly output: string; readonly zones: readonly string[] };
const quarterMs = 900_000;
const offsetMaxMs = 15 * 3_600_000;

function clocksFor({ wanted, values, moments, input, output, zones }: Trial): { readonly clocks: Clocks; readonly others: number } | undefined {
  if (gives(wanted, moments, output, "UTC")) return { clocks: { inZone: "UTC", zone: "UTC" }, others: 0 };
  // Other clocks show the same time some quarters of an hour away; anything else is no time of theirs.
  const written = momentsOf(wanted, output, "UTC");
  const resolution = resolutionMs(output);
  const isShifted = written?.every((moment, row) => {
    const [one, other] = [moment?.epochMs, moments[row]?.epochMs];
    const shift = one === undefined || other === undefined ? 0 : one - other;
    const beside = ((shift % quarterMs) + quarterMs) % quarterMs;
    return Math.abs(shift) <= offsetMaxMs + resolution && Math.min(beside, quarterMs - beside) <= resolution;
  });
  if (isShifted !== true) return undefined;
  const ordered = [...zonesFirst, ...zones.filter((zone) => !zonesFirst.some((first) => first === zone))];
  const fitting: Clocks[] = [];
  for (const zone of ordered) {
    if (gives(wanted, moments, output, zone)) fitting.push({ inZone: "UTC", zone });
    else {
      const there = input === "rfc3339" || input.startsWith("unix") || input.includes("XXX") ? undefined : momentsOf(values, input, zone);
      if (there !== undefined && gives(wanted, there, output, "UTC")) fitting.push({ inZone: zone, zone: "UTC" });
    }
  }
  const [first] = fitting;
  return first === undefined ? undefined : { clocks: first, others: fitting.length - 1 };
}
