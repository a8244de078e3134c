import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { eventually } from "../../support/eventually.ts";
import { TestCluster } from "../cli/podkit.ts";

/** The demo as its README shows it, with an application in a hurry: more orders, and a log that rotates every few seconds. */
const demo = join(import.meta.dirname, "../../../manifests/demo");
let cluster: TestCluster;
before(async () => {
  cluster = await TestCluster.create("demo");
});
after(async () => await cluster[Symbol.asyncDispose]());

const manifest = async (name: string): Promise<string> => await readFile(join(demo, name), "utf8");
const logs = async (pod: string, container: string): Promise<string> => (await cluster.expect(0, ["logs", pod, "-c", container])).stdout;
const lastTotals = (text: string): { readonly distinct: number; readonly repeated: number; readonly missing: number } | undefined => {
  const line = text.trim().split("\n").findLast((each) => each.includes("Log lines so far"));
  return line === undefined ? undefined : (JSON.parse(line) as { distinct: number; repeated: number; missing: number });
};
/** Calls of one command that one Redis server has counted. */
async function calls(pod: string, command: string): Promise<number> {
  const { stdout } = await cluster.expect(0, ["exec", pod, "--", "redis-cli", "info", "commandstats"]);
  return Number(new RegExp(`^cmdstat_${command}:calls=(\\d+)`, "m").exec(stdout)?.[1] ?? 0);
}

test("the demo's sidecars do their work on real data, and not a line is lost, not even the last", { timeout: 600_000 }, async (t) => {
  const hurried = (await manifest("pod.yaml")).replace("image: podkit/demo-app:0.1.0\n", 'image: podkit/demo-app:0.1.0\n      env: [{name: ORDERS_PER_SECOND, value: "100"}, {name: LOG_BYTES_MAX, value: "20000"}, {name: REPORT_SECONDS, value: "1"}]\n');
  assert.match(hurried, /LOG_BYTES_MAX/);
  const files = ["-f", join(demo, "redis.yaml"), "-f", join(demo, "receiver.yaml"), "-f", await cluster.file("pod.yaml", hurried)];

  await t.test("up waits for all five Pods and tells what each sidecar did", async () => {
    const { stdout } = await cluster.expect(0, ["up", ...files, "--timeout", "120s"]);
    assert.match(stdout, /^All 5 Pods are ready after /m);
    assert.match(stdout, /lines shipped/);
  });

  await t.test("log lines arrive through many rotations, none missing", async () => {
    const totals = await eventually(async () => {
      const now = lastTotals(await logs("demo-receiver", "receiver"));
      // What is sent again may come after what follows it; what is lost stays missing.
      return now !== undefined && now.distinct > 1200 && now.missing === 0 && now;
    }, { intervalMs: 500 });
    assert.ok(totals.distinct > 1200);
  });

  await t.test("writes went to the primary alone and reads to both replicas, as the servers count them", async () => {
    await eventually(async () => (await calls("redis-1", "llen")) > 20 && (await calls("redis-2", "llen")) > 20, { intervalMs: 500 });
    await eventually(async () => (await calls("redis-0", "incr")) > 100, { intervalMs: 500 });
    const said = await eventually(async () => {
      const text = await logs("demo", "app");
      return text.includes(" stale reads, ") && text;
    }, { intervalMs: 500 });
    assert.doesNotMatch(said, /[1-9]\d* stale reads/);
  });

  await t.test("the reader of the old reports gets them whole and in the old format", async () => {
    const text = await eventually(async () => {
      const now = await logs("demo", "report-reader");
      return (now.match(/Read an old report/g)?.length ?? 0) > 10 && now;
    }, { intervalMs: 500 });
    assert.doesNotMatch(text, /not in the old format/);
  });

  await t.test("when the Pod ends, the sidecars outlive the application and its last line arrives", async () => {
    const following = cluster.start(["logs", "demo", "-c", "app", "--follow"]);
    await eventually(() => following.output().includes("orders"));
    await cluster.expect(0, ["down", "-f", join(cluster.home, "pod.yaml")]);
    const { stdout } = await following.ended;
    const written = Number(/ended after (\d+) log lines/.exec(stdout)?.[1]);
    assert.ok(written > 1000, `the application said: ${stdout.slice(-500)}`);
    const totals = await eventually(async () => {
      const now = lastTotals(await logs("demo-receiver", "receiver"));
      return now !== undefined && now.distinct >= written && now;
    }, { intervalMs: 500 });
    assert.deepEqual({ distinct: totals.distinct, missing: totals.missing }, { distinct: written, missing: 0 });
  });

  await t.test("down leaves nothing behind", async () => {
    await cluster.expect(0, ["down", ...files]);
    assert.deepEqual(await cluster.leftovers(), []);
  });
});
