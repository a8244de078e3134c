// pure
import { address, boolean, durationMs, integer, list, object, secret, sizeBytes, string, type ConfigOf } from "../../../kit/config/schema.ts";
import { absolutePath } from "../absolute-path.ts";
import { serverTlsSpec } from "../tls/tls-config.ts";

export const forwardSourceSpec = object(
  {
    listen: address({ doc: "where applications of the Pod send to", default: "127.0.0.1:24224" }),
    socket: string({ doc: "path of a Unix socket that is listened on as well, in a volume that the containers share; who may write to it is who may write to its directory", optional: true, check: absolutePath }),
    tls: serverTlsSpec,
    tagPrefix: string({ doc: "put before the tags of applications", default: "" }),
    sharedKey: secret({ doc: "key that applications must know; none asked without it", optional: true }),
    users: list(object({ username: string({ doc: "name" }), password: secret({ doc: "password" }) }, { doc: "a user" }), { doc: "users, one of which an application must be beside knowing the key; none asked without any", default: [] }),
    handshakeTimeoutMs: durationMs({ doc: "how soon TLS and the handshake must be done", default: 10_000, min: 10 }),
    messageMax: sizeBytes({ doc: "largest message accepted, also after unpacking", default: 4_194_304, min: 1_024, max: 67_108_864 }),
    connectionsMax: integer({ doc: "most connections at once", default: 64, min: 1 }),
    enrich: boolean({ doc: "add the Pod's metadata to each record", default: true }),
  },
  {
    doc: "records that applications send by the Forward protocol",
    check: ({ users, sharedKey }) => (users.length > 0 && sharedKey === undefined ? [{ path: ["users"], message: "needs sharedKey; the protocol knows users only together with it" }] : []),
  },
);

export type ForwardSourceConfig = ConfigOf<typeof forwardSourceSpec>;
