import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { after, before, test } from "node:test";
import { eventually } from "../../support/eventually.ts";
import { image } from "../../support/images.ts";
import { createTinyDisk, noTinyDisk } from "../../support/tiny-disk.ts";
import { TestCluster } from "./podkit.ts";

let cluster: TestCluster;
before(async () => (cluster = await TestCluster.create("full")));
after(async () => await cluster[Symbol.asyncDispose]());
const skip = noTinyDisk ?? false;
const mebibyte = 1024 * 1024;

const pod = (name: string, rest = ""): string => `apiVersion: v1
kind: Pod
metadata: { name: ${name} }
spec:
  terminationGracePeriodSeconds: 1
  containers:
    - { name: app, image: "${image("busybox")}", command: [sleep, "1000"]${rest} }
`;
/** More than a store's log has room for in the pages it has already. */
const bigConfigMap = `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: big }\ndata: { text: "${"x".repeat(200_000)}" }\n`;

test("up on a full disk says so at once with the remedy and exit code 69, and makes nothing", { skip, timeout: 600_000 }, async () => {
  await using disk = await createTinyDisk(mebibyte);
  await disk.fill();
  const manifest = await cluster.file("m.yaml", pod("web"));
  for (const words of [["up", "-f", manifest], ["serve"]]) {
    const { stderr } = await cluster.expect(69, words, { env: { PODKIT_HOME: disk.path } });
    assert.match(stderr, new RegExp(`^error: The disk is full: 0\\.0 MiB are free at ${join(disk.path, "clusters", cluster.name)}, a control plane needs 16 MiB to start$`, "m"));
    assert.match(stderr, /^remedy: free some space there, or set PODKIT_HOME/m);
    assert.deepEqual(await readdir(disk.path), ["filler"]);
  }
  assert.deepEqual(await cluster.leftovers(), []);
});

test("a disk that fills later: what runs goes on, a new Pod is refused whole, and both work again once there is room", { skip, timeout: 600_000 }, async (context) => {
  await using disk = await createTinyDisk(24 * mebibyte);
  const options = { env: { PODKIT_HOME: disk.path } };
  context.after(async () => { if (existsSync(join(disk.path, "clusters"))) await cluster.run(["down", "--all"], options); });
  await cluster.expect(0, ["up", "-f", await cluster.file("web.yaml", pod("web"))], options);
  const running = await cluster.containers();
  await disk.fill();

  const { stderr } = await cluster.expect(69, ["up", "-f", await cluster.file("more.yaml", `${bigConfigMap}---\n${pod("more")}`)], options);
  assert.match(stderr, /^error: Cannot write to the store .*store\.sqlite: the disk is full; free some room and try again$/m);
  assert.equal((await cluster.expect(0, ["get", "pods,cm", "-o", "name"], options)).stdout, "pod/web\n", "nothing of the refused manifest is there");
  assert.deepEqual(await cluster.containers(), running, "no container was started, none was restarted");
  assert.match((await cluster.expect(0, ["exec", "web", "--", "echo", "still", "here"], options)).stdout, /still here/);

  await disk.free();
  await cluster.expect(0, ["up", "-f", join(cluster.home, "more.yaml")], options);
  await cluster.expect(0, ["down", "--all"], options);
  assert.deepEqual(await cluster.leftovers(), []);
  await eventually(async () => (await readdir(join(disk.path, "clusters"))).length === 0);
});

test("down --all removes everything on a disk that is full, with its control plane and after it was killed", { skip, timeout: 600_000 }, async () => {
  for (const killed of [false, true]) {
    await using disk = await createTinyDisk(24 * mebibyte);
    const options = { env: { PODKIT_HOME: disk.path } };
    await cluster.expect(0, ["up", "-f", await cluster.file("web.yaml", pod("web"))], options);
    const pid = Number(/"pid":(\d+)/.exec(await readFile(join(disk.path, "clusters", cluster.name, "serve.lock"), "utf8"))?.[1]);
    await disk.fill();
    if (killed) process.kill(pid, "SIGKILL");
    await cluster.expect(0, ["down", "--all"], options);
    assert.deepEqual(await cluster.leftovers(), []);
    await eventually(async () => (await readdir(join(disk.path, "clusters"))).length === 0);
  }
});
