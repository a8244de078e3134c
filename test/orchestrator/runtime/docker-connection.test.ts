import assert from "node:assert/strict";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { connectDocker } from "../../../orchestrator/runtime/docker/docker-runtime.ts";
import { registryAuth } from "../../../orchestrator/runtime/docker/registry-auth.ts";
import { RuntimeError } from "../../../orchestrator/runtime/runtime.ts";
import type { Runtime } from "../../../orchestrator/runtime/runtime.ts";

/** An engine that answers what a test wants: for the faults a real one does not show on demand. */
describe("a connection to the engine", { timeout: 180_000 }, () => {
  let directory: string, server: Server, handle: (request: IncomingMessage, response: ServerResponse) => void;
  const seen: string[] = [];
  const socketPath = (): string => join(directory, "docker.sock");
  const connectHere = async (): Promise<Runtime> => await connectDocker({ dockerHost: `unix://${socketPath()}`, configDirectory: directory });
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "podkit-docker-"));
    seen.length = 0;
    handle = (_request, response) => response.writeHead(404).end('{"message":"page not found"}');
    server = createServer((request, response) => {
      seen.push(`${request.method} ${request.url}`);
      if (request.url === "/version") response.end('{"ApiVersion":"1.45","MinAPIVersion":"1.24"}');
      else handle(request, response);
    });
    await new Promise<void>((resolve) => server.listen(socketPath(), resolve));
  });
  afterEach(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    await rm(directory, { recursive: true });
  });
  const failure = async (promise: Promise<unknown>): Promise<RuntimeError> => {
    const error = await promise.then(() => undefined, (reason: unknown) => reason);
    assert.ok(error instanceof RuntimeError, String(error));
    return error;
  };

  test("speaks the negotiated version", async () => {
    const runtime = await connectHere();
    handle = (_request, response) => response.end("[]");
    await runtime.list({ a: "b" });
    assert.match(seen[1] ?? "", /^GET \/v1\.45\/containers\/json\?all=1&filters=%7B%22label%22%3A%5B%22a%3Db%22%5D%7D$/);
    await runtime.close();
  });

  test("to a socket that is not there says so", async () => {
    const error = await failure(connectDocker({ dockerHost: `unix://${directory}/absent.sock`, configDirectory: directory }));
    assert.deepEqual([error.code, error.message.includes(`${directory}/absent.sock`)], ["Unreachable", true]);
  });

  test("to a socket that may not be used says so", { skip: process.getuid?.() === 0 ? "root may use every socket" : false }, async () => {
    await chmod(socketPath(), 0);
    assert.equal((await failure(connectHere())).code, "PermissionDenied");
  });

  test("over ssh is refused by name", async () => {
    const error = await failure(connectDocker({ dockerHost: "ssh://host", configDirectory: directory }));
    assert.deepEqual([error.code, /ssh/.test(error.message)], ["InvalidConfig", true]);
  });

  test("that breaks in the middle of an answer is unreachable, not a hang", async () => {
    const runtime = await connectHere();
    handle = (_request, response) => {
      response.writeHead(200, { "content-length": "100" });
      response.write("[");
      response.destroy();
    };
    assert.equal((await failure(runtime.list({}))).code, "Unreachable");
    await runtime.close();
  });

  test("that ends while events are watched ends the watch with an error, and an abort without one", async () => {
    const runtime = await connectHere();
    let answer: ServerResponse | undefined;
    handle = (_request, response) => {
      answer = response;
      response.write('{"Action":"die","Actor":{"ID":"a","Attributes":{}},"timeNano":1}\n{"Act');
    };
    /** Does `then` when the first event has come, and tells how many came. */
    const watch = async (signal: AbortSignal, then: () => void): Promise<number> => {
      let count = 0;
      for await (const event of runtime.events({ labels: {}, signal })) if (event.action === "die" && ++count === 1) then();
      return count;
    };
    assert.equal((await failure(watch(new AbortController().signal, () => answer?.destroy()))).code, "Unreachable");
    const abort = new AbortController();
    assert.equal(await watch(abort.signal, () => abort.abort()), 1);
    await runtime.close();
  });

  test("creates again while the name is held by a container that is being removed", async () => {
    const runtime = await connectHere();
    let creates = 0;
    handle = (request, response) => {
      if (request.method !== "POST") response.writeHead(404).end('{"message":"No such container"}');
      else if ((creates += 1) < 3) response.writeHead(409).end('{"message":"Conflict. The container name is already in use"}');
      else response.writeHead(201).end('{"Id":"abc"}');
    };
    const id = await runtime.createSandbox({ name: "s", labels: {}, image: "i", hostname: "h", network: { kind: "host" }, ports: [], sysctls: {}, mounts: [] });
    assert.deepEqual([id, creates], ["abc", 3]);
    await runtime.close();
  });

  test("pulls with the user's credentials, tells each step once, and keeps them out of the failure", async () => {
    await writeFile(join(directory, "config.json"), JSON.stringify({ auths: { "registry.example": { auth: Buffer.from("me:s3cret").toString("base64") } } }));
    const runtime = await connectHere();
    let header: string | string[] | undefined;
    handle = (request, response) => {
      header = request.headers["x-registry-auth"];
      response.end(['{"status":"Pulling from a"}', '{"id":"l1","status":"Downloading","progress":"1"}', '{"id":"l1","status":"Downloading","progress":"2"}', '{"errorDetail":{"message":"manifest unknown"}}'].join("\r\n"));
    };
    const lines: string[] = [];
    const error = await failure(runtime.pullImage("registry.example/a:1", { onProgress: (line) => lines.push(line) }));
    assert.equal(error.code, "ImageNotFound");
    assert.deepEqual(lines, ["Pulling from a", "l1: Downloading"]);
    assert.match(seen[1] ?? "", /fromImage=registry\.example%2Fa&tag=1$/);
    assert.deepEqual(JSON.parse(Buffer.from(String(header), "base64url").toString()), { username: "me", password: "s3cret", serveraddress: "registry.example" });
    assert.doesNotMatch(`${error.message} ${error.remedy} ${String(error.cause)}`, /s3cret/);
    await runtime.close();
  });

  test("the credentials of the docker client: its absence, its helpers and its faults", async () => {
    assert.equal(await registryAuth(directory, "docker.io"), undefined);
    await writeFile(join(directory, "config.json"), '{"auths": secret');
    await assert.rejects(registryAuth(directory, "docker.io"), (error) => error instanceof Error && /config\.json: it is not JSON/.test(error.message) && !/secret/.test(String(error.stack)));
    await writeFile(join(directory, "config.json"), '{"credsStore":"podkit-absent"}');
    await assert.rejects(registryAuth(directory, "docker.io"), /docker-credential-podkit-absent failed/);
  });
});
