// pure
import { choice, durationMs, integer, object, sizeBytes, string, type ConfigOf } from "../../kit/config/schema.ts";
import { adminSpec, logSpec, shutdownSpec } from "../../kit/process-spec.ts";
import { adaptersField, foldShorthand } from "./adapter-config.ts";

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
  },
  { doc: "the format adapter" },
);

/** The role's whole configuration. */
export const spec: typeof inner = { ...inner, parse: (node, path, context) => inner.parse(foldShorthand(node, context.problems), path, context) };

export type Config = ConfigOf<typeof spec>;
