import type { ConfigOf } from "../../../kit/config/schema.ts";
import type { RoleContext } from "../../../kit/process.ts";
import { watchDirectories } from "../../../kit/watch-directories.ts";
import { Forwarder } from "./forwarder.ts";
import { openRecordsFolder } from "./records-file.ts";
import { startDnsServer } from "./server.ts";
import type { dnsSpec } from "./spec.ts";

/** Answers until told to stop; the control plane is needed for changes alone. */
export async function run(context: RoleContext<ConfigOf<typeof dnsSpec>>): Promise<void> {
  const { config, log, metrics, clock, stopAccepting } = context;
  const queries = metrics.counter({ name: "podkit_dns_queries_total", help: "Questions by transport, source of the answer and response code", labels: ["transport", "source", "code"] });
  const folder = openRecordsFolder({ directory: config.directory, log });
  const forwarder = new Forwarder({ timeoutMs: config.forward.timeoutMs, inFlightMax: config.forward.inFlightMax });
  metrics.gauge({ name: "podkit_dns_names", help: "Names of the cluster that are answered" }).collect(() => [{ value: folder.zone?.names.size ?? 0 }]);
  metrics.gauge({ name: "podkit_dns_forward_in_flight", help: "Questions waiting for upstream resolvers" }).collect(() => [{ value: forwarder.inFlight }]);
  context.admin.addReadinessCheck("records", () => (folder.zone === undefined ? (folder.problem ?? "no records read yet") : undefined));

  const reload = async (): Promise<void> => {
    await folder.reload();
    forwarder.use(folder.upstreams);
  };
  await reload();
  const server = await startDnsServer({
    host: config.listen.host, port: config.listen.port, domain: config.domain, zone: () => folder.zone, forwarder, log,
    onQuery: ({ transport, source, code }) => queries.inc({ transport, source, code: String(code) }),
  });
  log.info({ port: server.port, domain: config.domain, names: folder.zone?.names.size ?? 0, upstreams: folder.upstreams }, "Answering");
  const watcher = watchDirectories({ signal: stopAccepting, log, onWake: () => void reload() });
  watcher.add(config.directory);
  while (!stopAccepting.aborted) {
    await clock.sleep(config.rescanMs, stopAccepting).catch(() => undefined); // the abort ends the loop
    await reload();
  }
  await watcher.close();
  await server.close();
}
