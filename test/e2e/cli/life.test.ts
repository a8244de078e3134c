import assert from "node:assert/strict";
import { globSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { after, before, test } from "node:test";
import { eventually } from "../../support/eventually.ts";
import { label } from "../../../orchestrator/runtime/runtime.ts";
import { image } from "../../support/images.ts";
import { TestCluster } from "./podkit.ts";

let cluster: TestCluster;
let manifest: string;
before(async () => {
  cluster = await TestCluster.create("life");
  manifest = await cluster.file("web.yaml", webManifest());
});
after(async () => await cluster[Symbol.asyncDispose]());

const webManifest = (greeting = "hello"): string => `
apiVersion: v1
kind: ConfigMap
metadata: { name: settings }
data: { greeting: ${greeting} }
---
apiVersion: v1
kind: Pod
metadata:
  name: web
  labels: { app: web }
spec:
  terminationGracePeriodSeconds: 1
  initContainers:
    - name: prepare
      image: ${image("busybox")}
      command: [sh, -c, "echo prepared"]
  containers:
    - name: app
      image: ${image("busybox")}
      command: [sh, -c, "trap 'exit 0' TERM; echo app says $GREETING; echo on stderr >&2; while true; do sleep 0.1; done"]
      env: [{ name: GREETING, valueFrom: { configMapKeyRef: { name: settings, key: greeting } } }]
    - name: other
      image: ${image("busybox")}
      command: [sh, -c, "trap 'exit 0' TERM; while true; do sleep 0.1; done"]
`;

async function servePid(): Promise<number> {
  const lock: unknown = JSON.parse(await readFile(join(cluster.folder, "serve.lock"), "utf8"));
  assert.ok(typeof lock === "object" && lock !== null && "pid" in lock && typeof lock.pid === "number");
  return lock.pid;
}

test("a Pod lives from up to down, and nothing is left", async (t) => {
  await t.test("up starts a control plane and waits until the Pod is ready", async () => {
    const { stdout, stderr } = await cluster.expect(0, ["up", "-f", manifest]);
    assert.match(stderr, /^Starting a control plane for cluster "life-\d+" in the background/m);
    assert.match(stderr, /^configmap\/settings created$/m);
    assert.match(stderr, /^pod\/web created$/m);
    assert.match(stderr, /^pod\/web app: ready$/m);
    assert.match(stdout, /^The Pod is ready after \d+\.\d s$/m);
    assert.match(stdout, /podkit down --cluster life-\d+ -f \S+web\.yaml/);
  });
  await t.test("up again changes nothing", async () => {
    const before = await cluster.containers();
    const { stdout, stderr } = await cluster.expect(0, ["up", "-f", manifest]);
    assert.match(stderr, /^2 objects unchanged$/m);
    assert.match(stdout, /nothing had to be done/);
    assert.deepEqual(await cluster.containers(), before);
  });
  await t.test("get lists it in every format", async () => {
    assert.match((await cluster.expect(0, ["get", "pods"])).stdout, /^NAME +READY +STATUS +RESTARTS +AGE\nweb +2\/2 +Running +0 +\d+s\n$/);
    assert.match((await cluster.expect(0, ["get", "po", "-o", "wide"])).stdout, /^NAME .* IP +NODE +IMAGES\nweb .* \d+\.\d+\.\d+\.\d+ +\S+ +\S+\n$/);
    assert.equal((await cluster.expect(0, ["get", "pod/web", "cm/settings", "-o", "name"])).stdout, "pod/web\nconfigmap/settings\n");
    const object: unknown = JSON.parse((await cluster.expect(0, ["get", "pod", "web", "-o", "json"])).stdout);
    assert.ok(typeof object === "object" && object !== null && "kind" in object && object.kind === "Pod");
    assert.match((await cluster.expect(0, ["get", "pod", "web", "-o", "yaml"])).stdout, /^ {2}name: web$/m);
    assert.equal((await cluster.expect(0, ["get", "pods", "-l", "app!=web"])).stderr, "No objects found in the namespace default\n");
    assert.match((await cluster.expect(1, ["get", "pod", "wed"])).stderr, /^error: pods "wed" not found in the namespace default$/m);
    assert.match((await cluster.expect(64, ["get", "pots"])).stderr, /Did you mean "pods"\?/);
  });
  await t.test("describe shows it with its events", async () => {
    const { stdout } = await cluster.expect(0, ["describe", "pod", "web"]);
    assert.match(stdout, /^Name: +web$/m);
    assert.match(stdout, /^ {2}prepare:$/m);
    assert.match(stdout, /^Events:\n {2}Type +Reason +Age +From +Message\n/m);
    assert.match(stdout, /Normal +Started/);
  });
  await t.test("events tell about it", async () => {
    assert.match((await cluster.expect(0, ["events", "--for", "pod/web"])).stdout, /Normal +Scheduled +pod\/web/);
    assert.equal((await cluster.expect(0, ["events", "--for", "pod/none"])).stderr, "No events found\n");
  });
  await t.test("logs are printed, of one container and of all", async () => {
    const one = await cluster.expect(0, ["logs", "web"]);
    assert.match(one.stdout, /^app says hello$/m);
    assert.match(one.stderr, /^Defaulted container "app" out of: prepare, app, other$/m);
    const all = await cluster.expect(0, ["logs", "web", "--all-containers", "--prefix"]);
    assert.match(all.stdout, /^\[pod\/web\/prepare\] prepared$/m);
    assert.match(all.stdout, /^\[pod\/web\/app\] app says hello$/m);
    assert.match((await cluster.expect(1, ["logs", "web", "-c", "ap"])).stderr, /Did you mean "app"\?/);
    assert.match((await cluster.expect(1, ["logs", "wab"])).stderr, /Did you mean "web"\?/);
  });
  await t.test("logs -f follows until it is interrupted", async () => {
    const following = cluster.start(["logs", "web", "-c", "app", "-f"]);
    await eventually(() => following.output().includes("app says hello"));
    following.kill("SIGINT");
    assert.equal((await following.ended).code, 0);
  });
  await t.test("exec passes streams and the exit code on", async () => {
    assert.deepEqual(await cluster.expect(7, ["exec", "web", "-c", "app", "--", "sh", "-c", "echo out; echo err >&2; exit 7"]), { code: 7, stdout: "out\n", stderr: "err\n" });
    const big = "x".repeat(300_000);
    assert.equal((await cluster.expect(0, ["exec", "-i", "web", "-c", "app", "--", "cat"], { input: big })).stdout.length, big.length);
  });
  await t.test("exec -it has a terminal of the right size and ends with the command's exit code", async () => {
    const terminal = cluster.onTerminal(["exec", "-it", "web", "-c", "app", "--", "sh", "-c", "test -t 0 && test -t 1 && echo terminal; n=0; until [ \"$(stty size 2>/dev/null)\" = '40 100' ] || [ $n = 600 ]; do sleep 0.1; n=$((n + 1)); done; stty size; exit 9"]);
    const { code, stdout } = await terminal.ended;
    assert.match(stdout, /terminal\r+\n40 100/); // libuv keeps ONLCR in raw mode, so that a carriage return may come twice
    assert.equal(code, 9, stdout);
  });
  await t.test("a changed Pod is replaced, saying what changed", async () => {
    await cluster.file("web.yaml", webManifest("goodbye").replace("echo prepared", "echo prepared again"));
    const { stderr } = await cluster.expect(0, ["up", "-f", manifest]);
    assert.match(stderr, /^configmap\/settings updated$/m);
    assert.match(stderr, /^pod\/web is replaced, since its specification changed: spec\.initContainers\[0\]\.command\[2\]$/m);
    assert.match((await cluster.expect(0, ["logs", "web", "-c", "app"])).stdout, /app says goodbye/);
  });
  await t.test("stop ends the control plane, the Pod stays, and up finds it again", async () => {
    const before = await cluster.containers();
    await cluster.expect(0, ["stop"]);
    assert.match((await cluster.expect(69, ["get", "pods"])).stderr, /^error: No control plane runs for cluster "life-\d+"$/m);
    assert.deepEqual(await cluster.containers(), before);
    assert.match((await cluster.expect(0, ["up", "-f", manifest])).stderr, /^2 objects unchanged$/m);
    assert.deepEqual(await cluster.containers(), before);
  });
  await t.test("a control plane that was killed is found dead, and the next up adopts the Pod", async () => {
    const before = await cluster.containers();
    process.kill(await servePid(), "SIGKILL");
    await eventually(async () => (await cluster.run(["version"])).stdout.includes("not running"));
    assert.match((await cluster.expect(0, ["doctor"])).stdout, /^warn +control plane +"life-\d+" ended without cleaning up/m);
    assert.match((await cluster.expect(0, ["up", "-f", manifest])).stderr, /^2 objects unchanged$/m);
    assert.deepEqual(await cluster.containers(), before);
  });
  await t.test("down removes everything, also after the control plane was killed", async () => {
    process.kill(await servePid(), "SIGKILL");
    const { stdout } = await cluster.expect(0, ["down", "-f", manifest]);
    assert.match(stdout, /^pod\/web deleted$/m);
    assert.match(stdout, /^Everything of cluster "life-\d+" is removed$/m);
    assert.deepEqual(await cluster.leftovers(), []);
    assert.match((await cluster.expect(0, ["down", "-f", manifest])).stdout, /^Nothing of cluster "life-\d+" is here$/m);
  });
});

test("containers that ended while no control plane ran are found by the next up, which waits until they run again", async () => {
  const container = (name: string): string => `    - { name: ${name}, image: "${image("busybox")}", command: [sh, -c, "trap 'exit 0' TERM; while true; do sleep 0.1; done"] }\n`;
  const four = await cluster.file("four.yaml", `apiVersion: v1\nkind: Pod\nmetadata: { name: four }\nspec:\n  terminationGracePeriodSeconds: 1\n  containers:\n${["a", "b", "c", "d"].map(container).join("")}`);
  await cluster.expect(0, ["up", "-f", four]);
  process.kill(await servePid(), "SIGKILL");
  const containers = await cluster.runtime.list({ [label.cluster]: cluster.name, [label.kind]: "app" });
  for (const { id } of containers.filter(({ labels }) => ["b", "c"].includes(labels[label.container] ?? ""))) await cluster.runtime.kill(id, "SIGKILL");
  const { stdout } = await cluster.expect(0, ["up", "-f", four]);
  assert.match(stdout, /^The Pod is ready after \d+\.\d s$/m);
  assert.match((await cluster.expect(0, ["get", "pods", "--no-headers"])).stdout, /^four +4\/4 +Running +2 /);
  await cluster.expect(0, ["down", "-f", four]);
  assert.deepEqual(await cluster.leftovers(), []);
});

test("on a terminal up draws a table, Ctrl-C asks, and s stops and removes everything", async () => {
  const slow = await cluster.file("slow.yaml", `
apiVersion: v1
kind: Pod
metadata: { name: slow }
spec:
  terminationGracePeriodSeconds: 1
  containers:
    - name: app
      image: ${image("busybox")}
      command: [sh, -c, "trap 'exit 0' TERM; while true; do sleep 0.1; done"]
      readinessProbe: { exec: { command: ["false"] }, periodSeconds: 1, timeoutSeconds: 60 }
`);
  const terminal = cluster.onTerminal(["up", "-f", slow]);
  await eventually(() => terminal.output().includes("readiness probe not passed yet"));
  assert.ok(terminal.output().includes("\u001B["), "a terminal gets colours and redraws");
  const child = await eventually(async () => (await readFile(`/proc/${terminal.pid}/task/${terminal.pid}/children`, "utf8")).trim().split(" ")[0] || undefined);
  process.kill(Number(child), "SIGINT");
  await eventually(() => terminal.output().includes("[s]top"));
  process.kill(Number(child), "SIGINT"); // the second Ctrl-C
  const { code, stdout } = await terminal.ended;
  assert.equal(code, 75, stdout);
  assert.deepEqual(await cluster.leftovers(), []);
});

test("without a terminal an interrupted up leaves what it started and says so, and down --all removes it without a control plane", async () => {
  const waiting = cluster.start(["up", "-f", join(cluster.home, "slow.yaml")]);
  await eventually(() => waiting.output().includes("readiness probe not passed yet"));
  waiting.kill("SIGINT");
  const { code, stderr } = await waiting.ended;
  assert.equal(code, 75);
  assert.match(stderr, /^Left running: pod\/slow$/m);
  assert.match((await cluster.expect(0, ["get", "pods"])).stdout, /slow +0\/1 +Running/);
  const uid = /^ {2}uid: "?([0-9a-f-]{36})/m.exec((await cluster.expect(0, ["get", "pod", "slow", "-o", "yaml"])).stdout)?.[1] ?? assert.fail("no uid");
  process.kill(await servePid(), "SIGKILL");
  await cluster.expect(0, ["down", "--all"]);
  assert.deepEqual(await cluster.leftovers(), []);
  assert.deepEqual([...globSync(`/sys/fs/cgroup/podkit/${uid}`), ...globSync(`/sys/fs/cgroup/*/podkit/${uid}`)], []);
});

test("two ups at once share one control plane and one Pod; standard input and the memory store serve as well", async () => {
  const text = await readFile(manifest, "utf8");
  const [first, second] = await Promise.all([cluster.run(["up", "-f", "-", "--store", "memory"], { input: text }), cluster.run(["up", "-f", manifest, "--store", "memory"])]);
  assert.deepEqual([first.code, second.code], [0, 0], `${first.stderr}\n${second.stderr}`);
  assert.match((await cluster.expect(0, ["get", "pods", "--no-headers"])).stdout, /^web +2\/2 +Running +0 +\d+s\n$/);
  process.kill(await servePid(), "SIGKILL"); // with it goes the only copy of the objects
  await cluster.expect(0, ["down", "-f", manifest]);
  assert.deepEqual(await cluster.leftovers(), []);
});

test("a control plane that serve started stays when nothing is left, and ends with SIGTERM", async () => {
  const serving = cluster.start(["serve"]);
  await eventually(async () => (await cluster.run(["version"])).stdout.includes("process"), { intervalMs: 200 });
  assert.match((await cluster.expect(75, ["serve"])).stderr, /runs already \(process \d+/);
  await cluster.expect(0, ["up", "-f", manifest]);
  assert.match((await cluster.expect(0, ["down", "-f", manifest])).stderr, /keeps running, since `podkit serve` started it/);
  serving.kill("SIGTERM");
  assert.equal((await serving.ended).code, 0);
  await cluster.expect(0, ["down", "--all"]);
  assert.deepEqual(await cluster.leftovers(), []);
});
