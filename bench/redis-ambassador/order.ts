// pure
import { cases, type Case } from "./cases.ts";

/** What the load generator is to do. `pid`: the process whose processor time is measured. */
export type Order = { readonly spec: Case; readonly port: number; readonly connections: number; readonly warmUpMs: number; readonly windowMs: number; readonly pid: number | undefined };
/** p50 and p99 are of the time from sending a batch to its last reply. */
export type Result = { readonly opsPerSecond: number; readonly p50Ms: number; readonly p99Ms: number; readonly cpuMicrosPerOp: number | undefined };

export function formatOrder({ spec, port, connections, warmUpMs, windowMs, pid }: Order): string {
  return [spec.id, port, connections, warmUpMs, windowMs, pid ?? 0].join(" ");
}

export function parseOrder(line: string): Order {
  const [id, ...numbers] = line.split(" "), [port = 0, connections = 0, warmUpMs = 0, windowMs = 0, pid = 0] = numbers.map(Number);
  const spec = cases.find((each) => each.id === id);
  if (spec === undefined) throw new Error(`There is no case ${id ?? ""}`);
  return { spec, port, connections, warmUpMs, windowMs, pid: pid === 0 ? undefined : pid };
}

export function formatResult({ opsPerSecond, p50Ms, p99Ms, cpuMicrosPerOp }: Result): string {
  return [opsPerSecond, p50Ms, p99Ms, cpuMicrosPerOp ?? Number.NaN].join(" ");
}

/** A line that is no result is an error's text. */
export function parseResult(line: string): Result | string {
  const [opsPerSecond = Number.NaN, p50Ms = Number.NaN, p99Ms = Number.NaN, cpu = Number.NaN] = line.split(" ").map(Number);
  if (Number.isNaN(opsPerSecond)) return line;
  return { opsPerSecond, p50Ms, p99Ms, cpuMicrosPerOp: Number.isNaN(cpu) ? undefined : cpu };
}
