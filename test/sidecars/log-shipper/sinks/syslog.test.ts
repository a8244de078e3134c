import assert from "node:assert/strict";
import { test } from "node:test";
import { encode } from "@msgpack/msgpack";
import { recordId, type Chunk } from "../../../../sidecars/log-shipper/delivery/chunk.ts";
import { createAuthority } from "../../../support/certificates.ts";
import { eventually } from "../../../support/eventually.ts";
import { startFaultProxy, type FaultRule } from "../../../support/fault-proxy.ts";
import { SyslogDouble, type SyslogMessage } from "../doubles/syslog-double.ts";
import { startSingleSink, type SingleSink } from "../support/single-sink.ts";
import { chunkOf } from "./chunks.ts";
import { sinkContract } from "./sink-contract.ts";

type Settings = { readonly [key: string]: unknown };
/** A sink as its settings make it, with quick retries. */
function startSyslog(ports: readonly number[], settings: Settings = {}): SingleSink {
  return startSingleSink({ type: "syslog", servers: ports.map((port) => `localhost:${port}`), retryMaxMs: 20, confirmMs: 30, ...settings });
}

/** The messages that records become. */
async function messagesOf(records: readonly Readonly<Record<string, unknown>>[], settings: Settings = {}, tag?: string): Promise<readonly SyslogMessage[]> {
  await using server = await new SyslogDouble().listen();
  const { sink } = startSyslog([server.port], settings);
  assert.equal((await sink.deliver(chunkOf("c", records, tag === undefined ? {} : { tag }))).kind, "delivered");
  await eventually(() => server.messages.length === records.length, { what: "all messages" });
  await sink.close();
  assert.deepEqual(server.violations, []);
  return server.messages;
}

const metadata = { pod_name: "web-1", namespace_name: "shop", container_name: "app" };

sinkContract({
  name: "syslog",
  // While the server is away, not while it dies with messages in its hands.
  confirms: true,
  start: async () => {
    const server = await new SyslogDouble().listen();
    const { port } = server;
    const { sink } = startSyslog([port]);
    return {
      sink,
      received: () => server.messages.map(({ text }) => text).join("\n"),
      down: async () => await server.close(),
      up: async () => void (await server.listen(port)),
      async [Symbol.asyncDispose]() {
        await sink.close();
        await server.close();
        if (server.violations.length > 0) throw new Error(`RFC 5424 was not kept: ${server.violations.join("; ")}`);
      },
    };
  },
});

test("A message has the record's time, Pod and container, and its line as text", async () => {
  const [message] = await messagesOf([{ log: "hello", kubernetes: metadata }]);
  assert.deepEqual(message, { priority: 14, time: "2023-11-14T22:13:20.000000Z", hostname: "web-1", appName: "app", procId: "-", msgId: "-", data: "-", text: "hello", connection: 0 });
});

test("Times are told to the microsecond", async () => {
  await using server = await new SyslogDouble().listen();
  const { sink } = startSyslog([server.port]);
  const entries = Buffer.concat([Buffer.from("92d700695662c00000ffff", "hex"), encode({ log: "x" })]);
  const chunk: Chunk = { id: "t", tag: "t", entries, records: 1, origin: { content: "c", path: undefined, from: 0, spans: Uint32Array.of(0, 1) } };
  await sink.deliver(chunk);
  await eventually(() => server.messages.length === 1);
  assert.equal(server.messages[0]?.time, "2026-01-01T12:04:16.000065Z");
  await sink.close();
});

for (const [name, record, text] of [
  ["a line with line breaks", { log: "one\ntwo\r\n\tthree" }, "one\ntwo\r\n\tthree"],
  ["an empty line", { log: "" }, ""],
  ["a line with quotes, a backslash, NUL and characters beyond ASCII", { log: 'say "hi" \\ \u0000 grün 🎉' }, 'say "hi" \\ \u0000 grün 🎉'],
  ["a record with more fields", { log: "x", level: "error" }, '{"log":"x","level":"error"}'],
  ["a record without a line", { n: 1 }, '{"n":1}'],
  ["a line that is no text", { log: 5 }, '{"log":5}'],
  ["a line that looks like a message", { log: "<13>1 - - - - - -" }, "<13>1 - - - - - -"],
] as const) {
  test(`The text of ${name} arrives whole`, async () => {
    assert.equal((await messagesOf([record, { log: "next" }]))[0]?.text, text);
  });
}

for (const [level, code] of [["trace", 7], ["DEBUG", 7], ["info", 6], [30, 6], ["notice", 5], ["warn", 4], [50, 3], ["err", 3], ["critical", 2], ["fatal", 2], ["alert", 1], ["emergency", 0], ["no such level", 6], [null, 6], [{ a: 1 }, 6]] as const) {
  test(`The level ${JSON.stringify(level)} is severity ${code}`, async () => {
    const [message] = await messagesOf([{ level, msg: "x" }], { facility: "local7" });
    assert.equal(message?.priority, 23 * 8 + code);
  });
}

test("The settings choose header, structured data, facility and what is left out", async () => {
  const settings = { facility: "daemon", severity: "debug", hostname: "{node}", appName: "my {app}", procId: "{pid}", msgId: "{tag}", structuredData: { id: "{id}", note: "{note}", gone: "{nowhere}" }, structuredDataId: "x@1", omit: ["secret", "kubernetes"], lineField: "msg" };
  const [first, second] = await messagesOf([{ node: "ü node", app: "shop", pid: 17, note: 'a "b" ] \\', secret: 1, msg: "m" }, { msg: "n", secret: 2 }], settings, "tag with spaces and more than thirty-two characters");
  assert.ok(first !== undefined && second !== undefined);
  const id = (index: number): string => recordId({ content: "test:c", path: undefined, from: 0, spans: Uint32Array.of(0, 10, 10, 10) }, index);
  assert.deepEqual([first.priority, first.hostname, first.appName, first.procId, first.msgId], [31, "__node", "my_shop", "17", "tag_with_spaces_and_more_than_th"]);
  assert.equal(first.data, String.raw`[x@1 id="${id(0)}" note="a \"b\" \] \\"]`);
  assert.equal(first.text, '{"node":"ü node","app":"shop","pid":17,"note":"a \\"b\\" ] \\\\","msg":"m"}');
  assert.deepEqual([second.hostname, second.appName, second.procId, second.data, second.text], ["-", "-", "-", `[x@1 id="${id(1)}"]`, "n"]);
});

/** With these faults on the way, a server that stays alive gets every message, and the chunks in flight at most once more. */
function survives(name: string, rules: readonly FaultRule[], expected: { readonly resends: boolean }): void {
  test(`${name}: every message arrives`, { timeout: 150_000 }, async () => {
    await using server = await new SyslogDouble().listen();
    const proxy = await startFaultProxy({ upstream: { host: "127.0.0.1", port: server.port }, rules, seed: 3 });
    const { sink, events } = startSyslog([proxy.port], { writeTimeoutMs: 300, connectTimeoutMs: 300 });
    const deliveries = Array.from({ length: 20 }, (_, chunk) => sink.deliver(chunkOf(`c${chunk}`, Array.from({ length: 50 }, (_each, n) => ({ log: `#${chunk}-${n}# ${"x".repeat(100)}` })))));
    assert.ok((await Promise.all(deliveries)).every(({ kind }) => kind === "delivered"));
    const idOf = ({ text }: SyslogMessage): string => text.split("#")[1] ?? "";
    await eventually(() => new Set(server.messages.map(idOf)).size === 1_000, { what: "all messages" });
    assert.equal(events.includes("resent"), expected.resends, JSON.stringify(proxy.trace));
    const copies = Map.groupBy(server.messages, idOf);
    assert.ok(copies.values().every((each) => each.length <= (expected.resends ? 2 : 1)), "no more than once by each connection");
    await sink.close();
    await proxy.close();
    assert.ok(server.violations.every((each) => each.startsWith("no length")), server.violations.join());
  });
}

survives("No fault", [], { resends: false });
survives("Refused connections", [{ connection: 0, action: { kind: "refuse" } }, { connection: 1, action: { kind: "refuse" } }], { resends: false });
survives("A reset amid a message", [{ connection: 0, at: 60_001, action: { kind: "reset" } }], { resends: true });
survives("A half-close by the server", [{ connection: 0, direction: "down", at: 0, action: { kind: "halfClose" } }], { resends: true });
survives("Bytes that come one by one", [{ at: 0, action: { kind: "split", bytes: 700, random: true } }], { resends: false });

test("A server that takes nothing is left for another one, whatever a chunk's size", { timeout: 150_000 }, async () => {
  await using deaf = await new SyslogDouble().listen();
  await using server = await new SyslogDouble().listen();
  deaf.reading = false;
  const { sink } = startSyslog([deaf.port, server.port], { writeTimeoutMs: 1_500 });
  const lines = Array.from({ length: 300 }, (_, n) => ({ log: `${n} ${"x".repeat(100_000)}` }));
  assert.equal((await sink.deliver(chunkOf("big", lines))).kind, "delivered");
  await eventually(() => server.messages.length === lines.length);
  assert.deepEqual(server.messages.map(({ text }) => Number(text.split(" ")[0])), [...lines.keys()]);
  await sink.close();
});

test("What a server that dies has taken and not read is sent again; without confirmMs it is lost", { timeout: 150_000 }, async () => {
  for (const [confirmMs, arrives] of [[500, true], [0, false]] as const) {
    await using deaf = await new SyslogDouble().listen();
    await using server = await new SyslogDouble().listen();
    deaf.reading = false;
    const { sink } = startSyslog([deaf.port, server.port], { confirmMs });
    await eventually(() => deaf.accepted === 1);
    const delivery = sink.deliver(chunkOf("c", [{ log: "one" }]));
    // Time enough for the system to take it.
    if (confirmMs === 0) await delivery;
    await deaf.close();
    assert.equal((await delivery).kind, "delivered");
    if (arrives) await eventually(() => server.messages.length === 1);
    else await eventually(() => server.accepted === 1);
    assert.equal(server.messages.length, arrives ? 1 : 0);
    await sink.close();
  }
});

test("With TLS the server must prove its name, and asks for our certificate", { timeout: 150_000 }, async () => {
  const authority = createAuthority("ours"), own = authority.issue("shipper"), certificate = authority.issue("localhost", ["localhost"]);
  await using server = await new SyslogDouble({ cert: certificate.certificate, key: certificate.key, ca: authority.certificate, requestCert: true, rejectUnauthorized: true }).listen();
  const trusted = { enabled: true, ca: authority.certificate, cert: own.certificate, key: own.key };
  const { sink } = startSyslog([server.port], { tls: trusted });
  assert.equal((await sink.deliver(chunkOf("c", [{ log: "safe" }]))).kind, "delivered");
  await eventually(() => server.messages[0]?.text === "safe");
  await sink.close();
  for (const [tls, fault] of [
    [{ ...trusted, ca: createAuthority("another").certificate }, /signature|issuer|self-signed|verify/],
    [{ ...trusted, serverName: "somebody.else" }, /altnames|somebody\.else/],
    [{ enabled: true, ca: authority.certificate }, /certificate|closed|reset/i],
  ] as const) {
    const other = startSyslog([server.port], { tls, confirmMs: 200 });
    const delivery = other.sink.deliver(chunkOf("d", [{ log: "not sent" }]));
    await eventually(() => fault.test(other.sink.problem() ?? ""), { what: String(fault) });
    await other.sink.close();
    assert.deepEqual(await delivery, { kind: "stopped" });
  }
  assert.deepEqual(server.messages.map(({ text }) => text), ["safe"]);
});

for (const [name, settings, fault] of [
  ["no servers", { servers: [] }, /servers/],
  ["an unknown facility", { facility: "local8" }, /facility/],
  ["a broken template", { hostname: "{a" }, /hostname/],
  ["a bad name in structured data", { structuredData: { "a b": "{id}" } }, /structuredData/],
  ["a bad id of structured data", { structuredDataId: "a]" }, /structuredDataId/],
  ["too many fields", { structuredData: { a: "{a}{b}{c}{d}{e}{f}{g}{h}{i}{j}{k}" } }, /13 fields/],
  ["too many severity fields", { severityFields: ["a", "b", "c", "d", "e"] }, /severityFields/],
] as const) {
  test(`A configuration with ${name} is refused`, () => {
    assert.throws(() => startSyslog([1], settings), fault);
  });
}
