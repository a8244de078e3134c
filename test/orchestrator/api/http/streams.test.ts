import assert from "node:assert/strict";
import { once } from "node:events";
import { PassThrough, type Readable } from "node:stream";
import { test } from "node:test";
import { ApiError, badRequest, notFound } from "../../../../orchestrator/api/errors.ts";
import type { NodeStreams, PodExecOptions, PodExecSession, PodLogOptions } from "../../../../orchestrator/api/node-streams.ts";
import { pods } from "../../../../orchestrator/api/types/kinds.ts";
import { eventually } from "../../../support/eventually.ts";
import { serveForTest } from "./fixture.ts";

const noLogs = async function* (): AsyncGenerator<Uint8Array> { /* nothing was written */ };
const noExec = async (): Promise<PodExecSession> => { throw badRequest("no exec here"); };
const logOptions = { namespace: "default", pod: "web", follow: false, previous: false, timestamps: false } satisfies PodLogOptions;
const execOptions = { namespace: "default", pod: "web", command: ["sh"], tty: false, stdin: false } satisfies PodExecOptions;

async function text(chunks: AsyncIterable<Uint8Array>): Promise<string> {
  const parts: Uint8Array[] = [];
  for await (const chunk of chunks) parts.push(chunk);
  return Buffer.concat(parts).toString();
}
const drain = async (stream: Readable): Promise<string> => await text(stream);

test("every log option arrives at the node, and the bytes come back as they are", async (context) => {
  let asked = undefined as PodLogOptions | undefined;
  const streams: NodeStreams = { exec: noExec, async *logs(options) { asked = options; yield Buffer.from("one\n"); yield Buffer.from([0xff, 0x00, 0x0a]); } };
  const { api } = await serveForTest(context, { streams });
  const options = { namespace: "default", pod: "web", container: "main", follow: true, previous: true, timestamps: true, tailLines: 0, sinceSeconds: 9, limitBytes: 1000 };
  const chunks: Uint8Array[] = [];
  for await (const chunk of api.logs(options)) chunks.push(chunk);
  assert.deepEqual(Buffer.concat(chunks), Buffer.from([...Buffer.from("one\n"), 0xff, 0x00, 0x0a]));
  assert.ok(asked !== undefined);
  const { signal: _s, ...seen } = asked;
  assert.deepEqual(seen, options);
});

test("limitBytes cuts the log even when the node sends more", async (context) => {
  const { api } = await serveForTest(context, { streams: { exec: noExec, async *logs() { for (;;) yield Buffer.from("0123456789"); } } });
  assert.equal(await text(api.logs({ ...logOptions, limitBytes: 25 })), "0123456789012345678901234");
});

test("an empty log is an empty answer, and a refusal keeps its words", async (context) => {
  const { api } = await serveForTest(context, { streams: { exec: noExec, logs: noLogs } });
  assert.equal(await text(api.logs(logOptions)), "");
  const refusing: NodeStreams = { exec: noExec, async *logs() { yield* noLogs(); throw badRequest('container "main" in pod "web" is waiting to start: ContainerCreating'); } };
  const other = await serveForTest(context, { streams: refusing });
  await assert.rejects(text(other.api.logs(logOptions)), (error) => error instanceof ApiError && error.code === 400 && error.message === 'container "main" in pod "web" is waiting to start: ContainerCreating');
});

test("a followed log that is silent has begun all the same, and ends at the node when the reader goes", { timeout: 180_000 }, async (context) => {
  let ended = false;
  const streams: NodeStreams = { exec: noExec, async *logs({ signal }) { try { if (signal !== undefined && !signal.aborted) await once(signal, "abort"); } finally { ended = true; } yield* noLogs(); } };
  const { url } = await serveForTest(context, { streams });
  const stop = new AbortController();
  const response = await fetch(`${url}/api/v1/namespaces/default/pods/web/log?follow=true`, { signal: stop.signal });
  assert.equal(response.status, 200);
  stop.abort();
  await eventually(() => ended, { what: "the node's stream has ended" });
});

test("a log that breaks off is an error for the reader, never a short log", async (context) => {
  const streams: NodeStreams = { exec: noExec, async *logs() { yield Buffer.from("one\n"); throw new Error("the disk went away"); } };
  const { api } = await serveForTest(context, { streams });
  await assert.rejects(text(api.logs(logOptions)), (error) => error instanceof ApiError && error.code === 503);
});

type FakeExec = { readonly stdin: PassThrough; readonly stdout: PassThrough; readonly stderr: PassThrough; readonly sizes: { columns: number; rows: number }[]; exit(code: number): void; fail(error: Error): void; asked: PodExecOptions | undefined; readonly streams: NodeStreams };
function fakeExec(): FakeExec {
  const stdin = new PassThrough(), stdout = new PassThrough(), stderr = new PassThrough();
  const { promise: exitCode, resolve, reject } = Promise.withResolvers<number>();
  exitCode.catch(() => undefined);
  const sizes: { columns: number; rows: number }[] = [];
  const fake: FakeExec = {
    stdin, stdout, stderr, sizes, asked: undefined,
    exit(code) { stdout.end(); stderr.end(); resolve(code); },
    fail(error) { stdout.end(); stderr.end(); reject(error); },
    streams: {
      logs: noLogs,
      async exec(options) {
        fake.asked = options;
        return { stdin: options.stdin ? stdin : undefined, stdout, stderr, exitCode, async resize(size) { sizes.push({ ...size }); } };
      },
    },
  };
  return fake;
}

test("exec carries stdin to its end, both outputs and the exit code", { timeout: 180_000 }, async (context) => {
  const fake = fakeExec();
  const { api } = await serveForTest(context, { streams: fake.streams });
  const session = await api.exec({ ...execOptions, container: "main", command: ["sh", "-c", "a b&c=d"], stdin: true });
  assert.deepEqual([fake.asked?.command, fake.asked?.container, fake.asked?.stdin, fake.asked?.tty], [["sh", "-c", "a b&c=d"], "main", true, false]);
  const outputs = Promise.all([drain(session.stdout), drain(session.stderr)]);
  session.stdin?.end("hello");
  assert.equal(await drain(fake.stdin), "hello");
  fake.stdout.write("out");
  fake.stderr.write("err");
  fake.exit(7);
  assert.deepEqual(await outputs, ["out", "err"]);
  assert.equal(await session.exitCode, 7);
});

test("an exit code of 0 is 0, and a command that cannot go on tells why", { timeout: 180_000 }, async (context) => {
  const good = fakeExec();
  const first = await serveForTest(context, { streams: good.streams });
  const session = await first.api.exec(execOptions);
  assert.equal(session.stdin, undefined);
  session.stdout.resume();
  session.stderr.resume();
  good.exit(0);
  assert.equal(await session.exitCode, 0);
  const bad = fakeExec();
  const second = await serveForTest(context, { streams: bad.streams });
  const broken = await second.api.exec(execOptions);
  broken.stdout.resume();
  broken.stderr.resume();
  bad.fail(new Error("the engine went away"));
  await assert.rejects(broken.exitCode, (error) => error instanceof ApiError && error.code === 500 && error.message.includes("the engine went away"));
});

test("the size of the terminal reaches the command", { timeout: 180_000 }, async (context) => {
  const fake = fakeExec();
  const { api } = await serveForTest(context, { streams: fake.streams });
  const session = await api.exec({ ...execOptions, tty: true, stdin: true });
  await session.resize({ columns: 120, rows: 40 });
  await eventually(() => fake.sizes.length === 1);
  assert.deepEqual(fake.sizes, [{ columns: 120, rows: 40 }]);
  session.stdout.resume();
  session.stderr.resume();
  fake.exit(0);
  await session.exitCode;
});

test("ten megabytes each way arrive whole, with a slow reader", { timeout: 180_000 }, async (context) => {
  const fake = fakeExec();
  const { api } = await serveForTest(context, { streams: fake.streams });
  const session = await api.exec({ ...execOptions, stdin: true });
  session.stderr.resume();
  const block = Buffer.alloc(64 * 1024, "x");
  const fill = async (into: NodeJS.WritableStream): Promise<void> => {
    for (let index = 0; index < 160; index++) if (!into.write(block)) await once(into, "drain");
    into.end();
  };
  assert.ok(session.stdin !== undefined);
  const count = async (stream: Readable): Promise<number> => {
    let bytes = 0;
    for await (const chunk of stream) {
      bytes += chunk instanceof Uint8Array ? chunk.length : 0;
      await new Promise((resolve) => setImmediate(resolve));
    }
    return bytes;
  };
  const [, , up, down] = await Promise.all([fill(session.stdin), fill(fake.stdout).then(() => { fake.exit(0); }), count(fake.stdin), count(session.stdout)]);
  assert.deepEqual([up, down], [160 * 65_536, 160 * 65_536]);
  assert.equal(await session.exitCode, 0);
});

test("a refused exec keeps its Status; one that loses its server fails; one whose client goes is ended at the node", { timeout: 180_000 }, async (context) => {
  const refusing = await serveForTest(context, { streams: { logs: noLogs, async exec() { throw notFound(pods, "web"); } } });
  await assert.rejects(refusing.api.exec(execOptions), (error) => error instanceof ApiError && error.code === 404 && error.message === 'pods "web" not found');
  await assert.rejects(refusing.api.exec({ ...execOptions, command: [] }), (error) => error instanceof ApiError && error.code === 400 && error.message.includes("at least 1 command"));

  const lost = fakeExec();
  const server = await serveForTest(context, { streams: lost.streams });
  const session = await server.api.exec(execOptions);
  session.stdout.resume();
  session.stderr.resume();
  await server.stop();
  await assert.rejects(session.exitCode, (error) => error instanceof ApiError && error.code === 503);

  const left = fakeExec();
  const third = await serveForTest(context, { streams: left.streams });
  const stop = new AbortController();
  const leaving = await third.api.exec({ ...execOptions, signal: stop.signal });
  stop.abort(new Error("enough"));
  await assert.rejects(leaving.exitCode, /enough/);
  await eventually(() => left.asked?.signal?.aborted === true, { what: "the node is told" });
  left.exit(1);
});
