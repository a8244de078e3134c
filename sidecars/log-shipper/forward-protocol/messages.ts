// pure
import { createHash, timingSafeEqual } from "node:crypto";
import { decodeValue, isArray, isMap, MalformedMessageError, textOf, type Decoded } from "./msgpack-reader.ts";
import { MsgpackWriter } from "./msgpack-writer.ts";

/**
 * Messages of the Forward protocol v1 (https://github.com/fluent/fluentd/wiki/Forward-Protocol-Specification-v1), shared by our
 * sink and our source. Nonce and salts are bytes: they are hashed as they stood on the wire, whether sent as str or bin.
 */
export type Helo = { readonly nonce: Uint8Array; readonly authSalt: Uint8Array };
export type Credentials = { readonly sharedKey: string; readonly username: string; readonly password: string };

/** How the entries of a message are packed. zstd is of the year 2024: fluentd knows it from 1.19 on, others may not. */
export type Compression = "none" | "gzip" | "zstd";

/**
 * The bytes before and after the entries of a PackedForward message with a chunk id: `[tag, bin(entries), {chunk, size}]`, of a
 * CompressedPackedForward message if they are compressed. `count` is the number of events.
 */
export function packedForwardFrame(options: { readonly tag: string; readonly entriesBytes: number; readonly count: number; readonly chunkId: string; readonly compression: Compression }): { readonly before: Buffer; readonly after: Buffer } {
  const compressed = options.compression !== "none";
  const before = new MsgpackWriter(64);
  before.arrayHeader(3);
  before.string(options.tag);
  before.binaryHeader(options.entriesBytes);
  const after = new MsgpackWriter(64);
  after.mapHeader(compressed ? 3 : 2);
  after.string("chunk");
  after.string(options.chunkId);
  after.string("size");
  after.number(options.count);
  if (compressed) {
    after.string("compressed");
    after.string(options.compression);
  }
  return { before: before.copy(), after: after.copy() };
}

export function ackMessage(chunk: Uint8Array): Buffer {
  const writer = new MsgpackWriter(64);
  writer.mapHeader(1);
  writer.string("ack");
  writer.stringHeader(chunk.length);
  writer.raw(chunk);
  return writer.copy();
}

/** The chunk id that an `{ack: id}` message confirms, or undefined if the message is something else. */
export function readAck(message: Uint8Array): string | undefined {
  const { value } = decodeValue(message, 0);
  const ack = isMap(value) ? value.get("ack") : undefined;
  return ack instanceof Uint8Array ? textOf(ack) : undefined;
}

export function heloMessage(helo: Helo): Buffer {
  const writer = new MsgpackWriter(128);
  writer.arrayHeader(2);
  writer.string("HELO");
  writer.mapHeader(3);
  writer.string("nonce");
  writer.binary(helo.nonce);
  writer.string("auth");
  writer.binary(helo.authSalt);
  writer.string("keepalive");
  writer.byte(0xc3);
  return writer.copy();
}

/** Throws MalformedMessageError if the message is not a HELO. */
export function readHelo(message: Uint8Array): Helo {
  const fields = namedMessage(message, "HELO");
  const options = fields[1];
  const nonce = isMap(options) ? options.get("nonce") : undefined;
  const auth = isMap(options) ? options.get("auth") : undefined;
  if (!(nonce instanceof Uint8Array)) throw new MalformedMessageError("Cannot use the server's HELO: it carries no nonce");
  return { nonce, authSalt: auth instanceof Uint8Array ? auth : new Uint8Array(0) };
}

export function pingMessage(options: { readonly helo: Helo; readonly hostname: string; readonly salt: Uint8Array; readonly credentials: Credentials }): Buffer {
  const { helo, hostname, salt, credentials } = options;
  const withUser = helo.authSalt.length > 0;
  const writer = new MsgpackWriter(512);
  writer.arrayHeader(6);
  writer.string("PING");
  writer.string(hostname);
  writer.binary(salt);
  writer.string(digest(salt, hostname, helo.nonce, credentials.sharedKey));
  writer.string(withUser ? credentials.username : "");
  writer.string(withUser ? digest(helo.authSalt, credentials.username, credentials.password) : "");
  return writer.copy();
}

export type Ping = { readonly hostname: string; readonly salt: Uint8Array; readonly sharedKeyDigest: string; readonly username: string; readonly passwordDigest: string };

export function readPing(message: Uint8Array): Ping {
  const [, hostname, salt, sharedKeyDigest, username, passwordDigest] = namedMessage(message, "PING");
  if (!(hostname instanceof Uint8Array) || !(salt instanceof Uint8Array) || !(sharedKeyDigest instanceof Uint8Array)) {
    throw new MalformedMessageError("Cannot use the client's PING: host name, salt or digest is missing");
  }
  return { hostname: textOf(hostname), salt, sharedKeyDigest: textOf(sharedKeyDigest), username: textOrNone(username), passwordDigest: textOrNone(passwordDigest) };
}

export type User = { readonly username: string; readonly password: string };

/** Why a PING is refused, or undefined when its shared key is right and, where there are users, it is of one of them. */
export function checkPing(ping: Ping, options: { readonly helo: Helo; readonly sharedKey: string; readonly hostname: string; readonly users: readonly User[] }): string | undefined {
  const { helo, sharedKey, hostname, users } = options;
  if (ping.hostname === hostname) return "client and server host name are the same";
  if (!sameText(ping.sharedKeyDigest, digest(ping.salt, ping.hostname, helo.nonce, sharedKey))) return "shared key mismatch";
  if (users.length === 0) return undefined;
  // An unknown user takes as long as a wrong password, and is told the same.
  const user = users.find(({ username }) => username === ping.username);
  const right = sameText(ping.passwordDigest, digest(helo.authSalt, ping.username, user?.password ?? ""));
  return user !== undefined && right ? undefined : "username/password mismatch";
}

export function pongMessage(options: { readonly refusal: string | undefined; readonly hostname: string; readonly ping: Ping; readonly helo: Helo; readonly sharedKey: string }): Buffer {
  const { refusal, hostname, ping, helo, sharedKey } = options;
  const writer = new MsgpackWriter(256);
  writer.arrayHeader(5);
  writer.string("PONG");
  writer.byte(refusal === undefined ? 0xc3 : 0xc2);
  writer.string(refusal ?? "");
  writer.string(refusal === undefined ? hostname : "");
  writer.string(refusal === undefined ? digest(ping.salt, hostname, helo.nonce, sharedKey) : "");
  return writer.copy();
}

/** Throws MalformedMessageError, with the server's reason, unless the PONG accepts us and proves that the server knows the key. */
export function checkPong(message: Uint8Array, options: { readonly helo: Helo; readonly hostname: string; readonly salt: Uint8Array; readonly sharedKey: string }): void {
  const [, accepted, reason, serverHostname, serverDigest] = namedMessage(message, "PONG");
  if (accepted !== true) {
    const words = reason instanceof Uint8Array ? textOf(reason) : "no reason given";
    throw new MalformedMessageError(`The server refused the handshake: ${words}`);
  }
  if (!(serverHostname instanceof Uint8Array) || !(serverDigest instanceof Uint8Array)) throw new MalformedMessageError("Cannot use the server's PONG: host name or digest is missing");
  const name = textOf(serverHostname);
  if (name === options.hostname) throw new MalformedMessageError(`Cannot trust the server: it uses our own host name "${name}"`);
  if (!sameText(textOf(serverDigest), digest(options.salt, name, options.helo.nonce, options.sharedKey))) {
    throw new MalformedMessageError("Cannot trust the server: its answer does not prove that it knows the shared key");
  }
}

function textOrNone(value: Decoded | undefined): string {
  return value instanceof Uint8Array ? textOf(value) : "";
}

function namedMessage(message: Uint8Array, name: string): readonly Decoded[] {
  const { value } = decodeValue(message, 0);
  const first = isArray(value) ? value[0] : undefined;
  if (!isArray(value) || !(first instanceof Uint8Array) || textOf(first) !== name) throw new MalformedMessageError(`Cannot continue the handshake: expected ${name}, got another message`);
  return value;
}

function digest(...parts: readonly (string | Uint8Array)[]): string {
  const hash = createHash("sha512");
  for (const part of parts) hash.update(part);
  return hash.digest("hex");
}

function sameText(left: string, right: string): boolean {
  const a = Buffer.from(left);
  const b = Buffer.from(right);
  return a.length === b.length && timingSafeEqual(a, b);
}
