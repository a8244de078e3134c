import assert from "node:assert/strict";
import { test } from "node:test";
import { freshState } from "../../../sidecars/redis-ambassador/connections/connection-state.ts";
import { isAdmitted, listenerAuth, passGate, type Gate } from "../../../sidecars/redis-ambassador/listener/listener-auth.ts";

const own = listenerAuth({ auth: "password", username: undefined, password: "gate" });
const named = listenerAuth({ auth: "password", username: "app", password: "gäte" });
const server = listenerAuth({ auth: "server", username: undefined, password: undefined });
const open = listenerAuth({ auth: "open", username: undefined, password: undefined });
const stranger = freshState, guest = { ...freshState, admitted: true };

const told = (gate: Gate): string => (gate.kind === "answer" ? `${gate.reply.toString("latin1").trim()}${gate.admits ? " (admitted)" : ""}` : gate.kind === "rest" ? `rest: ${gate.words.join(" ")}` : "pass");
const latin1 = (text: string): string => Buffer.from(text, "utf8").toString("latin1");

for (const [auth, state, line, expected] of [
  [open, stranger, "get a", "pass"],
  [open, stranger, "auth gate", "pass"],
  [own, stranger, "get a", "-NOAUTH Authentication required."],
  [own, stranger, "nonsense", "-NOAUTH Authentication required."],
  [own, stranger, "quit", "pass"],
  [own, stranger, "reset", "pass"],
  [own, guest, "get a", "pass"],
  [own, stranger, "auth gate", "+OK (admitted)"],
  [own, stranger, "auth default gate", "+OK (admitted)"],
  [own, stranger, "auth app gate", "-WRONGPASS invalid username-password pair or user is disabled."],
  [own, stranger, "auth gate2", "-WRONGPASS invalid username-password pair or user is disabled."],
  [own, guest, "auth gate2", "-WRONGPASS invalid username-password pair or user is disabled."],
  [own, stranger, "auth", "-ERR wrong number of arguments for 'auth' command"],
  [own, stranger, "auth a b c", "-ERR syntax error"],
  [named, stranger, `auth ${latin1("gäte")}`, "-WRONGPASS invalid username-password pair or user is disabled."],
  [named, stranger, `auth app ${latin1("gäte")}`, "+OK (admitted)"],
  [own, stranger, "hello", "-NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time"],
  [own, stranger, "hello 3 auth default gate setname me", "rest: hello 3 setname me"],
  [own, guest, "hello 2 auth default gate", "rest: hello 2"],
  [own, stranger, "hello 3 auth default wrong", "-WRONGPASS invalid username-password pair or user is disabled."],
  [own, stranger, "hello 9 auth default gate", "-NOPROTO unsupported protocol version"],
  [own, stranger, "hello x", "-ERR Protocol version is not an integer or out of range"],
  [own, stranger, "hello 3 auth default", "-ERR Syntax error in HELLO option 'auth'"],
  [own, guest, "hello 3", "pass"],
  [own, guest, "hello 9", "pass"],
  [server, stranger, "get a", "-NOAUTH Authentication required."],
  [server, stranger, "auth x y", "pass"],
  [server, stranger, "hello 3 auth x y", "pass"],
  [server, stranger, "hello 3", told(passGate(own, stranger, "hello", () => ["hello", "3"]))],
  [server, guest, "get a", "pass"],
] as const) {
  test(`${auth.kind}, ${state.admitted ? "admitted" : "not admitted"}: "${line}"`, () => {
    const words = line.split(" ");
    assert.equal(told(passGate(auth, state, words[0] ?? "", () => words)), expected);
  });
}

test("only an open listener admits everybody", () => {
  assert.deepEqual([open, own, server].map((auth) => [isAdmitted(auth, stranger), isAdmitted(auth, guest)]), [[true, true], [false, true], [false, true]]);
});
