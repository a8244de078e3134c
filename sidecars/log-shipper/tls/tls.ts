import { hash } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { createSecureContext } from "node:tls";
import type { Clock } from "../../../kit/clock.ts";
import type { ClientTlsConfig, ServerTlsConfig } from "./tls-config.ts";

/** What node:tls takes, with a number that changes whenever the content of a file does. */
export type TlsMaterial = {
  readonly version: number;
  readonly options: { readonly ca?: string | undefined; readonly cert?: string | undefined; readonly key?: string | undefined; readonly servername?: string | undefined; readonly rejectUnauthorized?: boolean };
};

type Part = "ca" | "cert" | "key";

/** How often files are looked at, at most. A renewal is months before the expiry; seconds do not matter. */
const lookEveryMs = 1_000;

/**
 * Certificates and keys from files that may be renewed at any time, also by a switch of a symbolic link to their directory. Files
 * are looked at when somebody asks and read when something about them has changed. What cannot be used (half written, a key
 * of another certificate) leaves the former in force, and `problem()` says so. Keys are never in a message.
 */
export class TlsFiles {
  readonly #setting: string;
  readonly #clock: Clock;
  readonly #written: Readonly<Partial<Record<Part, string>>>;
  readonly #others: Omit<TlsMaterial["options"], Part>;
  #lookedAtMs = -Infinity;
  #stamp: string | undefined;
  #fingerprint = "";
  #material: TlsMaterial | undefined;
  #problem: string | undefined;

  /** `setting` is the group's place in the configuration, for messages. */
  constructor(options: { readonly setting: string; readonly written: Readonly<Partial<Record<Part, string | undefined>>>; readonly others?: Omit<TlsMaterial["options"], Part>; readonly clock: Clock }) {
    this.#setting = options.setting;
    this.#clock = options.clock;
    this.#written = Object.fromEntries(Object.entries(options.written).filter(([, value]) => value !== undefined));
    this.#others = options.others ?? {};
  }

  /** Throws with the reason if nothing usable was ever there. */
  current(): TlsMaterial {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#lookedAtMs >= lookEveryMs) {
      this.#lookedAtMs = nowMs;
      this.#look();
    }
    if (this.#material === undefined) {
      this.#lookedAtMs = -Infinity;
      throw new Error(this.#problem ?? `Cannot use ${this.#setting}`);
    }
    return this.#material;
  }

  /** Why what the files hold now is not in force, or undefined. */
  problem(): string | undefined {
    return this.#problem;
  }

  #look(): void {
    try {
      const stamp = Object.entries(this.#written).map(([part, written]) => stampOf(this.#nameOf(part), written)).join("\n");
      if (stamp === this.#stamp && this.#problem === undefined) return;
      const parts = Object.fromEntries(Object.entries(this.#written).map(([part, written]) => [part, contentOf(this.#nameOf(part), written)]));
      const fingerprint = hash("sha256", JSON.stringify(parts), "hex");
      if (fingerprint !== this.#fingerprint) {
        tryOut(this.#setting, parts);
        this.#fingerprint = fingerprint;
        this.#material = { version: (this.#material?.version ?? 0) + 1, options: { ...parts, ...this.#others } };
      }
      this.#stamp = stamp;
      this.#problem = undefined;
    } catch (error) {
      this.#problem = error instanceof Error ? error.message : String(error);
    }
  }

  #nameOf(part: string): string {
    return `${this.#setting}.${part}`;
  }
}

/** For a sink's connections. `setting` is the group's place in the configuration. */
export function clientTls(config: ClientTlsConfig, setting: string, clock: Clock): TlsFiles {
  const { ca, cert, key, serverName, insecureSkipVerify } = config;
  const others = { ...(serverName === undefined ? {} : { servername: serverName }), ...(insecureSkipVerify ? { rejectUnauthorized: false } : {}) };
  return new TlsFiles({ setting, written: { ca, cert, key }, others, clock });
}

/** For a listener; undefined when it is plain. Its `ca` is what clients' certificates are judged by. */
export function serverTls(config: ServerTlsConfig, setting: string, clock: Clock): TlsFiles | undefined {
  const { cert, key, clientCa } = config;
  return cert === undefined || key === undefined ? undefined : new TlsFiles({ setting, written: { ca: clientCa, cert, key }, clock });
}

function isPath(written: string): boolean {
  return written.startsWith("/");
}

/** Changes when the file does. */
function stampOf(name: string, written: string): string {
  if (!isPath(written)) return "";
  const { dev, ino, size, mtimeNs } = attempt(name, written, () => statSync(written, { bigint: true }));
  return [dev, ino, size, mtimeNs].join(" ");
}

function contentOf(name: string, written: string): string {
  return isPath(written) ? attempt(name, written, () => readFileSync(written, "utf8")) : written;
}

function attempt<T>(name: string, path: string, act: () => T): T {
  try {
    return act();
  } catch (error) {
    throw new Error(`Cannot read ${name} (${path}): ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}

/** Finds out now, not at the first connection, whether OpenSSL can use them, such as whether the key belongs to the certificate. */
function tryOut(setting: string, parts: Readonly<Partial<Record<Part, string>>>): void {
  try {
    createSecureContext(parts);
  } catch (error) {
    throw new Error(`Cannot use the certificates of ${setting}: ${error instanceof Error ? error.message : String(error)}; they must be PEM, and cert and key belong together`, { cause: error });
  }
}
