import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, statSync, writeFileSync } from "node:fs";
import { connect, createServer as createNetServer, type Socket } from "node:net";
import { test } from "node:test";
import { createLog } from "../../../../kit/log.ts";
import { ApiError } from "../../../../orchestrator/api/errors.ts";
import { connectApi } from "../../../../orchestrator/api/http/client.ts";
import { serveApi } from "../../../../orchestrator/api/http/server.ts";
import { configMaps, pods } from "../../../../orchestrator/api/types/kinds.ts";
import { eventually } from "../../../support/eventually.ts";
import { configMapNamed, podNamed } from "../../../contract/api-client/api-client-contract.ts";
import { serveForTest } from "./fixture.ts";

const json = { "content-type": "application/json" };
type Wrong = { readonly what: string; readonly method?: string; readonly path: string; readonly body?: string; readonly headers?: Readonly<Record<string, string>>; readonly code: number; readonly message: RegExp };
const manifest = (changes: object = {}): string => JSON.stringify({ ...configMapNamed("a", {}), ...changes });
const wrong: readonly Wrong[] = [
  { what: "an unknown path", path: "/api/v2/pods", code: 404, message: /could not find the requested resource/ },
  { what: "an unknown plural", path: "/api/v1/namespaces/default/gadgets", code: 404, message: /could not find/ },
  { what: "a namespaced object without its namespace", path: "/api/v1/pods/web", code: 404, message: /could not find/ },
  { what: "an encoded slash in a name", path: "/api/v1/namespaces/default/pods/..%2Fsecrets", code: 404, message: /could not find/ },
  { what: "a broken escape", path: "/api/v1/namespaces/%zz/pods", code: 404, message: /could not find/ },
  { what: "an absent object", path: "/api/v1/namespaces/default/pods/web", code: 404, message: /^pods "web" not found$/ },
  { what: "an absent object of a named group", path: "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/web", code: 404, message: /^endpointslices\.discovery\.k8s\.io "web" not found$/ },
  { what: "an unknown subresource", path: "/api/v1/namespaces/default/pods/web/colour", code: 404, message: /could not find/ },
  { what: "a status of a kind that has none", path: "/api/v1/namespaces/default/configmaps/a/status", code: 404, message: /could not find/ },
  { what: "a patch", method: "PATCH", path: "/api/v1/namespaces/default/configmaps/a", body: "{}", code: 405, message: /does not allow this method/ },
  { what: "a PUT on a collection", method: "PUT", path: "/api/v1/namespaces/default/configmaps", body: "{}", code: 405, message: /does not allow this method/ },
  { what: "a POST on a document", method: "POST", path: "/version", body: "{}", code: 405, message: /does not allow this method/ },
  { what: "a body that is not JSON", method: "POST", path: "/api/v1/namespaces/default/configmaps", body: "{nope", code: 400, message: /is not JSON/ },
  { what: "a body that is no object", method: "POST", path: "/api/v1/namespaces/default/configmaps", body: "[1]", code: 400, message: /must be an object with metadata/ },
  { what: "a body in YAML", method: "POST", path: "/api/v1/namespaces/default/configmaps", body: "a: 1", headers: { "content-type": "application/yaml" }, code: 415, message: /unknown format/ },
  { what: "a body of another kind", method: "POST", path: "/api/v1/namespaces/default/configmaps", body: manifest({ kind: "Secret" }), code: 400, message: /^"Secret" in version "v1" cannot be handled as a ConfigMap in version "v1"$/ },
  { what: "a body of another namespace", method: "POST", path: "/api/v1/namespaces/kube-system/configmaps", body: manifest(), code: 400, message: /namespace of the provided object does not match/ },
  { what: "a body of another name", method: "PUT", path: "/api/v1/namespaces/default/configmaps/b", body: manifest(), code: 400, message: /name of the object \(a\) does not match the name on the URL \(b\)/ },
  { what: "a body that is too large", method: "POST", path: "/api/v1/namespaces/default/configmaps", body: JSON.stringify(configMapNamed("a", { k: "x".repeat(3_200_000) })), code: 413, message: /too large/ },
  { what: "an unknown field", method: "POST", path: "/api/v1/namespaces/default/configmaps", body: manifest({ dta: {} }), code: 422, message: /dta/ },
  { what: "an unknown dryRun", method: "POST", path: "/api/v1/namespaces/default/configmaps?dryRun=Some", body: manifest(), code: 400, message: /only "All" is known/ },
  { what: "a wrong label selector", path: "/api/v1/pods?labelSelector=a%3Db%3Dc", code: 400, message: /label selector/ },
  { what: "a wrong timeout", path: "/api/v1/pods?watch=1&timeoutSeconds=soon", code: 400, message: /timeoutSeconds/ },
  { what: "a negative grace", method: "DELETE", path: "/api/v1/namespaces/default/pods/web?gracePeriodSeconds=-1", code: 400, message: /gracePeriodSeconds/ },
  { what: "a log before the agent has started", path: "/api/v1/namespaces/default/pods/web/log", code: 503, message: /node agent is not running yet/ },
  { what: "exec without an upgrade", path: "/api/v1/namespaces/default/pods/web/exec?command=ls", code: 400, message: /[Uu]pgrade/ },
  { what: "the request of a web page", path: "/api/v1/pods", headers: { origin: "http://evil.example" }, code: 403, message: /web pages/ },
];

test("what is wrong with a request is said with the right code in a Status", { timeout: 180_000 }, async (context) => {
  const { url } = await serveForTest(context);
  for (const { what, method = "GET", path, body, headers = {}, code, message } of wrong) {
    const response = await fetch(`${url}${path}`, { method, headers: { ...(body === undefined ? {} : json), ...headers }, ...(body === undefined ? {} : { body }) });
    const status: unknown = await response.json();
    assert.ok(typeof status === "object" && status !== null && "kind" in status && "code" in status && "message" in status && "status" in status, what);
    assert.deepEqual({ what, http: response.status, kind: status.kind, code: status.code, status: status.status }, { what, http: code, kind: "Status", code, status: "Failure" });
    assert.match(String(status.message), message, what);
  }
});

test("discovery, version and health answer", async (context) => {
  const { url } = await serveForTest(context);
  const read = async (path: string): Promise<string> => await (await fetch(`${url}${path}`)).text();
  assert.match(await read("/version"), /"gitVersion":"v1\./);
  assert.equal(await read("/livez"), "ok");
  assert.equal(await read("/readyz"), "ok");
  assert.match(await read("/api"), /"versions":\["v1"\]/);
  assert.match(await read("/apis"), /discovery\.k8s\.io\/v1/);
  assert.match(await read("/api/v1"), /"name":"pods\/log"/);
  assert.match(await read("/apis/discovery.k8s.io/v1"), /"kind":"EndpointSlice"/);
});

test("a list names its kind and revision, and a collection can be deleted by label", async (context) => {
  const { url, api } = await serveForTest(context);
  for (const name of ["a", "b", "c"]) await api.create(configMaps, configMapNamed(name, {}, { labels: { keep: name === "c" ? "yes" : "no" } }));
  const list: unknown = await (await fetch(`${url}/api/v1/configmaps`)).json();
  assert.ok(typeof list === "object" && list !== null && "kind" in list && list.kind === "ConfigMapList");
  await fetch(`${url}/api/v1/namespaces/default/configmaps?labelSelector=keep%3Dno`, { method: "DELETE" });
  assert.deepEqual((await api.list(configMaps)).items.map((item) => item.metadata.name), ["c"]);
});

test("a watch over the wire is one JSON object a line, ends after timeoutSeconds, and says Gone as an ERROR event", { timeout: 180_000 }, async (context) => {
  const { url, api, store } = await serveForTest(context);
  await api.create(configMaps, configMapNamed("a", {}));
  const lines = (await (await fetch(`${url}/api/v1/configmaps?watch=1&timeoutSeconds=1`)).text()).trim().split("\n").map((line): unknown => JSON.parse(line));
  assert.equal(lines.length, 1);
  assert.ok(typeof lines[0] === "object" && lines[0] !== null && "type" in lines[0] && lines[0].type === "ADDED");
  await store.compact(store.currentRevision());
  const gone = await fetch(`${url}/api/v1/configmaps?watch=1&resourceVersion=1`);
  assert.equal(gone.status, 200);
  assert.match(await gone.text(), /^\{"type":"ERROR","object":\{"kind":"Status".*"code":410\}\}\n$/);
});

test("a watcher that never reads costs no memory and is told Gone when it reads again", { timeout: 180_000 }, async (context) => {
  const { core, socketPath } = await serveForTest(context, { historyRevisions: 50 });
  const socket: Socket = connect({ path: socketPath });
  await once(socket, "connect");
  socket.pause();
  socket.write("GET /api/v1/configmaps?watch=1&resourceVersion=1 HTTP/1.1\r\nhost: localhost\r\n\r\n");
  let object = await core.create(configMaps, configMapNamed("a", {}));
  for (let round = 0; round < 400; round++) {
    const outcome = await core.update(configMaps, { ...object, data: { k: `${round} ${"x".repeat(50_000)}` } });
    assert.ok(outcome.kind === "updated");
    object = outcome.object;
    // The server's turn to write, as it has between two requests.
    await new Promise((resolve) => setImmediate(resolve));
  }
  // 20 MB were written; what a stalled reader holds is the kernel's buffers and one event.
  let received = "";
  socket.setEncoding("utf8").on("data", (chunk: string) => { received += chunk; });
  socket.resume();
  await eventually(() => received.includes('"type":"ERROR"') && received.includes('"code":410'), { what: "the watcher is cut off with 410" });
  assert.ok(received.length < 10_000_000, `the stalled reader was sent ${received.length} bytes`);
  socket.destroy();
});

test("the socket is its owner's alone, a dead server's socket is taken over, a living one's and a plain file are not", { timeout: 180_000 }, async (context) => {
  const { socketPath, core, stop } = await serveForTest(context);
  assert.equal(statSync(socketPath).mode & 0o777, 0o600);
  const again = async (path: string): Promise<void> => {
    const over = new AbortController();
    const server = await serveApi({ client: core, streams: () => undefined, listen: { socketPath: path }, log: createLog({ role: "test", level: "silent" }), signal: over.signal });
    over.abort();
    await server.done;
  };
  await assert.rejects(again(socketPath), /another control plane answers there/);
  const file = `${socketPath}.txt`;
  writeFileSync(file, "");
  await assert.rejects(again(file), /a file that is no socket/);
  await assert.rejects(again(`/tmp/${"long".repeat(30)}`), /at most 107 bytes/);
  await assert.rejects(serveApi({ client: core, streams: () => undefined, listen: { host: "0.0.0.0", port: 0 }, log: createLog({ role: "test", level: "silent" }), signal: AbortSignal.abort() }), /only a loopback address/);
  await stop();
  // A process that was killed leaves the file without a listener.
  const stale = `${socketPath}.stale`;
  const dead = createNetServer().listen(stale);
  await once(dead, "listening");
  const { spawnSync } = await import("node:child_process");
  spawnSync("ln", [stale, `${stale}.kept`]);
  dead.close();
  await once(dead, "close");
  assert.ok(existsSync(`${stale}.kept`));
  await again(`${stale}.kept`);
});

test("a client of nobody says where it looked and why", async () => {
  const api = connectApi({ socketPath: "/tmp/podkit-nobody-listens.sock" });
  await assert.rejects(api.version(), (error) => error instanceof ApiError && error.code === 503 && error.message.includes("/tmp/podkit-nobody-listens.sock") && error.message.includes("no control plane runs there"));
  await api.close();
});

test("a hundred watchers each see every change", { timeout: 180_000 }, async (context) => {
  const { api, core } = await serveForTest(context);
  const stop = new AbortController();
  const { resourceVersion } = await api.list(pods);
  const counts = await Promise.all(Array.from({ length: 100 }, async () => {
    const counting = (async () => {
      let seen = 0;
      for await (const event of api.watch(pods, { resourceVersion, signal: stop.signal })) if (event.type === "ADDED" && ++seen === 20) return seen;
      return seen;
    })();
    return { counting };
  }));
  for (let index = 0; index < 20; index++) await core.create(pods, podNamed(`p${index}`));
  assert.deepEqual(await Promise.all(counts.map(async ({ counting }) => await counting)), Array.from({ length: 100 }, () => 20));
  stop.abort();
});
