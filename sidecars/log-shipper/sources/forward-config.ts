// pure
import { address, boolean, integer, object, secret, sizeBytes, string, type ConfigOf } from "../../../kit/config/schema.ts";

export const forwardSourceSpec = object(
  {
    listen: address({ doc: "where applications of the Pod send to", default: "127.0.0.1:24224" }),
    tagPrefix: string({ doc: "put before the tags of applications", default: "" }),
    sharedKey: secret({ doc: "key that applications must know; none asked without it", optional: true }),
    messageMax: sizeBytes({ doc: "largest message accepted", default: 4_194_304, min: 1_024, max: 67_108_864 }),
    connectionsMax: integer({ doc: "most connections at once", default: 64, min: 1 }),
    enrich: boolean({ doc: "add the Pod's metadata to each record", default: true }),
  },
  { doc: "records that applications send by the Forward protocol" },
);

export type ForwardSourceConfig = ConfigOf<typeof forwardSourceSpec>;
