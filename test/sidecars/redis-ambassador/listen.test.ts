import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { connect, type NetConnectOpts, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { connect as connectTls } from "node:tls";
import { ListenError, Listeners, type ListenSettings } from "../../../sidecars/redis-ambassador/listener/listen.ts";
import { createAuthority } from "../../support/certificates.ts";
import { unusedPort } from "../../support/own-port.ts";

const folder = mkdtempSync(join(tmpdir(), "podkit-listen-"));
after(() => rmSync(folder, { recursive: true }));

const authority = createAuthority("authority"), certificate = authority.issue("ambassador");
const tls = { cert: certificate.certificate, key: certificate.key };
const plain: ListenSettings = { address: { host: "127.0.0.1", port: 0 }, socketPath: undefined, tls: undefined };

/** Listeners that answer every piece of data with the same. */
async function echoing(settings: ListenSettings): Promise<Listeners & AsyncDisposable> {
  const sockets = new Set<Socket>();
  const listeners = await Listeners.open(settings, (socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    socket.on("data", (bytes) => socket.write(bytes));
  });
  return Object.assign(listeners, {
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      await listeners.close();
    },
  });
}

async function reach(to: NetConnectOpts): Promise<Socket> {
  const socket = connect(to);
  await once(socket, "connect");
  socket.on("error", () => undefined);
  return socket;
}

async function echoes(socket: Socket, text = "hello"): Promise<boolean> {
  socket.write(text);
  const [bytes] = await Promise.race([once(socket, "data"), once(socket, "close").then(() => [""])]) as [Buffer | string];
  return String(bytes) === text;
}

const at = (port: number): NetConnectOpts => ({ host: "127.0.0.1", port });
const isRefused = async (to: NetConnectOpts): Promise<boolean> => await reach(to).then((socket) => {
  socket.destroy();
  return false;
}, () => true);

test("at another address new clients are taken there, and those that are connected stay", async () => {
  const before = await unusedPort(), next = await unusedPort();
  await using listeners = await echoing({ ...plain, address: { host: "127.0.0.1", port: before } });
  const old = await reach(at(before));
  await listeners.change({ ...plain, address: { host: "127.0.0.1", port: next } });
  assert.equal(listeners.port, next);
  assert.ok(await isRefused(at(before)));
  assert.ok(await echoes(await reach(at(next))));
  assert.ok(await echoes(old));
});

test("when the new address is in use everything stays as it was", async () => {
  await using listeners = await echoing(plain);
  await using other = await echoing(plain);
  const path = join(folder, "kept.sock");
  await assert.rejects(listeners.change({ ...plain, address: { host: "127.0.0.1", port: other.port }, socketPath: path }), (error) => error instanceof ListenError && error.message.includes(`127.0.0.1:${other.port}: another process`));
  assert.ok(await echoes(await reach(at(listeners.port))));
  assert.ok(await isRefused({ path }), "the Unix socket of the refused settings is closed again");
});

test("TLS can be switched on at the same port; the plain connection stays", async () => {
  await using listeners = await echoing(plain);
  const { port } = listeners, old = await reach(at(port));
  await listeners.change({ ...plain, tls });
  assert.equal(listeners.port, port);
  const secure = connectTls({ host: "127.0.0.1", port, servername: "localhost", ca: authority.certificate });
  await once(secure, "secureConnect");
  assert.ok(await echoes(secure));
  assert.equal(await echoes(await reach(at(port))), false, "a client without TLS is closed");
  assert.ok(await echoes(old));
  await listeners.change(plain);
  assert.ok(await echoes(await reach(at(port))));
  assert.ok(await echoes(secure));
});

test("another certificate is used without closing anything", async () => {
  await using listeners = await echoing({ ...plain, tls });
  const subject = async (): Promise<string> => {
    const socket = connectTls({ host: "127.0.0.1", port: listeners.port, servername: "localhost", ca: authority.certificate });
    await once(socket, "secureConnect");
    return String(socket.getPeerCertificate().subject.CN);
  };
  assert.equal(await subject(), "ambassador");
  const renewed = authority.issue("renewed");
  await listeners.change({ ...plain, tls: { cert: renewed.certificate, key: renewed.key } });
  assert.equal(await subject(), "renewed");
});

test("closing does not wait for a client that never ends its TLS handshake", async () => {
  const listeners = await echoing({ ...plain, tls });
  const silent = await reach(at(listeners.port));
  const ended = once(silent, "close");
  const done = connectTls({ host: "127.0.0.1", port: listeners.port, servername: "localhost", ca: authority.certificate });
  await once(done, "secureConnect");
  assert.ok(await echoes(done));
  const closing = listeners.close();
  await ended;
  assert.ok(await echoes(done), "a client that is through is served until it leaves");
  done.end();
  await closing;
});

test("a Unix socket left behind is replaced, one that answers is not", async () => {
  const path = join(folder, "redis.sock");
  const gone = spawn(process.execPath, ["-e", `require("node:net").createServer().listen(${JSON.stringify(path)}, () => console.log("listening"))`], { stdio: ["ignore", "pipe", "inherit"] });
  await once(gone.stdout, "data");
  gone.kill("SIGKILL");
  await once(gone, "close");
  assert.ok(existsSync(path));
  await using first = await echoing({ ...plain, socketPath: path });
  assert.ok(await echoes(await reach({ path })));
  await assert.rejects(echoing({ ...plain, socketPath: path }), (error) => error instanceof ListenError && error.message.includes("another process answers there"));
  await first.change({ ...plain, socketPath: join(folder, "moved.sock") });
  assert.ok(await isRefused({ path }));
  assert.ok(await echoes(await reach({ path: join(folder, "moved.sock") })));
  await assert.rejects(echoing({ ...plain, socketPath: "/nowhere/redis.sock" }), (error) => error instanceof ListenError && error.message.includes("its folder must exist"));
});

test("closing ends when the last client has left", async () => {
  await using listeners = await echoing(plain);
  const client = await reach(at(listeners.port));
  assert.ok(await echoes(client));
  let closed = false;
  const closing = listeners.close().then(() => (closed = true));
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(closed, false);
  assert.ok(await echoes(client), "it is served until then");
  client.end();
  await closing;
});
