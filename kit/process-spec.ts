// pure
import { logLevelNames } from "./log-levels.ts";
import { address, boolean, choice, durationMs, object } from "./config/schema.ts";

/** The settings every role has; each role's configuration includes them under these names: object({ admin: adminSpec, log: logSpec, shutdown: shutdownSpec, … }). */
export const adminSpec = object(
  {
    address: address({ doc: "where the admin server listens; anything but loopback serves probes and metrics only", default: "127.0.0.1:9901", env: "PODKIT_ADMIN_ADDR" }),
    quit: boolean({ doc: "serve POST /quitquitquit to the Pod's own containers", default: false }),
  },
  { doc: "the admin server" },
);

export const logSpec = object({ level: choice(logLevelNames, { doc: "least severe diagnostics to write", default: "info" }) }, { doc: "the role's own diagnostics" });

export const shutdownSpec = object(
  { graceMs: durationMs({ doc: "the Pod's terminationGracePeriodSeconds; work is given up 2 s before it ends", default: 30_000, min: 1_000, env: "PODKIT_GRACE" }) },
  { doc: "ending the process" },
);

export type CommonConfig = {
  readonly admin: { readonly address: { readonly host: string; readonly port: number }; readonly quit: boolean };
  readonly log: { readonly level: string };
  readonly shutdown: { readonly graceMs: number };
};
