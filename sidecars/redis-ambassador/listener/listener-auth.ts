// pure
import { createHash, timingSafeEqual } from "node:crypto";
import type { ConnectionState } from "../connections/connection-state.ts";
import { encodeRequest } from "../protocol/inline.ts";

/** Whether the application's connections must authenticate: never, with a password of the ambassador's own, or as a user of the servers. */
export type ListenerAuth = { readonly kind: "open" } | { readonly kind: "server" } | { readonly kind: "password"; readonly username: string; readonly password: string };

export function listenerAuth({ auth, username, password }: { readonly auth: ListenerAuth["kind"]; readonly username: string | undefined; readonly password: string | undefined }): ListenerAuth {
  return auth === "password" ? { kind: "password", username: username ?? "default", password: password ?? "" } : { kind: auth };
}

/** A connection that is not admitted may say AUTH, HELLO, QUIT and RESET, and nothing long. */
export function isAdmitted(auth: ListenerAuth, state: ConnectionState): boolean {
  return auth.kind === "open" || state.admitted;
}

/** What becomes of a request at the gate. */
export type Gate =
  | { readonly kind: "pass" }
  /** It is answered here; `admits`: the connection has authenticated. */
  | { readonly kind: "answer"; readonly reply: Buffer; readonly admits: boolean }
  /** The rest of it is for a server, without the password, which is the ambassador's own; the connection has authenticated. */
  | { readonly kind: "rest"; readonly words: readonly string[]; readonly request: Buffer };

const answer = (text: string, admits = false): Gate => ({ kind: "answer", reply: Buffer.from(`${text}\r\n`, "latin1"), admits });
const pass: Gate = { kind: "pass" };
const wrongPassword = "-WRONGPASS invalid username-password pair or user is disabled.";
const noAuth = answer("-NOAUTH Authentication required.");
const noAuthHello = answer("-NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time");
const freeNames = new Set(["quit", "reset", "post", "host:"]);

/** The texts are the server's. `words` are the request's as latin1 text, `name` its plan's. */
export function passGate(auth: ListenerAuth, state: ConnectionState, name: string, words: () => readonly string[]): Gate {
  if (auth.kind === "open") return pass;
  if (name === "auth") return auth.kind === "server" ? pass : checkAuth(auth, words());
  if (name === "hello") return checkHello(auth, state, words());
  return state.admitted || freeNames.has(name) ? pass : noAuth;
}

type OwnPassword = Extract<ListenerAuth, { kind: "password" }>;

/** Takes the same time wherever the two differ. */
function equal(one: string, other: string): boolean {
  const digest = (text: string): Buffer => createHash("sha256").update(text, "utf8").digest();
  return timingSafeEqual(digest(one), digest(other));
}

/** Words come as latin1, one character per byte; the configured ones are ordinary text. */
function matches(auth: OwnPassword, username: string, password: string): boolean {
  const bytes = (text: string): string => Buffer.from(text, "utf8").toString("latin1");
  const user = equal(username, bytes(auth.username)), secret = equal(password, bytes(auth.password));
  return user && secret;
}

function checkAuth(auth: OwnPassword, words: readonly string[]): Gate {
  if (words.length < 2) return answer("-ERR wrong number of arguments for 'auth' command");
  if (words.length > 3) return answer("-ERR syntax error");
  const [username, password] = words.length === 3 ? [words[1] ?? "", words[2] ?? ""] : ["default", words[1] ?? ""];
  // A lone password is the default user's, as with a server; where the ambassador has another user, that one must be named.
  return matches(auth, username, password) ? answer("+OK", true) : answer(wrongPassword);
}

function checkHello(auth: ListenerAuth, state: ConnectionState, words: readonly string[]): Gate {
  const version = words[1];
  if (version !== undefined) {
    if (!/^-?\d{1,18}$/.test(version)) return state.admitted ? pass : answer("-ERR Protocol version is not an integer or out of range");
    if (version !== "2" && version !== "3") return state.admitted ? pass : answer("-NOPROTO unsupported protocol version");
  }
  const rest = words.slice(0, 2);
  let credentials: readonly [username: string, password: string] | undefined;
  for (let at = 2; at < words.length;) {
    const option = (words[at] ?? "").toLowerCase(), more = words.length - 1 - at;
    if (option === "auth" && more >= 2) {
      credentials = [words[at + 1] ?? "", words[at + 2] ?? ""];
      at += 3;
    } else if (option === "setname" && more >= 1) {
      rest.push(...words.slice(at, at + 2));
      at += 2;
    } else {
      return state.admitted ? pass : answer(`-ERR Syntax error in HELLO option '${(words[at] ?? "").replaceAll(/[\r\n]/g, " ")}'`);
    }
  }
  if (credentials === undefined) return state.admitted ? pass : noAuthHello;
  if (auth.kind !== "password") return pass;
  if (!matches(auth, ...credentials)) return answer(wrongPassword);
  return { kind: "rest", words: rest, request: encodeRequest(rest.map((word) => Buffer.from(word, "latin1"))) };
}
