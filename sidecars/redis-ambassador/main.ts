import { exitCode } from "../../kit/exit-code.ts";
import { runRole } from "../../kit/process.ts";
import { addAdminRoutes } from "./see/admin-routes.ts";
import { startAmbassador } from "./ambassador.ts";
import { spec } from "./config.ts";
import { explainCommand } from "./see/explain-command.ts";
import { ListenError } from "./listener/listen.ts";
import { registerMetrics } from "./see/metrics.ts";
import { TlsFileError } from "./listener/tls-files.ts";

runRole({
  role: "redis-ambassador",
  spec,
  commands: { explain: explainCommand },
  async run(context) {
    const { config, log, clock, random } = context;
    const ambassador = await startAmbassador({ config, log, clock, random, version: context.version }).catch((error: unknown) => {
      if (!(error instanceof ListenError || error instanceof TlsFileError)) throw error;
      log.error({ error: error.message }, "Cannot start");
      return undefined;
    });
    if (ambassador === undefined) return exitCode.config;
    registerMetrics(context.metrics, ambassador.hub, ambassador.fenceWaits);
    addAdminRoutes(context.admin, ambassador.hub);
    context.admin.addReadinessCheck("primary", ambassador.notReady);
    context.reload(async (changed) => await ambassador.reconfigure(changed));
    log.info({ listen: `${config.listen.address.host}:${ambassador.port}`, socketPath: config.listen.socketPath, consistency: config.reads.consistency, policy: config.reads.policy }, "Listening");
    await aborted(context.stopAccepting);
    const drained = ambassador.drain().then(() => true);
    await Promise.race([drained, aborted(context.giveUp)]);
    await ambassador.stop();
    return exitCode.ok;
  },
});

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
