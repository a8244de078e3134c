// pure
import { address, durationMs, integer, object, string } from "../../../kit/config/schema.ts";
import { adminSpec, logSpec, shutdownSpec } from "../../../kit/process-spec.ts";

/** Settings of the DNS server. */
export const dnsSpec = object({
  admin: adminSpec,
  log: logSpec,
  shutdown: shutdownSpec,
  listen: address({ doc: "where questions are answered, with UDP and TCP", default: "0.0.0.0:53" }),
  domain: string({ doc: "the cluster's domain", default: "cluster.local" }),
  directory: string({ doc: "folder with records.json and upstreams.json, both replaced as a whole by the control plane", default: "/etc/podkit-dns" }),
  rescanMs: durationMs({ doc: "how often the folder is read without being told of a change", default: 2_000, min: 100 }),
  forward: object(
    {
      timeoutMs: durationMs({ doc: "how long one upstream resolver may take", default: 2_000, min: 10 }),
      inFlightMax: integer({ doc: "questions waiting for upstream resolvers at once; more are refused", default: 256, min: 1, max: 10_000 }),
    },
    { doc: "names outside of the cluster" },
  ),
});
