import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import type { Socket } from "node:dgram";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect, createServer } from "node:net";
import type { AddressInfo, Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { createLog } from "../../../kit/log.ts";
import { Forwarder } from "../../../orchestrator/network/dns/forwarder.ts";
import { parseMessage, serializeMessage } from "../../../orchestrator/network/dns/message.ts";
import type { Message } from "../../../orchestrator/network/dns/message.ts";
import { openRecordsFolder } from "../../../orchestrator/network/dns/records-file.ts";
import { startDnsServer } from "../../../orchestrator/network/dns/server.ts";
import type { DnsServer } from "../../../orchestrator/network/dns/server.ts";
import { TcpFrames, frame } from "../../../orchestrator/network/dns/tcp-frames.ts";
import { buildZone, labelsOf } from "../../../orchestrator/network/dns/zone.ts";
import { eventually } from "../../support/eventually.ts";

const log = createLog({ role: "test", level: "silent" });
const manyPods = Array.from({ length: 120 }, (_, at) => ({ address: `10.0.1.${at + 1}`, ports: [] }));
const zone = buildZone({
  version: 1, domain: "cluster.local",
  services: [{ kind: "endpoints", namespace: "default", name: "big", endpoints: manyPods }, { kind: "external", namespace: "default", name: "alias", target: "outside.test" }],
}, 1);

function queryFor(name: string, o: Partial<Message> = {}): Message {
  return {
    id: 77, isResponse: false, opcode: 0, authoritative: false, truncated: false, recursionDesired: true, recursionAvailable: false, code: 0,
    questions: [{ name: labelsOf(name), type: 1, class: 1 }], answers: [], authorities: [], additionals: [], edns: undefined, ...o,
  };
}

async function askUdp(port: number, query: Uint8Array): Promise<Message> {
  const socket = createSocket("udp4");
  try {
    return await new Promise<Message>((resolve, reject) => {
      socket.on("message", (packet) => resolve(parseMessage(packet)));
      socket.on("error", reject);
      socket.send(query, port, "127.0.0.1");
    });
  } finally {
    socket.close();
  }
}

async function askTcp(port: number, bytes: readonly Uint8Array[], answers: number): Promise<readonly Message[]> {
  const socket = connect({ host: "127.0.0.1", port });
  const frames = new TcpFrames(65_535);
  const messages: Message[] = [];
  for (const piece of bytes) socket.write(piece);
  for await (const chunk of socket) {
    if (chunk instanceof Uint8Array) messages.push(...frames.push(chunk).map(parseMessage));
    if (messages.length >= answers) break;
  }
  socket.destroy();
  return messages;
}

type Upstream = { readonly port: number; close(): void; asked(): number };

/** An upstream resolver that knows outside.test, over UDP and TCP on one port; with `lies` it sends a forged answer before the true one. */
async function startUpstream(o: { readonly lies?: boolean; readonly silent?: boolean } = {}): Promise<Upstream> {
  let asked = 0;
  const answerTo = (packet: Uint8Array, address: string, idOffset = 0): Uint8Array => {
    const query = parseMessage(packet);
    return serializeMessage({ ...query, id: (query.id + idOffset) & 0xffff, isResponse: true, recursionAvailable: true, answers: [{ name: query.questions[0]?.name ?? [], ttlSeconds: 60, data: { kind: "a", address } }] }, 4096);
  };
  const { udp, tcp, port } = await bindBoth();
  udp.on("message", (packet, from) => {
    asked += 1;
    if (o.silent === true) return;
    if (o.lies === true) udp.send(answerTo(packet, "6.6.6.6", 1), from.port, from.address);
    udp.send(answerTo(packet, "192.0.2.1"), from.port, from.address);
  });
  tcp.on("connection", (socket) => {
    const frames = new TcpFrames(4096);
    socket.on("data", (chunk) => {
      asked += 1;
      for (const packet of frames.push(chunk)) socket.write(frame(answerTo(packet, "192.0.2.2")));
    });
  });
  return { port, asked: () => asked, close: () => { udp.close(); tcp.close(); } };
}

/** UDP and TCP on one port. */
async function bindBoth(): Promise<{ readonly udp: Socket; readonly tcp: Server; readonly port: number }> {
  return await withFreePort(async () => {
    const tcp = createServer().listen(0, "127.0.0.1");
    await once(tcp, "listening"); // rejects on "error"
    const { port } = tcp.address() as AddressInfo;
    const udp = createSocket("udp4");
    try {
      udp.bind(port, "127.0.0.1");
      await once(udp, "listening");
      return { udp, tcp, port };
    } catch (error) {
      udp.close();
      tcp.close();
      throw error;
    }
  });
}

/** A port that the system gives for one transport may be taken for the other; only the attempt shows it, so there are several. */
async function withFreePort<T>(bind: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await bind();
    } catch (error) {
      if (attempt === 20 || !(error instanceof Error && "code" in error && error.code === "EADDRINUSE")) throw error;
    }
  }
}

describe("the DNS server", { timeout: 180_000 }, () => {
  let server: DnsServer, upstream: Upstream, forwarder: Forwarder;
  before(async () => {
    upstream = await startUpstream({ lies: true });
    forwarder = new Forwarder({ timeoutMs: 5_000, inFlightMax: 4, port: upstream.port });
    forwarder.use(["127.0.0.1"]);
    server = await withFreePort(async () => await startDnsServer({ host: "127.0.0.1", port: 0, domain: "cluster.local", zone: () => zone, forwarder, log }));
  });
  after(async () => {
    upstream.close();
    await server.close();
  });
  const big = "big.default.svc.cluster.local";

  test("truncates what does not fit into 512 bytes, keeping as many addresses as fit", async () => {
    const answer = await askUdp(server.port, serializeMessage(queryFor(big), 512));
    assert.deepEqual([answer.id, answer.truncated, answer.authoritative, answer.code], [77, true, true, 0]);
    assert.equal(answer.answers.length, Math.floor((512 - 12 - 35) / 16));
  });

  test("sends more to a client that takes more", async () => {
    const answer = await askUdp(server.port, serializeMessage(queryFor(big, { edns: { udpBytesMax: 4096, version: 0 } }), 512));
    assert.equal(answer.answers.length, Math.floor((1232 - 12 - 35 - 11) / 16));
  });

  test("sends everything over TCP, also when the question comes in single bytes and twice", async () => {
    const question = frame(serializeMessage(queryFor(big), 512));
    const answers = await askTcp(server.port, [...Array.from(question, (byte) => Uint8Array.of(byte)), question], 2);
    assert.deepEqual(answers.map((answer) => [answer.truncated, answer.answers.length]), [[false, 120], [false, 120]]);
  });

  test("asks upstream over the client's transport and ignores forged answers", async () => {
    const packet = serializeMessage(queryFor("outside.test"), 512);
    const overUdp = await askUdp(server.port, packet);
    const [overTcp] = await askTcp(server.port, [frame(packet)], 1);
    assert.deepEqual([overUdp, overTcp].map((answer) => [answer?.id, answer?.answers[0]?.data]), [[77, { kind: "a", address: "192.0.2.1" }], [77, { kind: "a", address: "192.0.2.2" }]]);
  });

  test("completes an alias to the outside", async () => {
    const answer = await askUdp(server.port, serializeMessage(queryFor("alias.default.svc.cluster.local"), 512));
    assert.deepEqual(answer.answers.map(({ name, data }) => [name.join("."), data.kind]), [["alias.default.svc.cluster.local", "cname"], ["outside.test", "a"]]);
  });

  test("does not answer answers, and lives on after garbage", async () => {
    const socket = createSocket("udp4");
    socket.send(serializeMessage(queryFor(big, { isResponse: true }), 512), server.port, "127.0.0.1");
    socket.send(Uint8Array.of(1, 2, 3), server.port, "127.0.0.1");
    await askTcp(server.port, [Uint8Array.of(0xff, 0xff, 1, 2)], 1).catch(() => []);
    assert.equal((await askUdp(server.port, serializeMessage(queryFor(big), 512))).code, 0);
    socket.close();
  });
});

describe("the forwarder", { timeout: 180_000 }, () => {
  const question = { name: labelsOf("outside.test"), type: 1, class: 1 };
  const packet = serializeMessage(queryFor("outside.test"), 512);

  test("fails at once without upstream resolvers", async () => {
    assert.equal((await new Forwarder({ timeoutMs: 1_000, inFlightMax: 4 }).forward(packet, question, "udp")).kind, "failed");
  });

  test("goes on to the next one when the first does not answer", async (t) => {
    const upstream = await startUpstream();
    t.after(() => upstream.close());
    const forwarder = new Forwarder({ timeoutMs: 5_000, inFlightMax: 4, port: upstream.port });
    forwarder.use(["127.0.0.2", "127.0.0.1"]);
    assert.equal((await forwarder.forward(packet, question, "udp")).kind, "answered");
  });

  test("waits for no more than its number of questions at once, and no longer than its time", async (t) => {
    const upstream = await startUpstream({ silent: true });
    t.after(() => upstream.close());
    const forwarder = new Forwarder({ timeoutMs: 200, inFlightMax: 2, port: upstream.port });
    forwarder.use(["127.0.0.1"]);
    const results = await Promise.all([1, 2, 3].map(async () => await forwarder.forward(packet, question, "udp")));
    assert.deepEqual(results.map(({ kind }) => kind), ["failed", "failed", "failed"]);
    assert.ok(results.some((result) => result.kind === "failed" && /waiting/.test(result.why)));
    assert.equal(forwarder.inFlight, 0);
    // The upstream lives in this process: after a stall the forwarder's timers run before the packets that came meanwhile are read.
    await eventually(() => upstream.asked() >= 2);
    assert.equal(upstream.asked(), 2);
  });
});

describe("the records folder", () => {
  test("keeps the last good records when a file turns bad, and says why", async () => {
    const directory = await mkdtemp(join(tmpdir(), "podkit-records-"));
    const folder = openRecordsFolder({ directory, log });
    await folder.reload();
    const has = (): boolean => folder.zone?.names.has("b.a.svc.cluster.local") === true;
    assert.equal(has(), false);
    assert.match(folder.problem ?? "", /records\.json/);
    await writeFile(join(directory, "records.json"), JSON.stringify({ version: 1, domain: "cluster.local", services: [{ kind: "endpoints", namespace: "a", name: "b", endpoints: [] }] }));
    await writeFile(join(directory, "upstreams.json"), '{"upstreams":["10.0.0.2"]}');
    await folder.reload();
    assert.equal(folder.problem, undefined);
    assert.ok(has());
    await writeFile(join(directory, "records.json"), '{"version":1,');
    await folder.reload();
    assert.match(folder.problem ?? "", /JSON/);
    assert.ok(has());
    assert.deepEqual(folder.upstreams, ["10.0.0.2"]);
    await rm(directory, { recursive: true });
  });
});

test("an address in use is an error at the start", async (t) => {
  const taken = createServer();
  t.after(() => taken.close());
  await once(taken.listen(0, "127.0.0.1"), "listening");
  const address = taken.address() as AddressInfo;
  await assert.rejects(startDnsServer({ host: "127.0.0.1", port: address.port, domain: "cluster.local", zone: () => undefined, forwarder: new Forwarder({ timeoutMs: 1, inFlightMax: 1 }), log }), /EADDRINUSE/);
});
