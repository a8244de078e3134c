import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { createAuthority } from "../../support/certificates.ts";
import { eventually } from "../../support/eventually.ts";
import { startConfigured, startServerBox, type ConfiguredAmbassador, type ServerBox } from "./server-box.ts";
import { openWire, type Place } from "./wire.ts";

// A cluster that speaks TLS alone, with users: every connection that the ambassador makes to any shard, also to one that it meets
// later, is secured and authenticated as the client's user. About 20 s.

const primaries = [7031, 7032, 7033] as const, replicas = [7034, 7035, 7036] as const, ports = [...primaries, ...replicas];
const authority = createAuthority("authority of the cluster");
const serverCertificate = authority.issue("server"), clientCertificate = authority.issue("client");
const users = ["user default on >pw ~* &* +@all", "user alice on >alice-pw ~a:* resetchannels +@all", "user ambassador on >probe-pw ~* &* +@all", ""].join("\n");
const tlsWords = ["--tls", "--cacert", "/tmp/ca.pem", "--cert", "/tmp/cert.pem", "--key", "/tmp/key.pem", "-a", "pw", "--no-auth-warning"];
/** After so long without an answer the nodes give one of them up: a stall of the machine moves nothing, but in the test of a failover. */
const patientMs = 60_000, hastyMs = 2_000;
const wordsOf = (port: number): string[] => [
  "--tls-cert-file", "/tmp/cert.pem", "--tls-key-file", "/tmp/key.pem", "--tls-ca-cert-file", "/tmp/ca.pem", "--tls-replication", "yes", "--tls-cluster", "yes", "--masterauth", "pw", "--aclfile", "/tmp/users.acl",
  "--cluster-enabled", "yes", "--cluster-config-file", `/tmp/nodes-${port}.conf`, "--cluster-node-timeout", String(patientMs), "--cluster-replica-validity-factor", "0", "--cluster-require-full-coverage", "no", "--repl-ping-replica-period", "1",
];

describe("a cluster behind TLS and passwords", () => {
  const folder = mkdtempSync(join(tmpdir(), "podkit-cluster-tls-"));
  let box: ServerBox, ambassador: ConfiguredAmbassador, place: Place;
  const file = (name: string, content: string): string => {
    writeFileSync(join(folder, name), content);
    return join(folder, name);
  };
  const settings = (password: string): object => ({
    listen: { address: "127.0.0.1:0", auth: "server" },
    upstream: {
      mode: "cluster", nodes: [box.address(primaries[0])], addressMap: box.addressMap, username: "ambassador", password,
      tls: { enabled: true, caFile: file("ca.pem", authority.certificate), certFile: file("cert.pem", clientCertificate.certificate), keyFile: file("key.pem", clientCertificate.key), serverName: "localhost" },
    },
    failover: { probeIntervalMs: "200ms", holdMs: "60s" },
  });

  before(async () => {
    box = await startServerBox(ports);
    await Promise.all([
      box.put("/tmp/cert.pem", serverCertificate.certificate), box.put("/tmp/key.pem", serverCertificate.key), box.put("/tmp/ca.pem", authority.certificate), box.put("/tmp/users.acl", users),
    ]);
    await Promise.all(ports.map(async (port) => await box.tlsServer(port, ...wordsOf(port))));
    await box.cli(primaries[0], ...tlsWords, "--cluster", "create", ...ports.map((port) => `127.0.0.1:${port}`), "--cluster-replicas", "1", "--cluster-yes");
    ambassador = await startConfigured(settings("probe-pw"));
    await ambassador.ready();
    await eventually(async () => [...(await ambassador.metrics()).matchAll(/replica_eligible\{[^}]*\} 1$/gm)].length === 3, { timeoutMs: 60_000, what: "three readable replicas" });
    place = await ambassador.place();
  });
  after(async () => {
    await ambassador[Symbol.asyncDispose]();
    await box[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true });
  });

  test("a stranger is told to authenticate, a wrong password is refused, and so is what a user may not", async () => {
    await using wire = await openWire(place);
    assert.equal(await wire.one("GET", "a:1"), "-NOAUTH Authentication required.\r\n");
    assert.match(await wire.one("AUTH", "alice", "wrong"), /^-WRONGPASS /);
    assert.equal(await wire.one("AUTH", "alice", "alice-pw"), "+OK\r\n");
    assert.equal(await wire.one("SET", "a:1", "hers"), "+OK\r\n");
    assert.match(await wire.one("SET", "b:1", "not hers"), /^-NOPERM /);
    assert.equal(await wire.one("GET", "a:1"), "$4\r\nhers\r\n");
  });

  test("each user's commands reach every shard as that user, split ones and read ones too", async () => {
    await using wire = await openWire(place);
    await wire.one("AUTH", "alice", "alice-pw");
    const keys = Array.from({ length: 200 }, (_, index) => `a:many:${index}`);
    assert.equal(await wire.one("MSET", ...keys.flatMap((key) => [key, "v"])), "+OK\r\n");
    assert.equal(await wire.one("MGET", ...keys), `*200\r\n${"$1\r\nv\r\n".repeat(200)}`);
    assert.match(await wire.one("MGET", ...keys, "b:1"), /^-NOPERM /);
    assert.equal(await wire.one("DEL", ...keys), ":200\r\n");
    await using other = await openWire(place);
    await other.one("AUTH", "default", "pw");
    assert.equal(await other.one("MSET", "b:1", "1", "c:1", "2", "d:1", "3"), "+OK\r\n");
    assert.equal(await other.one("MGET", "b:1", "c:1", "d:1"), "*3\r\n$1\r\n1\r\n$1\r\n2\r\n$1\r\n3\r\n");
    assert.equal(await other.one("ACL", "WHOAMI"), "$7\r\ndefault\r\n");
    assert.equal(await wire.one("ACL", "WHOAMI"), "$5\r\nalice\r\n");
  });

  test("after a primary's end the promoted replica is reached with certificates and passwords too", async () => {
    await using wire = await openWire(place);
    await wire.one("AUTH", "alice", "alice-pw");
    const keys = Array.from({ length: 60 }, (_, index) => `a:after:${index}`);
    for (const key of keys) assert.equal(await wire.one("SET", key, "1"), "+OK\r\n");
    // The replicas must have what is about to be lost with the primary.
    assert.match(await wire.one("WAIT", "1", "30000"), /^:[1-9]/);
    const living = ports.filter((port) => port !== primaries[1]);
    const giveUpAfter = async (ms: number): Promise<void> => void await Promise.all(living.map(async (port) => await box.cli(port, ...tlsWords, "config", "set", "cluster-node-timeout", String(ms))));
    await box.kill(primaries[1]);
    await giveUpAfter(hastyMs);
    const uncertain: string[] = [];
    for (const key of keys) {
      const reply = await wire.one("INCR", key);
      // What was on its way to the server that died is told as uncertain, and not repeated: the value says which it is.
      if (reply.startsWith("-ERR podkit ambassador: the command was sent, but its reply was lost")) uncertain.push(key);
      else assert.equal(reply, ":2\r\n", key);
      if (uncertain.at(-1) === key && (await wire.one("GET", key)) === "$1\r\n1\r\n") assert.equal(await wire.one("INCR", key), ":2\r\n", key);
    }
    assert.ok(uncertain.length <= 1, `one client has one command on its way at most: ${uncertain.join(", ")}`);
    assert.equal(await wire.one("MGET", ...keys), `*60\r\n${"$1\r\n2\r\n".repeat(60)}`);
    await giveUpAfter(patientMs);
  });

  test("a wrong password of the ambassador's own is told, without the password", async () => {
    await using wrong = await startConfigured(settings("s3cret-but-wrong"));
    const text = await eventually(async () => {
      const readiness = await wrong.readiness().catch(() => "");
      return /WRONGPASS|password/i.test(readiness) ? readiness : undefined;
    }, { what: "the reason in /readyz" });
    assert.doesNotMatch(text + wrong.log, /s3cret-but-wrong/);
  });
});
