// pure
import { encodeRequest } from "../protocol/inline.ts";

export type Credentials = { readonly username: string | undefined; readonly password: string };

/** What a client's connection is, and what a server connection must be made to be before it carries that client's commands. */
export type ConnectionState = {
  readonly db: number;
  readonly resp: 2 | 3;
  /** As the client gave them with AUTH or HELLO; undefined: the ambassador's own. */
  readonly credentials: Credentials | undefined;
  readonly name: string;
  readonly libName: string;
  readonly libVersion: string;
  /** It has authenticated, or came when that was not asked for (listen.auth). */
  readonly admitted: boolean;
};

export const freshState: ConnectionState = { db: 0, resp: 2, credentials: undefined, name: "", libName: "", libVersion: "", admitted: false };

/** Equal keys may share one server connection. It holds a password: never log it. */
export function shareKey(state: ConnectionState): string {
  const { credentials } = state;
  return credentials === undefined ? `${state.db}/${state.resp}` : `${state.db}/${state.resp}/${credentials.username ?? ""}/${credentials.password}`;
}
/** Equal keys may use one another's leased connections, after `stateRequests`. */
export function leaseKey(state: ConnectionState): string {
  return shareKey({ ...state, db: 0 });
}

/** One request of a prelude; a refusal of an optional one does not matter. */
export type PreludeRequest = { readonly bytes: Buffer; readonly optional: boolean };

/** What is sent first on a new server connection. */
export function openingRequests(state: ConnectionState, own: Credentials | undefined): PreludeRequest[] {
  const credentials = state.credentials ?? own;
  const requests: PreludeRequest[] = [];
  const add = (...words: string[]): number => requests.push({ bytes: encodeRequest(words.map((word) => Buffer.from(word, "latin1"))), optional: false });
  if (credentials !== undefined) {
    if (credentials.username === undefined) add("AUTH", credentials.password);
    else add("AUTH", credentials.username, credentials.password);
  }
  if (state.resp === 3) add("HELLO", "3");
  return [...requests, ...stateRequests({ ...freshState, resp: state.resp, credentials: state.credentials }, state)];
}

/** What makes a connection that is `from` into `to`, where user and protocol are the same already. */
export function stateRequests(from: ConnectionState, to: ConnectionState): PreludeRequest[] {
  const requests: PreludeRequest[] = [];
  const add = (optional: boolean, ...words: string[]): number =>
    requests.push({ bytes: encodeRequest(words.map((word) => Buffer.from(word, "latin1"))), optional });
  if (from.db !== to.db) add(false, "SELECT", String(to.db));
  if (from.name !== to.name) add(true, "CLIENT", "SETNAME", to.name);
  if (from.libName !== to.libName) add(true, "CLIENT", "SETINFO", "LIB-NAME", to.libName);
  if (from.libVersion !== to.libVersion) add(true, "CLIENT", "SETINFO", "LIB-VER", to.libVersion);
  return requests;
}

/** The state after the server has accepted a state command. `args` are its words as latin1 text (bytes kept one to one). */
export function afterAccepted(state: ConnectionState, args: readonly string[]): ConnectionState {
  const word = (index: number): string => args[index] ?? "";
  switch (word(0).toLowerCase()) {
    case "select":
      return { ...state, db: Number(word(1)) };
    case "auth":
      return { ...state, admitted: true, credentials: args.length > 2 ? { username: word(1), password: word(2) } : { username: undefined, password: word(1) } };
    case "client":
      if (word(1).toLowerCase() === "setname") return { ...state, name: word(2) };
      return word(2).toLowerCase() === "lib-name" ? { ...state, libName: word(3) } : { ...state, libVersion: word(3) };
    case "hello":
      return afterHello(state, args);
    default:
      return state;
  }
}

function afterHello(state: ConnectionState, args: readonly string[]): ConnectionState {
  let next = state;
  if (args.length > 1) next = { ...next, resp: args[1] === "3" ? 3 : 2 };
  for (let at = 2; at < args.length;) {
    const option = (args[at] ?? "").toLowerCase();
    if (option === "auth") {
      next = { ...next, admitted: true, credentials: { username: args[at + 1] ?? "", password: args[at + 2] ?? "" } };
      at += 3;
    } else if (option === "setname") {
      next = { ...next, name: args[at + 1] ?? "" };
      at += 2;
    } else {
      at += 1;
    }
  }
  return next;
}
