// pure
import type { RawNode } from "../../kit/config/raw.ts";
import { choice, durationMs, integer, object, sizeBytes, string, type ConfigOf } from "../../kit/config/schema.ts";
import { adminSpec, logSpec, shutdownSpec } from "../../kit/process-spec.ts";
import { adaptersField, foldShorthand } from "./adapter-config.ts";
import { exporterField } from "./exporter/exporter-config.ts";

const inner = object(
  {
    admin: adminSpec,
    log: logSpec,
    shutdown: shutdownSpec,
    apiVersion: choice(["podkit/v1"], { doc: "version of this configuration", default: "podkit/v1" }),
    kind: choice(["Adapter"], { doc: "what this file configures", default: "Adapter" }),
    stateDirectory: string({ doc: "where the ledger and quarantined reports are kept; must live as long as the reports", default: "/podkit/state" }),
    quarantine: object(
      {
        maxFiles: integer({ doc: "refused reports whose reasons are kept; the oldest go first", default: 200, min: 1 }),
        maxAge: durationMs({ doc: "refused reports older than this go, with their reasons", optional: true }),
        maxBytes: sizeBytes({ doc: "bytes of refused reports that are kept; a larger one leaves its reason alone", default: 33_554_432 }),
      },
      { doc: "copies of refused reports, with the reason, under stateDirectory" },
    ),
    adapters: adaptersField,
    exporter: exporterField,
  },
  { doc: "the format adapter" },
);

/** The role's whole configuration. */
export const spec: typeof inner = { ...inner, parse: (node, path, context) => inner.parse(withoutAdapters(foldShorthand(node, context.problems)), path, context) };

/** Who makes metrics alone need not say that there is no folder to watch. */
function withoutAdapters(node: RawNode | undefined): RawNode | undefined {
  if (node?.kind !== "map" || node.entries.has("adapters") || !node.entries.has("exporter")) return node;
  const { origin } = node;
  return { ...node, entries: new Map([...node.entries, ["adapters", { keyOrigin: origin, node: { kind: "list", items: [], origin } }]]) };
}

export type Config = ConfigOf<typeof spec>;
