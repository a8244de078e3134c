import assert from "node:assert/strict";
import { connect as connectTls } from "node:tls";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { createAuthority } from "../../support/certificates.ts";
import { eventually } from "../../support/eventually.ts";
import { unusedPort } from "../../support/own-port.ts";
import { startConfigured, startServerBox, type ServerBox } from "./server-box.ts";
import { openTlsWire, openWire, type Place, type Wire } from "./wire.ts";

// How the ambassador finds its servers, takes its clients in and takes over changed settings. About 45 s.

/** A primary and two replicas, three sentinels, two servers with TLS and a password, a node of a cluster. */
const servers = [7001, 7002, 7003] as const, sentinels = [7011, 7012, 7013] as const, tlsServers = [7021, 7022] as const, clusterNode = 7031, lonely = 7041;
/** What the sentinels wait before they give the primary up: so long that a stall of the machine moves nothing, but in the test of a failover. */
const patientMs = 120_000, hastyMs = 1_000;
let box: ServerBox;
const folder = mkdtempSync(join(tmpdir(), "podkit-control-plane-"));
const authority = createAuthority("authority of the test"), stranger = createAuthority("another authority");
const serverCertificate = authority.issue("server"), clientCertificate = authority.issue("client");
const file = (name: string, content: string): string => {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
};
const caFile = file("ca.pem", authority.certificate), certFile = file("client.pem", clientCertificate.certificate), keyFile = file("client-key.pem", clientCertificate.key);
const serverTls = ["--tls-cert-file", "/tmp/cert.pem", "--tls-key-file", "/tmp/key.pem", "--tls-ca-cert-file", "/tmp/ca.pem", "--tls-replication", "yes", "--requirepass", "pw", "--masterauth", "pw"];

/** A sentinel that speaks TLS alone and wants a password. */
const tlsSentinel = 7023;

before(async () => {
  box = await startServerBox([...servers, ...sentinels, ...tlsServers, tlsSentinel, clusterNode, lonely]);
  await Promise.all([box.put("/tmp/cert.pem", serverCertificate.certificate), box.put("/tmp/key.pem", serverCertificate.key), box.put("/tmp/ca.pem", authority.certificate)]);
  await Promise.all([
    box.server(7001), box.server(7002, "--replicaof", "127.0.0.1 7001"), box.server(7003, "--replicaof", "127.0.0.1 7001"),
    box.tlsServer(7021, ...serverTls), box.tlsServer(7022, ...serverTls, "--replicaof", "127.0.0.1 7021"),
    box.sentinel(tlsSentinel, "tls-replication yes", "tls-cert-file /tmp/cert.pem", "tls-key-file /tmp/key.pem", "tls-ca-cert-file /tmp/ca.pem", "requirepass spw",
      "sentinel monitor safe 127.0.0.1 7021 1", "sentinel auth-pass safe pw", `tls-port ${tlsSentinel}`, "port 0"),
    box.server(clusterNode, "--cluster-enabled", "yes", "--cluster-config-file", "/tmp/nodes.conf"), box.server(lonely),
  ]);
  await box.replicas(7001, 2);
  await Promise.all(sentinels.map(async (port) => await box.sentinel(port, "sentinel monitor pair 127.0.0.1 7001 2", `sentinel down-after-milliseconds pair ${patientMs}`, "sentinel failover-timeout pair 4000")));
});
after(async () => {
  await box[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

const listed = (): readonly string[] => servers.map((port) => box.address(port));
const refused = async (place: Place): Promise<boolean> => {
  try {
    await using wire = await openWire(place);
    return (await wire.one("PING")) === "";
  } catch {
    return true;
  }
};

const openTls = async (place: Place, options: object): Promise<Wire> => await openTlsWire({ ...place, servername: "localhost", ca: authority.certificate, ...options });

test("the primary and the other replica are discovered from one replica, through mapped addresses", async () => {
  await using ambassador = await startConfigured({ upstream: { nodes: [box.address(7002)], discover: true, addressMap: box.addressMap } });
  await ambassador.ready();
  await ambassador.sees(box.address(7001), 2);
  await using wire = await openWire(await ambassador.place());
  assert.deepEqual(await wire.ask(["SET", "d", "1"], ["GET", "d"]), ["+OK\r\n", "$1\r\n1\r\n"]);
});

test("a changed configuration takes effect while clients stay, a wrong one does not and is told", async (t) => {
  await box.cli(7001, "acl", "setuser", "reader", "on", ">first", "~*", "&*", "+@all");
  for (const port of [7002, 7003]) await box.cli(port, "acl", "setuser", "reader", "on", ">first", "~*", "&*", "+@all");
  const base = { upstream: { nodes: listed() } };
  await using ambassador = await startConfigured(base);
  await ambassador.ready();
  const old = await ambassador.place();
  await using transaction = await openWire(old);
  await using blocked = await openWire(old);
  await using subscriber = await openWire(old);
  await using busy = await openWire(old);
  assert.deepEqual(await transaction.ask(["MULTI"], ["SET", "r", "1"], ["GET", "r"]), ["+OK\r\n", "+QUEUED\r\n", "+QUEUED\r\n"]);
  blocked.send(["BLPOP", "list", "0"]);
  await subscriber.one("SUBSCRIBE", "news");
  const over = new AbortController();
  let rounds = 0;
  const work = (async () => {
    while (!over.signal.aborted && !busy.closed) {
      const value = String(++rounds);
      assert.deepEqual(await busy.ask(["SET", "b", value], ["GET", "b"], ["INCR", "n"]).then((replies) => replies.slice(0, 2)), ["+OK\r\n", `$${value.length}\r\n${value}\r\n`]);
    }
  })();
  const more = async (): Promise<void> => {
    const from = rounds;
    await eventually(() => rounds > from + 20, { what: "the busy client going on" });
  };

  await t.test("policy, consistency and limits", async () => {
    await ambassador.configure({ ...base, listen: { address: "127.0.0.1:0" }, reads: { policy: "primary", consistency: "eventual" } });
    await more();
    await ambassador.configure({ ...base, listen: { address: "127.0.0.1:0" }, reads: { policy: "round-robin", consistency: "pod" } });
    await more();
  });

  await t.test("another user towards the servers", async () => {
    await ambassador.configure({ ...base, listen: { address: "127.0.0.1:0" }, upstream: { ...base.upstream, username: "reader", password: "first" } });
    await more();
    await using wire = await openWire(await ambassador.place());
    assert.equal(await wire.one("ACL", "WHOAMI"), "$6\r\nreader\r\n");
  });

  await t.test("fewer servers, and more", async () => {
    await ambassador.configure({ upstream: { nodes: listed().slice(0, 2) } , listen: { address: "127.0.0.1:0" } });
    await ambassador.sees(box.address(7001), 1);
    await more();
    await ambassador.configure({ ...base, listen: { address: "127.0.0.1:0" } });
    await ambassador.sees(box.address(7001), 2);
    await more();
  });

  await t.test("a setting that is wrong, a port in use, and what cannot change", async () => {
    for (const [settings, expected] of [
      [{ ...base, reads: { policy: "weihgted" } }, /\[-\]config failed: .*did you mean "weighted"/],
      [{ ...base, listen: { address: `127.0.0.1:${new URL(`http://${await adminOf(ambassador.log)}`).port}` } }, /\[-\]config failed: Cannot listen on 127\.0\.0\.1:\d+: another process/],
      [{ ...base, upstream: { ...base.upstream, mode: "cluster" } }, /\[-\]config failed: upstream\.mode cannot change from standalone to cluster while running/],
      [{ ...base, listen: { tls: { certFile: "/nowhere.pem", keyFile: "/nowhere.pem" } } }, /\[-\]config failed: Cannot read listen\.tls\.certFile \(\/nowhere\.pem\)/],
    ] as const) {
      await ambassador.offer(settings);
      await eventually(async () => expected.test(await ambassador.readiness()), { what: String(expected) });
      await more();
    }
    await ambassador.configure({ ...base, listen: { address: "127.0.0.1:0" }, log: { level: "debug" } });
    assert.match(await ambassador.readiness(), /\[\+\]config ok/);
  });

  await t.test("another address to listen on", async () => {
    const port = await unusedPort();
    await ambassador.configure({ ...base, listen: { address: `127.0.0.1:${port}` } });
    await using wire = await openWire({ host: "127.0.0.1", port });
    assert.equal(await wire.one("PING"), "+PONG\r\n");
    assert.ok(await refused(old), "nothing new at the old address");
    await more();
  });

  over.abort();
  await work;
  assert.deepEqual(await transaction.ask(["EXEC"]), ["*2\r\n+OK\r\n$1\r\n1\r\n"]);
  assert.equal(await box.cli(7001, "rpush", "list", "x"), "1");
  assert.deepEqual(await blocked.replies(1), ["*2\r\n$4\r\nlist\r\n$1\r\nx\r\n"]);
  await box.cli(7001, "publish", "news", "hello");
  assert.deepEqual(await subscriber.replies(1), ["*3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$5\r\nhello\r\n"]);
});

const adminOf = async (log: string): Promise<string> => await Promise.resolve(/"admin":"([^"]+)"/.exec(log)?.[1] ?? "");

test("TLS and passwords on both sides, with certificates that are replaced", async () => {
  const first = authority.issue("ambassador"), second = authority.issue("ambassador, renewed");
  const listenCert = file("listen.pem", first.certificate), listenKey = file("listen-key.pem", first.key);
  await using ambassador = await startConfigured({
    listen: { address: "127.0.0.1:0", tls: { certFile: listenCert, keyFile: listenKey, clientCaFile: caFile } },
    upstream: { nodes: tlsServers.map((port) => box.address(port)), password: "pw", tls: { enabled: true, caFile, certFile, keyFile, serverName: "localhost" } },
  });
  await ambassador.sees(box.address(7021), 1);
  const place = await ambassador.place(), mine = { cert: clientCertificate.certificate, key: clientCertificate.key };
  await using wire = await openTls(place, mine);
  const big = "x".repeat(3_000_000);
  assert.deepEqual(await wire.ask(["SET", "t", big], ["GET", "t"], ["STRLEN", "t"]), ["+OK\r\n", `$3000000\r\n${big}\r\n`, ":3000000\r\n"]);
  const values = Array.from({ length: 400 }, (_, index) => `${index} `.repeat((index * index * 7) % 20_000));
  assert.ok((await wire.ask(...values.map((value, index) => ["SET", `t${index}`, value]))).every((reply) => reply === "+OK\r\n"));
  const got = await wire.ask(...values.map((_, index) => ["GET", `t${index}`]));
  assert.ok(values.every((value, index) => got[index] === `$${value.length}\r\n${value}\r\n`), "every value as it was, whatever its size");
  assert.ok(await refused(place), "a client without TLS");
  await using nameless = await openTls(place, {});
  assert.equal(await nameless.one("PING"), "", "a client without a certificate");
  const foreign = stranger.issue("client");
  await using unknown = await openTls(place, { cert: foreign.certificate, key: foreign.key });
  assert.equal(await unknown.one("PING"), "", "a client with a certificate of another authority");

  file("listen.pem", second.certificate);
  file("listen-key.pem", second.key);
  await eventually(async () => {
    const socket = connectTls({ ...place, servername: "localhost", ca: authority.certificate, ...mine });
    const subject = await new Promise<string>((resolve, reject) => {
      socket.once("secureConnect", () => resolve(String(socket.getPeerCertificate().subject.CN)));
      socket.once("error", reject);
    }).finally(() => socket.destroy());
    return subject === "ambassador, renewed";
  }, { what: "the renewed certificate in use" });
  assert.equal(await wire.one("STRLEN", "t"), ":3000000\r\n", "the older connection goes on");
});

test("sentinels with TLS and a password of their own", async () => {
  const tls = { enabled: true, caFile, certFile, keyFile, serverName: "localhost" };
  await using ambassador = await startConfigured({
    upstream: { mode: "sentinel", password: "pw", tls, addressMap: box.addressMap, sentinel: { masterName: "safe", nodes: [box.address(tlsSentinel)], password: "spw", tls } },
  });
  await ambassador.sees(box.address(7021), 1);
  await using wire = await openWire(await ambassador.place());
  assert.deepEqual(await wire.ask(["SET", "safe", "1"], ["GET", "safe"]), ["+OK\r\n", "$1\r\n1\r\n"]);
});

test("a client that has not authenticated gets what a server with a password gives", async (t) => {
  await box.cli(lonely, "config", "set", "requirepass", "gate");
  /** How many replies come before the connection is quiet; of those that the server ends, all of them. */
  const untilEnd = Number.POSITIVE_INFINITY;
  const sessions: readonly (readonly [name: string, replies: number, bytes: string])[] = [
    ["refused", 4, "GET a\r\nSET a 1\r\nHELLO\r\nHELLO 3\r\n"],
    ["a wrong password", 1, "AUTH wrong\r\n"],
    ["a password, and RESET", untilEnd, "AUTH gate\r\nSET a 1\r\nGET a\r\nRESET\r\nGET a\r\nAUTH default gate\r\nGET a\r\nQUIT\r\n"],
    ["too many words", untilEnd, "*11\r\n$3\r\nGET\r\n"],
    ["a long word", untilEnd, "*2\r\n$3\r\nGET\r\n$16385\r\n"],
    ["many words after AUTH", 2, `*2\r\n$4\r\nAUTH\r\n$4\r\ngate\r\n*12\r\n$4\r\nMGET\r\n${"$1\r\na\r\n".repeat(11)}`],
    ["no transaction", 6, "MULTI\r\nSUBSCRIBE x\r\nAUTH gate\r\nMULTI\r\nGET a\r\nEXEC\r\n"],
    ["a web browser", untilEnd, "POST / HTTP/1.1\r\nHost: x\r\n\r\n"],
  ];
  const tell = async (place: Place, count: number, bytes: string): Promise<string> => {
    await using wire = await openWire(place);
    wire.write(bytes);
    const replies = await wire.replies(count);
    // What is one too many would stand before the answer to this.
    if (!wire.closed) replies.push(await wire.one("PING"));
    return replies.join("") + (wire.closed ? "<end>" : "");
  };
  for (const [mode, settings] of [
    ["a password of the ambassador's own", { listen: { address: "127.0.0.1:0", auth: "password", password: "gate" }, upstream: { nodes: [box.address(lonely)], password: "gate" } }],
    ["a user of the servers", { listen: { address: "127.0.0.1:0", auth: "server" }, upstream: { nodes: [box.address(lonely)], password: "gate" } }],
  ] as const) {
    await t.test(mode, async () => {
      await using ambassador = await startConfigured(settings);
      await ambassador.ready();
      const place = await ambassador.place();
      await Promise.all(sessions.map(async ([name, count, bytes]) => assert.equal(await tell(place, count, bytes), await tell(box.place(lonely), count, bytes), name)));
    });
  }
});

test("what is wrong with the servers is told with place and remedy", { concurrency: 5 }, async (t) => {
  const anonymous = { enabled: true, caFile, serverName: "localhost" }, tls = { ...anonymous, certFile, keyFile };
  const cases: readonly (readonly [name: string, upstream: object, expected: RegExp])[] = [
    ["nothing listens, and no such name", { nodes: ["127.0.0.1:9", "redis.invalid:6379"] }, /server 127\.0\.0\.1:9 refuses connections; .*; server redis\.invalid:6379 has a name that cannot be resolved.*upstream\.nodes/],
    ["a wrong password", { nodes: [box.address(7021)], password: "no", tls }, /refuses the user or the password; correct upstream\.username, upstream\.password/],
    ["no password", { nodes: [box.address(7021)], tls }, /requires a password; set upstream\.username, upstream\.password/],
    ["a password too many", { nodes: [box.address(7001)], password: "pw" }, /has no password, but one is configured/],
    ["no certificate of our own", { nodes: [box.address(7021)], password: "pw", tls: anonymous }, /refuses our certificate \(tlsv13 alert certificate required\); see upstream\.tls\.certFile/],
    ["no TLS", { nodes: [box.address(7021)], password: "pw" }, /ends the connection.*upstream\.tls\.enabled/],
    ["TLS where there is none", { nodes: [box.address(7001)], tls }, /it speaks no TLS: see upstream\.tls\.enabled/],
    ["an authority that is not trusted", { nodes: [box.address(7021)], password: "pw", tls: { ...tls, caFile: file("stranger.pem", stranger.certificate) } }, /not trusted.*upstream\.tls\.caFile/],
    ["another name in the certificate", { nodes: [box.address(7021)], password: "pw", tls: { ...tls, serverName: "redis.example" } }, /not trusted.*upstream\.tls\.serverName/],
    ["replicas alone", { nodes: [box.address(7002), box.address(7003)] }, /is a replica; .*name the primary too in upstream\.nodes, or set upstream\.discover/],
    ["a sentinel among the servers", { nodes: [box.address(7011)] }, /is a sentinel; set upstream\.mode to sentinel/],
    ["a cluster taken for a server", { nodes: [box.address(clusterNode)] }, /is a node of a Redis Cluster; set upstream\.mode to cluster/],
    ["a server taken for a cluster", { mode: "cluster", nodes: [box.address(7001)] }, /server .* does not run in cluster mode; correct upstream\.nodes or upstream\.mode/],
    ["a wrong name of the set", { mode: "sentinel", nodes: [box.address(7011)], sentinel: { masterName: "nobody" } }, /watches no primary by the name "nobody" \(upstream\.sentinel\.masterName\); it knows "pair"/],
    ["a server taken for a sentinel", { mode: "sentinel", nodes: [box.address(7001)], sentinel: { masterName: "pair" } }, /is no sentinel but a Redis server; name the sentinels/],
  ];
  await Promise.all(cases.map(async ([name, upstream, expected]) => await t.test(name, async () => {
    await using ambassador = await startConfigured({ upstream });
    await eventually(async () => expected.test(await ambassador.readiness()) || assert.fail(await ambassador.readiness()), { timeoutMs: 90_000, what: name });
    await eventually(() => ambassador.log.split("\n").some((line) => line.includes("Commands cannot be served") && expected.test(line.replaceAll("\\\"", "\""))) || assert.fail(ambassador.log), { what: "the same in the log" });
  })));
});

test("a port in use and a certificate that is not there end it at once, with the reason", async () => {
  await using holder = await startConfigured({ upstream: { nodes: [box.address(7001)] } });
  const address = `127.0.0.1:${await holder.port()}`;
  await using second = await startConfigured({ listen: { address }, upstream: { nodes: [box.address(7001)] } });
  assert.equal(await second.exited, 78);
  assert.match(second.log, new RegExp(`Cannot listen on ${address}: another process of this Pod listens there already.*PODKIT_LISTEN`));
  await using third = await startConfigured({ upstream: { nodes: [box.address(7001)], tls: { enabled: true, caFile: "/nowhere.pem" } } });
  assert.equal(await third.exited, 78);
  assert.match(third.log, /Cannot read upstream\.tls\.caFile \(\/nowhere\.pem\)/);
});

test("Sentinel: the primary dies, so does a sentinel, and clients see a pause", async () => {
  await eventually(async () => [...(await box.cli(7013, "sentinel", "replicas", "pair")).matchAll(/^name$/gm)].length === 2, { timeoutMs: 60_000, what: "the sentinels knowing both replicas" });
  await using ambassador = await startConfigured({ upstream: { mode: "sentinel", nodes: [box.address(7011)], sentinel: { masterName: "pair" }, addressMap: box.addressMap }, failover: { holdMs: "120s" } });
  await ambassador.sees(box.address(7001), 2);
  const place = await ambassador.place();
  await using wire = await openWire(place);
  const replies: string[] = [];
  const over = new AbortController();
  const writes = (async () => {
    while (!over.signal.aborted && !wire.closed) {
      wire.send(["INCR", "s"]);
      replies.push(...await wire.replies(1, 120_000));
    }
  })();
  await eventually(() => replies.length > 50);
  await box.kill(7001);
  await giveUpAfter(hastyMs);
  // A first attempt that fails, because a replica too was late, is made again after twice the failover-timeout.
  const promoted = await eventually(async () => await primaryAmong(7002, 7003), { timeoutMs: 90_000, what: "a promoted replica" });
  await giveUpAfter(patientMs);
  await ambassador.sees(box.address(promoted), 1);
  const before = replies.length;
  await eventually(() => replies.length > before + 50, { what: "writes after the failover" });
  // The one sentinel that the settings name is lost: the others were learnt from it.
  await box.kill(7011);
  await box.server(7001);
  await ambassador.sees(box.address(promoted), 2);
  over.abort();
  await writes;
  const odd = replies.filter((reply) => !/^:\d+\r\n$/.test(reply));
  assert.ok(odd.length <= 1 && odd.every((reply) => reply.includes("may or may not have been executed")), odd.join(""));
  assert.equal(replies.length - odd.length <= Number(await box.cli(promoted, "get", "s")), true, "no acknowledged write of this client is missing");
});

async function giveUpAfter(downAfterMs: number): Promise<void> {
  for (const port of sentinels) await box.cli(port, "sentinel", "set", "pair", "down-after-milliseconds", String(downAfterMs));
}

async function primaryAmong(...ports: readonly number[]): Promise<number | undefined> {
  for (const port of ports) if ((await box.cli(port, "role")).startsWith("master")) return port;
  return undefined;
}
