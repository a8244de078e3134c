// pure
import { posix } from "node:path";
import type { RawNode } from "../../kit/config/raw.ts";
import { choice, durationMs, integer, object, sizeBytes, string, type ConfigOf, type CrossProblem } from "../../kit/config/schema.ts";
import { adminSpec, logSpec, shutdownSpec } from "../../kit/process-spec.ts";
import { adaptersField, folderOf, foldShorthand, type AdapterConfig } from "./adapter-config.ts";
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
  { doc: "the format adapter", check: stateFault },
);

/** The state's files among reports would be taken for reports, by us or by who reads them. Nothing is watched below a folder, so state may be there. */
function stateFault({ stateDirectory, adapters }: { readonly stateDirectory: string; readonly adapters: readonly AdapterConfig[] }): readonly CrossProblem[] {
  const state = folderOf(stateDirectory);
  for (const { watch, mappings } of adapters) {
    const writer = mappings.find(({ output }) => folderOf(posix.dirname(output.file)) === state);
    const use = folderOf(watch.directory) === state ? "the watched folder" : writer === undefined ? undefined : `the folder into which "${writer.name}" writes`;
    if (use !== undefined) return [{ path: ["stateDirectory"], message: `is ${use}, where its files would be among the reports; give the state a folder of its own` }];
  }
  return [];
}

/** The role's whole configuration. */
export const spec: typeof inner = { ...inner, parse: (node, path, context) => inner.parse(withoutAdapters(foldShorthand(node, context.problems)), path, context) };

/** Who makes metrics alone need not say that there is no folder to watch. */
function withoutAdapters(node: RawNode | undefined): RawNode | undefined {
  if (node?.kind !== "map" || node.entries.has("adapters") || !node.entries.has("exporter")) return node;
  const { origin } = node;
  return { ...node, entries: new Map([...node.entries, ["adapters", { keyOrigin: origin, node: { kind: "list", items: [], origin } }]]) };
}

export type Config = ConfigOf<typeof spec>;
