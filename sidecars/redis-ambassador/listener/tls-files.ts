import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createSecureContext, type ConnectionOptions, type TlsOptions } from "node:tls";
import type { Config } from "../config.ts";

/** A reason, fit for the operator, why certificates cannot be used. */
export class TlsFileError extends Error {}

/** `fingerprint` changes with the files' content and tells nothing of it. */
export type Loaded<T> = { readonly options: T; readonly fingerprint: string };

function readFile(setting: string, path: string | undefined): Buffer | undefined {
  if (path === undefined) return undefined;
  try {
    return readFileSync(path);
  } catch (error) {
    throw new TlsFileError(`Cannot read ${setting} (${path}): ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}

/** Finds out now, not at the first connection, whether OpenSSL can use them, e.g. whether the key belongs to the certificate. */
function tryOut(group: string, options: ConnectionOptions): void {
  try {
    createSecureContext(options);
  } catch (error) {
    throw new TlsFileError(`Cannot use the certificates of ${group}: ${error instanceof Error ? error.message : String(error)}; certFile and keyFile must be PEM and belong together`, { cause: error });
  }
}

function fingerprintOf(parts: readonly (Buffer | string | undefined)[]): string {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part === undefined ? "-" : `${part.length} `).update(part ?? "");
  return hash.digest("hex");
}

/** What connections to the servers (or sentinels) need; undefined when they are plain. `group` is the setting's name. */
export function loadUpstreamTls(tls: Config["upstream"]["tls"], group: string): Loaded<ConnectionOptions> | undefined {
  if (!tls.enabled) return undefined;
  const ca = readFile(`${group}.caFile`, tls.caFile), cert = readFile(`${group}.certFile`, tls.certFile), key = readFile(`${group}.keyFile`, tls.keyFile);
  const options: ConnectionOptions = {
    ...(ca === undefined ? {} : { ca }), ...(cert === undefined ? {} : { cert }), ...(key === undefined ? {} : { key }),
    ...(tls.serverName === undefined ? {} : { servername: tls.serverName }),
  };
  tryOut(group, options);
  return { options, fingerprint: fingerprintOf([ca, cert, key, tls.serverName]) };
}

/** What the listener needs; undefined when it is plain. */
export function loadListenerTls(tls: Config["listen"]["tls"]): Loaded<TlsOptions> | undefined {
  const cert = readFile("listen.tls.certFile", tls.certFile), key = readFile("listen.tls.keyFile", tls.keyFile);
  if (cert === undefined || key === undefined) return undefined;
  const ca = readFile("listen.tls.clientCaFile", tls.clientCaFile);
  const options: TlsOptions = { cert, key, ...(ca === undefined ? {} : { ca, requestCert: true, rejectUnauthorized: true }) };
  tryOut("listen.tls", { cert, key, ...(ca === undefined ? {} : { ca }) });
  return { options, fingerprint: fingerprintOf([cert, key, ca]) };
}

/** Every file that TLS is made of under this configuration. */
export function tlsFilesOf({ listen, upstream }: Config): readonly string[] {
  const ofServers = [upstream.tls, upstream.sentinel.tls].filter(({ enabled }) => enabled).flatMap(({ caFile, certFile, keyFile }) => [caFile, certFile, keyFile]);
  return [...ofServers, listen.tls.certFile, listen.tls.keyFile, listen.tls.clientCaFile].filter((path) => path !== undefined);
}
