import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { createAuthority } from "../../support/certificates.ts";
import { eventually } from "../../support/eventually.ts";
import type { ServerImage } from "../../support/redis-topology.ts";
import { startConfigured, startServerBox, type ServerBox } from "./server-box.ts";
import { openTlsWire, openWire, type Place, type Wire } from "./wire.ts";

// Certificates and users on both sides of the ambassador, on every kind of server. About 30 s.

const primary = 7021, replica = 7022;
const authority = createAuthority("authority of the test"), stranger = createAuthority("another authority");
const serverCertificate = authority.issue("server"), clientCertificate = authority.issue("client");
const mine = { servername: "localhost", ca: authority.certificate, cert: clientCertificate.certificate, key: clientCertificate.key };
/** alice may do everything to keys of hers, bob may read his, the ambassador probes and proves. */
const users = [
  "user default on >pw ~* &* +@all", "user alice on >alice-pw ~a:* resetchannels +@all", "user bob on >bob-pw ~b:* resetchannels +get +set +ping +info",
  "user ambassador on >probe-pw ~* &* +@all", "",
].join("\n");
const tlsWords = ["--tls", "--cacert", "/tmp/ca.pem", "--cert", "/tmp/cert.pem", "--key", "/tmp/key.pem", "-a", "pw", "--no-auth-warning"];

async function startServers(image: ServerImage): Promise<{ readonly box: ServerBox; readonly start: (port: number) => Promise<void> }> {
  const box = await startServerBox([primary, replica], image);
  try {
    await Promise.all([
      box.put("/tmp/cert.pem", serverCertificate.certificate), box.put("/tmp/key.pem", serverCertificate.key), box.put("/tmp/ca.pem", authority.certificate), box.put("/tmp/users.acl", users),
    ]);
    const words = ["--tls-cert-file", "/tmp/cert.pem", "--tls-key-file", "/tmp/key.pem", "--tls-ca-cert-file", "/tmp/ca.pem", "--tls-replication", "yes", "--masterauth", "pw", "--aclfile", "/tmp/users.acl"];
    const start = async (port: number): Promise<void> => await box.tlsServer(port, ...words, ...(port === replica ? ["--replicaof", `127.0.0.1 ${primary}`] : []));
    await Promise.all([start(primary), start(replica)]);
    await box.replicas(primary, 1, ...tlsWords);
    return { box, start };
  } catch (error) {
    await box[Symbol.asyncDispose]();
    throw error;
  }
}

/**
 * Sends the same to the ambassador, all at once, and to the server itself, as whoever was authenticated before, and compares
 * every reply. The server is asked one by one: from 7.2 on it leaves a failed AUTH without a reply when another reply waits
 * before it (redis/redis#15640), and the ambassador must not let that happen to its clients.
 */
async function same(through: Wire, direct: Wire, requests: readonly (readonly string[])[], what: string): Promise<void> {
  const expected: string[] = [];
  for (const request of requests) expected.push(await direct.one(...request));
  assert.deepEqual(await through.ask(...requests), expected, what);
}

const denied = /^-NOPERM /;

async function drill(t: TestContext, image: ServerImage): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "podkit-tls-"));
  const file = (name: string, content: string): string => {
    const path = join(folder, name);
    writeFileSync(path, content);
    return path;
  };
  const caFile = file("ca.pem", authority.certificate), certFile = file("client.pem", clientCertificate.certificate), keyFile = file("client-key.pem", clientCertificate.key);
  const listenCertificate = authority.issue("ambassador"), socketPath = join(folder, "redis.sock");
  const { box, start } = await startServers(image);
  await using _box = box;
  const upstream = { nodes: [box.address(primary), box.address(replica)], username: "ambassador", password: "probe-pw" };
  const tls = { enabled: true, caFile, certFile, keyFile, serverName: "localhost" };
  await using ambassador = await startConfigured({
    listen: { address: "127.0.0.1:0", socketPath, auth: "server", tls: { certFile: file("listen.pem", listenCertificate.certificate), keyFile: file("listen-key.pem", listenCertificate.key), clientCaFile: caFile } },
    upstream: { ...upstream, tls }, failover: { probeIntervalMs: "200ms", holdMs: "120s" },
  });
  await ambassador.sees(box.address(primary), 1);
  const place = await ambassador.place();
  const opened = new AsyncDisposableStack();
  const overTls = async (): Promise<Wire> => opened.use(await openTlsWire({ ...place, ...mine }));
  const overSocket = async (): Promise<Wire> => opened.use(await openWire({ path: socketPath }));
  const direct = async (): Promise<Wire> => opened.use(await openTlsWire({ ...box.place(primary), ...mine }));

  try {
    await t.test("without AUTH, with a wrong password and as a user that is none, TCP and the Unix socket answer as the server", async () => {
      for (const open of [overTls, overSocket]) {
        await same(await open(), await direct(), [["GET", "a:1"], ["SET", "a:1", "x"], ["MULTI"], ["AUTH", "alice", "wrong"], ["AUTH", "nobody", "x"], ["AUTH", "x"], ["HELLO", "3", "AUTH", "alice", "wrong"], ["GET", "a:1"]], "not authenticated");
        // Redis 7.0 words the rest of it otherwise.
        assert.match(await (await open()).one("HELLO", "3"), /^-NOAUTH HELLO must be called with the client already authenticated/);
      }
    });

    await t.test("every user may what the server lets them, whoever else is connected, over TCP and the Unix socket", async () => {
      const work = async (open: () => Promise<Wire>, user: string, own: string, foreign: string): Promise<void> => {
        const [wire, plain] = [await open(), await direct()];
        await same(wire, plain, [["AUTH", user, `${user}-pw`]], "AUTH");
        assert.deepEqual(await wire.ask(["SET", `${own}:seen`, user]), ["+OK\r\n"]);
        for (let round = 0; round < 60; round += 1) {
          const replies = await wire.ask(["SET", `${own}:${user}`, String(round)], ["GET", `${own}:${user}`], ["GET", `${foreign}:seen`], ["SET", `${foreign}:seen`, "x"], ["GET", `${own}:seen`]);
          assert.deepEqual([replies[0], replies[1], replies[4]], ["+OK\r\n", `$${String(round).length}\r\n${round}\r\n`, `$${user.length}\r\n${user}\r\n`]);
          assert.match(replies[2] ?? "", denied);
          assert.match(replies[3] ?? "", denied);
        }
        await same(wire, plain, [["GET", `${foreign}:seen`], ["MGET", `${own}:seen`, `${foreign}:seen`], ["ACL", "WHOAMI"], ["CONFIG", "GET", "maxmemory"], ["MULTI"], ["GET", `${foreign}:seen`], ["EXEC"], ["RESET"], ["GET", `${own}:seen`]], `${user} compared with the server`);
      };
      await Promise.all([work(overTls, "alice", "a", "b"), work(overSocket, "alice", "a", "b"), work(overSocket, "bob", "b", "a"), work(overTls, "bob", "b", "a")]);
    });

    await t.test("while the primary is away clients wait, and remain who they were", async () => {
      const alice = await overTls(), bob = await overSocket();
      assert.deepEqual([await alice.one("HELLO", "3", "AUTH", "alice", "alice-pw").then((reply) => reply[0]), await bob.one("AUTH", "bob", "bob-pw")], ["%", "+OK\r\n"]);
      assert.deepEqual([...(await alice.ask(["SET", "a:k", "1"], ["GET", "a:k"])), await bob.one("SET", "b:k", "1")], ["+OK\r\n", "$1\r\n1\r\n", "+OK\r\n"]);
      await box.kill(primary);
      await eventually(async () => /no primary is known/.test(await ambassador.readiness()), { what: "the loss noticed" });
      alice.send(["SET", "a:k", "2"], ["GET", "a:k"], ["SET", "b:k", "alice was here"]);
      bob.send(["SET", "b:k", "2"], ["GET", "b:k"], ["SET", "a:k", "bob was here"]);
      await start(primary);
      const [told, toldBob] = [await alice.replies(3), await bob.replies(3)];
      assert.deepEqual([...told.slice(0, 2), ...toldBob.slice(0, 2)], ["+OK\r\n", "$1\r\n2\r\n", "+OK\r\n", "$1\r\n2\r\n"]);
      assert.match(told[2] ?? "", denied);
      assert.match(toldBob[2] ?? "", denied);
      await ambassador.sees(box.address(primary), 1);
    });

    await t.test("who has no certificate, or one of another authority, gets nowhere on either side", async () => {
      const foreign = stranger.issue("client");
      for (const other of [{ ...mine, cert: undefined, key: undefined }, { ...mine, cert: foreign.certificate, key: foreign.key }]) assert.equal(await firstReply(place, other), "");
      const wrong: readonly (readonly [object, RegExp])[] = [
        [{ ...tls, caFile: file("stranger.pem", stranger.certificate) }, /shows a certificate that is not trusted \(.+\); see upstream\.tls\.caFile/],
        [{ enabled: true, caFile, serverName: "localhost" }, /refuses our certificate \(.+\); see upstream\.tls\.certFile/],
        [{ ...tls, certFile: file("foreign.pem", foreign.certificate), keyFile: file("foreign-key.pem", foreign.key) }, /refuses our certificate \(.+\); see upstream\.tls\.certFile/],
      ];
      await Promise.all(wrong.map(async ([settings, expected]) => {
        await using misled = await startConfigured({ upstream: { ...upstream, tls: settings } });
        await eventually(async () => expected.test(await misled.readiness()) || assert.fail(await misled.readiness()), { what: String(expected) });
      }));
    });
    assert.ok(!/probe-pw|alice-pw|bob-pw/.test(ambassador.log), "no password in the log");
  } finally {
    await opened.disposeAsync();
    rmSync(folder, { recursive: true });
  }
}

async function firstReply(place: Place, options: object): Promise<string> {
  try {
    await using wire = await openTlsWire({ ...place, ...options });
    return await wire.one("PING");
  } catch {
    return "";
  }
}

for (const image of ["redis", "redis7", "valkey"] as const) test(`${image}: TLS, client certificates, users and the Unix socket`, async (t) => await drill(t, image));
