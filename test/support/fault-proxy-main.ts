// The fault proxy as a container: FAULT_PROXY_PLAN holds its options as JSON. Prints "Listening" and then its trace, one JSON object per line.
import { startFaultProxy, type FaultProxyOptions } from "./fault-proxy.ts";

const text = process.env["FAULT_PROXY_PLAN"] ?? "{}";
process.once("SIGTERM", () => process.exit(0));
startFaultProxy({ ...planOf(JSON.parse(text)), onTrace: (entry) => console.log(JSON.stringify(entry)) }).then(
  (proxy) => console.log(`Listening on ${proxy.host}:${proxy.port} with seed ${proxy.seed}`),
  (error: unknown) => { console.error(error); process.exitCode = 78; },
);

/** Rules are taken as they are: the plan is written by a test whose rules have the type. */
function planOf(value: unknown): FaultProxyOptions {
  if (!isPlan(value)) throw new Error(`Cannot use FAULT_PROXY_PLAN=${text}: expected {"upstream": {"host": …, "port": …}, "listen": …, "rules": […]}`);
  return value;
}

function isPlan(value: unknown): value is FaultProxyOptions {
  return typeof value === "object" && value !== null && "upstream" in value && typeof value.upstream === "object" && value.upstream !== null && "host" in value.upstream && "port" in value.upstream;
}
