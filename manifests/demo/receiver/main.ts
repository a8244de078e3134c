import { runRole } from "../../../kit/process.ts";
import { adminSpec, logSpec, shutdownSpec } from "../../../kit/process-spec.ts";
import { integer, object, string } from "../../../kit/config/schema.ts";
import { FluentServer } from "@fluent-org/logger";
import { createLedger } from "./ledger.ts";

/**
 * The demo's central log service: the Forward server of npm @fluent-org/logger, written by others, which acknowledges chunks. It counts what
 * arrives, and for numbered records (fields run and seq) how many are distinct, repeated and missing.
 */
const spec = object({
  admin: adminSpec,
  log: logSpec,
  shutdown: shutdownSpec,
  host: string({ doc: "where to listen", default: "0.0.0.0" }),
  port: integer({ doc: "where to listen", default: 24224, min: 0, max: 65_535 }),
  reportSeconds: integer({ doc: "seconds between the lines that tell the counts", default: 5, min: 1 }),
});

runRole({
  role: "demo-receiver",
  spec,
  async run({ config, log, metrics, clock, stopAccepting, admin }) {
    const ledger = createLedger();
    const records = metrics.counter({ name: "podkit_demo_receiver_records_total", help: "Records received, repeats included.", labels: ["tag"] });
    for (const kind of ["distinct", "repeated", "missing"] as const) {
      metrics.gauge({ name: `podkit_demo_receiver_lines_${kind}`, help: `Numbered log lines that are ${kind}.` }).collect(() => [{ value: ledger.totals()[kind] }]);
    }
    const server = new FluentServer({ listenOptions: { host: config.host, port: config.port } });
    server.on("entry", (tag: string, _time: unknown, record: unknown) => {
      records.inc({ tag });
      const numbered = parseNumbered(record);
      if (numbered !== undefined) ledger.add(numbered.run, numbered.seq);
    });
    await server.listen();
    let listening = true;
    admin.addReadinessCheck("listening", () => (listening ? undefined : "not listening"));
    log.info({ port: server.port }, "Receiving");
    let told = "";
    while (!stopAccepting.aborted) {
      await clock.sleep(1000 * config.reportSeconds, stopAccepting).catch(() => undefined);
      const totals = ledger.totals();
      if (JSON.stringify(totals) !== told) log.info(totals, "Log lines so far");
      told = JSON.stringify(totals);
    }
    listening = false;
    await server.close();
  },
});

/** The run and number of a record: its own fields, or those of a JSON line in its field `log` or `message`. */
function parseNumbered(record: unknown): { readonly run: string; readonly seq: number } | undefined {
  if (typeof record !== "object" || record === null) return undefined;
  const fields = record as Readonly<Record<string, unknown>>;
  if (typeof fields["run"] === "string" && typeof fields["seq"] === "number") return { run: fields["run"], seq: fields["seq"] };
  for (const name of ["log", "message"]) {
    const text = fields[name];
    if (typeof text !== "string" || !text.startsWith("{")) continue;
    try {
      return parseNumbered({ ...(JSON.parse(text) as object), log: undefined, message: undefined });
    } catch {
      return undefined; // a line that only looks like JSON carries no number
    }
  }
  return undefined;
}
