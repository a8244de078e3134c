// pure
import { boolean, object, secret, string, type ConfigOf } from "../../../kit/config/schema.ts";

/** A PEM file's path, or the PEM text itself. */
function pemFault(text: string): string | undefined {
  return text.startsWith("/") || text.includes("-----BEGIN ") ? undefined : "the absolute path of a PEM file, or PEM text";
}

const own = {
  cert: string({ doc: "our certificate, with those between it and the authority: path of a PEM file, read again when it changes, or PEM text", optional: true, check: pemFault }),
  key: secret({ doc: "its key: path of a PEM file, read again when it changes, or PEM text", optional: true, check: pemFault }),
};

/** How we connect to a server by TLS. */
export const clientTlsFields = {
  ca: string({ doc: "authorities that may vouch for the server: path of a PEM file, read again when it changes, or PEM text; the well-known ones without it", optional: true, check: pemFault }),
  ...own,
  serverName: string({ doc: "name that the server's certificate must have; the address's host without it", optional: true }),
  insecureSkipVerify: boolean({ doc: "take any certificate: whoever is between us and the server can read and change everything", default: false }),
};

/** The group `tls` of a sink that connects by itself. */
export const clientTlsSpec = object({ enabled: boolean({ doc: "connect by TLS", default: false }), ...clientTlsFields }, { doc: "TLS", check: certNeedsKey });

/** The group `tls` of a sink whose addresses say whether it is TLS. */
export const urlTlsSpec = object(clientTlsFields, { doc: "TLS, for https:// addresses", check: certNeedsKey });

/** The group `tls` of a source that listens; TLS is on when there is a certificate. */
export const serverTlsSpec = object(
  { ...own, clientCa: string({ doc: "authorities of which clients must show a certificate: path of a PEM file or PEM text; none asked without it", optional: true, check: pemFault }) },
  {
    doc: "TLS, on when cert and key are given",
    check: (tls) => [...certNeedsKey(tls), ...(tls.clientCa !== undefined && tls.cert === undefined ? [{ path: ["clientCa"], message: "needs cert and key; without them there is no TLS" }] : [])],
  },
);

export type ClientTlsConfig = ConfigOf<typeof urlTlsSpec>;
export type ServerTlsConfig = ConfigOf<typeof serverTlsSpec>;

function certNeedsKey(tls: { readonly cert: string | undefined; readonly key: string | undefined }): readonly { readonly path: readonly string[]; readonly message: string }[] {
  if ((tls.cert === undefined) === (tls.key === undefined)) return [];
  return [{ path: [tls.cert === undefined ? "key" : "cert"], message: `needs ${tls.cert === undefined ? "cert" : "key"}; a certificate and its key go together` }];
}
