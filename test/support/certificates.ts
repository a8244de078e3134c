import { createPrivateKey, generateKeyPairSync, randomBytes, sign, type KeyObject } from "node:crypto";

/** A certificate with its key, as PEM. */
export type Certificate = { readonly certificate: string; readonly key: string };

const tag = { boolean: 0x01, integer: 0x02, bitString: 0x03, octetString: 0x04, objectId: 0x06, utf8: 0x0c, utcTime: 0x17, sequence: 0x30, set: 0x31, dnsName: 0x82, ipAddress: 0x87, version: 0xa0, extensions: 0xa3 } as const;
/** Object identifiers, encoded. */
const oid = { commonName: "550403", ecdsaWithSha256: "2a8648ce3d040302", basicConstraints: "551d13", subjectAltName: "551d11" } as const;

/** One value of ASN.1 in DER. */
function der(kind: number, ...parts: readonly (Uint8Array | string)[]): Buffer {
  const content = Buffer.concat(parts.map((part) => Buffer.from(part)));
  const size = content.length;
  const length = size < 128 ? [size] : size < 256 ? [0x81, size] : [0x82, size >> 8, size & 255];
  return Buffer.concat([Buffer.from([kind, ...length]), content]);
}

const sequence = (...parts: readonly Uint8Array[]): Buffer => der(tag.sequence, ...parts);
const objectId = (hex: string): Buffer => der(tag.objectId, Buffer.from(hex, "hex"));
const nameOf = (commonName: string): Buffer => sequence(der(tag.set, sequence(objectId(oid.commonName), der(tag.utf8, commonName))));
const time = (ms: number): Buffer => der(tag.utcTime, `${new Date(ms).toISOString().replaceAll(/[-:T]/g, "").slice(2, 14)}Z`);
const algorithm = sequence(objectId(oid.ecdsaWithSha256));
const dayMs = 24 * 3_600_000;

function issue(subject: string, issuer: string, issuerKey: KeyObject | undefined, extensions: readonly Buffer[]): Certificate {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const now = Date.now();
  const body = sequence(
    der(tag.version, der(tag.integer, Buffer.from([2]))), der(tag.integer, Buffer.concat([Buffer.from([1]), randomBytes(8)])), algorithm, nameOf(issuer),
    sequence(time(now - dayMs), time(now + dayMs)), nameOf(subject), publicKey.export({ type: "spki", format: "der" }), der(tag.extensions, sequence(...extensions)),
  );
  const signature = sign("sha256", body, issuerKey ?? privateKey);
  const pem = sequence(body, algorithm, der(tag.bitString, Buffer.from([0]), signature)).toString("base64").replaceAll(/.{64}(?=.)/g, "$&\n");
  return { certificate: `-----BEGIN CERTIFICATE-----\n${pem}\n-----END CERTIFICATE-----\n`, key: privateKey.export({ type: "pkcs8", format: "pem" }).toString() };
}

/** A certificate authority for tests, valid for a day. */
export function createAuthority(name: string): Certificate & { readonly issue: (subject: string, names?: readonly string[]) => Certificate } {
  const authority = issue(name, name, undefined, [sequence(objectId(oid.basicConstraints), der(tag.boolean, Buffer.from([255])), der(tag.octetString, sequence(der(tag.boolean, Buffer.from([255])))))]);
  return {
    ...authority,
    /** For a server by these names, or for a client. */
    issue(subject, names = ["localhost"]) {
      const alternatives = sequence(...names.map((each) => der(tag.dnsName, each)), der(tag.ipAddress, Buffer.from([127, 0, 0, 1])));
      return issue(subject, name, createPrivateKey(authority.key), [sequence(objectId(oid.subjectAltName), der(tag.octetString, alternatives))]);
    },
  };
}
