import { runRole } from "../../../kit/process.ts";
import { adminSpec, logSpec, shutdownSpec } from "../../../kit/process-spec.ts";
import { durationMs, object, string } from "../../../kit/config/schema.ts";
import { readdir, readFile, unlink } from "node:fs/promises";
import { join } from "node:path";
import { checkOldReport } from "./old-report.ts";

/**
 * A consumer that was never upgraded: it reads reports in the old format, as fast as it can, checks every byte of their form, and takes
 * each away when it has read it. One that is half-written or in the new format would be counted as wrong.
 */
const spec = object({
  admin: adminSpec,
  log: logSpec,
  shutdown: shutdownSpec,
  directory: string({ doc: "where the old reports appear", default: "/legacy" }),
  pollMs: durationMs({ doc: "between looks", default: 50, min: 1 }),
});

runRole({
  role: "demo-report-reader",
  spec,
  async run({ config, log, metrics, clock, stopAccepting }) {
    const reports = metrics.counter({ name: "podkit_demo_report_reader_reports_total", help: "Old-format reports read.", labels: ["result"] });
    const rows = metrics.counter({ name: "podkit_demo_report_reader_rows_total", help: "Rows of good reports." });
    while (!stopAccepting.aborted) {
      for (const name of (await readdir(config.directory)).filter((entry) => entry.endsWith(".csv"))) {
        const path = join(config.directory, name);
        const checked = checkOldReport(name, await readFile(path, "utf8"));
        if (checked.kind === "rows") {
          reports.inc({ result: "good" });
          rows.inc(undefined, checked.rows);
          log.info({ name, rows: checked.rows }, "Read an old report");
        } else {
          reports.inc({ result: "wrong" });
          log.error({ name, reason: checked.reason }, "This report is not in the old format");
        }
        await unlink(path);
      }
      await clock.sleep(config.pollMs, stopAccepting).catch(() => undefined);
    }
  },
});
