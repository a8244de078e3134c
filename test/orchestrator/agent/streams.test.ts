import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeStreams } from "../../../orchestrator/api/node-streams.ts";
import { nodes } from "../../../orchestrator/api/types/kinds.ts";
import { label, type ContainerSpec } from "../../../orchestrator/runtime/runtime.ts";
import { isReady, simulate } from "./support.ts";

const image = "podkit/busybox:test";
const read = async (streams: NodeStreams, o: { readonly container?: string; readonly previous?: boolean; readonly pod?: string; readonly limitBytes?: number }): Promise<string> => {
  const chunks: Uint8Array[] = [];
  for await (const chunk of streams.logs({ namespace: "default", pod: o.pod ?? "web", follow: false, previous: o.previous ?? false, timestamps: false, ...(o.container === undefined ? {} : { container: o.container }), ...(o.limitBytes === undefined ? {} : { limitBytes: o.limitBytes }) })) chunks.push(chunk);
  return Buffer.concat(chunks).toString("utf8");
};
const behaviour = (spec: ContainerSpec) => ({
  output: [{ stream: "stdout" as const, text: `${spec.labels[label.container] ?? ""} ${spec.labels[label.attempt] ?? ""}\n` }],
  ...(spec.labels[label.container] === "crash" ? { exitAfterMs: 50, exitCode: 1 } : {}),
  exec: (command: readonly string[]) => ({ exitCode: 7, stdout: command.join(" ") }),
});

test("logs and exec answer as the kubelet's", async () => {
  const s = await simulate(behaviour, ["podkit/pause:test", image]);
  const { agent } = s.agent();
  const { streams } = agent;
  await s.create({ containers: [{ name: "good", image }, { name: "crash", image }, { name: "absent", image: "nowhere:1", imagePullPolicy: "Never" }] });
  await s.until("crash waits in back-off", async () => (await s.get())?.status?.containerStatuses?.[1]?.state?.waiting?.reason === "CrashLoopBackOff");
  assert.match(await read(streams, { container: "good" }), /^good 0\n/);
  assert.match(await read(streams, { container: "good", limitBytes: 4 }), /^good$/);
  assert.match(await read(streams, { container: "crash" }), /^crash 1\n/, "the newest attempt, although it is dead");
  assert.match(await read(streams, { container: "crash", previous: true }), /^crash 1\n/, "while it waits, the newest dead attempt is the previous one");
  await assert.rejects(read(streams, {}), { code: 400, message: "a container name must be specified for pod web, choose one of: [good crash absent]" });
  await assert.rejects(read(streams, { container: "none" }), { code: 400, message: "container none is not valid for pod web" });
  await assert.rejects(read(streams, { container: "good", previous: true }), { code: 400, message: 'previous terminated container "good" in pod "web" not found' });
  await assert.rejects(read(streams, { container: "absent" }), { code: 400, message: 'container "absent" in pod "web" is waiting to start: ErrImageNeverPull' });
  await assert.rejects(read(streams, { pod: "none" }), { code: 404 });
  const session = await streams.exec({ namespace: "default", pod: "web", container: "good", command: ["ls", "-l"], tty: false, stdin: false });
  assert.equal((await session.stdout.toArray()).map(String).join(""), "ls -l");
  assert.equal(await session.exitCode, 7);
  await assert.rejects(streams.exec({ namespace: "default", pod: "web", container: "absent", command: ["ls"], tty: false, stdin: false }), { message: 'unable to upgrade connection: container not found ("absent")' });
  await s.end();
});

test("only the newest attempt and the one before it are kept", async () => {
  const s = await simulate(behaviour);
  s.agent();
  await s.create({ containers: [{ name: "crash", image }] });
  await s.until("four restarts", async () => (await s.get())?.status?.containerStatuses?.[0]?.restartCount === 4, 300_000);
  await s.until("older attempts are removed", async () => (await s.runtime.list({ [label.container]: "crash" })).length === 2);
  await s.end();
});

test("the node registers, beats, and says when its engine is down", async () => {
  const s = await simulate();
  s.agent();
  const ready = async (): Promise<string | undefined> => (await s.client.get(nodes, { name: "node-a" }))?.status?.conditions?.find((condition) => condition.type === "Ready")?.status;
  await s.until("the node is ready", async () => (await ready()) === "True");
  const first = (await s.client.get(nodes, { name: "node-a" }))?.status?.conditions?.[0]?.lastHeartbeatTime;
  await s.until("a heartbeat", async () => (await s.client.get(nodes, { name: "node-a" }))?.status?.conditions?.[0]?.lastHeartbeatTime !== first);
  const heal = s.runtime.inject({ verb: "list", times: 1_000_000, error: new Error("the engine is gone") });
  await s.until("the node is not ready", async () => (await ready()) === "False");
  heal();
  await s.until("the node is ready again", async () => (await ready()) === "True");
  await s.end();
});

test("a Pod restarts nothing while its agent is away, and is ready at once when it is back", async () => {
  const s = await simulate(() => ({ exec: () => ({ exitCode: 0 }) }));
  const first = s.agent();
  await s.create({ containers: [{ name: "a", image, readinessProbe: { exec: { command: ["x"] }, periodSeconds: 600 } }] });
  await s.until("the Pod is ready", async () => isReady(await s.get()));
  await first.stop();
  s.agent();
  await s.until("the new agent has looked", () => s.runtime.journal.filter((entry) => entry.verb === "containerStatus").length > 3 || s.clock.monotonicMs() > 5000);
  assert.ok(isReady(await s.get()), "no flap to unready");
  await s.end();
});
