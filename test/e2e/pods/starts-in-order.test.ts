import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { eventually } from "../../support/eventually.ts";
import { idle, patient, shell, TestCluster } from "./support.ts";

/** The containers themselves write down what they do and when, into a directory of the host that outlives the Pod. */
const note = (what: string): string => `echo "$(cut -d' ' -f1 /proc/uptime) ${what}" >> /journal/log;`;

function withJournal(): { readonly volume: { readonly name: string; readonly hostPath: { readonly path: string } }; readonly mounts: readonly { readonly name: string; readonly mountPath: string }[]; entries(): readonly string[]; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), "podkit-journal-"));
  mkdirSync(path, { recursive: true });
  return {
    volume: { name: "journal", hostPath: { path } },
    mounts: [{ name: "journal", mountPath: "/journal" }],
    entries: () => readFileSync(join(path, "log"), "utf8").trim().split("\n").map((line) => ({ at: Number(line.split(" ")[0]), what: line.split(" ").slice(1).join(" ") })).toSorted((a, b) => a.at - b.at).map(({ what }) => what),
    remove: () => rmSync(path, { recursive: true, force: true }),
  };
}

test("init containers run one after the other, each to its end, before the containers start", async () => {
  await using cluster = await TestCluster.start();
  const journal = withJournal();
  const init = (name: string) => shell(name, `${note(`${name} begins`)} sleep 0.3; ${note(`${name} ends`)}`, { volumeMounts: journal.mounts });
  await cluster.create("web", { volumes: [journal.volume], initContainers: [init("one"), init("two")], containers: [shell("app", `${note("app begins")} ${idle}`, { volumeMounts: journal.mounts })] });
  const pod = await cluster.untilReady("web");
  await eventually(() => journal.entries().length === 5, { what: "the app has written" });
  assert.deepEqual(journal.entries(), ["one begins", "one ends", "two begins", "two ends", "app begins"]);
  assert.deepEqual(pod.status?.initContainerStatuses?.map((status) => [status.name, status.ready, status.state?.terminated?.reason]), [["one", true, "Completed"], ["two", true, "Completed"]]);
  await cluster.delete("web");
  journal.remove();
});

test("a native sidecar has started before what follows it, and sidecars stop in reverse order after the containers", async () => {
  await using cluster = await TestCluster.start();
  const journal = withJournal();
  const lasting = (name: string, more: object = {}) =>
    shell(name, `${note(`${name} begins`)} trap '${note(`${name} stops`).replaceAll("'", "'\\''")} exit 0' TERM; sleep 0.5; ${note(`${name} is up`)} touch /tmp/up; sleep 100000 & wait`, { volumeMounts: journal.mounts, ...more });
  const startupProbe = { exec: { command: ["test", "-e", "/tmp/up"] }, ...patient };
  await cluster.create("web", {
    terminationGracePeriodSeconds: 20,
    volumes: [journal.volume],
    initContainers: [lasting("first", { restartPolicy: "Always", startupProbe }), lasting("second", { restartPolicy: "Always", startupProbe })],
    containers: [lasting("app", { startupProbe })],
  });
  await cluster.untilReady("web");
  await cluster.delete("web");
  assert.deepEqual(journal.entries(), ["first begins", "first is up", "second begins", "second is up", "app begins", "app is up", "app stops", "second stops", "first stops"]);
  journal.remove();
});

test("sidecars end when the containers of a Pod that runs to completion are done", async () => {
  await using cluster = await TestCluster.start();
  await cluster.create("job", { restartPolicy: "Never", initContainers: [shell("proxy", idle, { restartPolicy: "Always" })], containers: [shell("work", "echo done")] });
  const pod = await cluster.untilPhase("job", "Succeeded");
  assert.equal(pod.status?.containerStatuses?.[0]?.state?.terminated?.reason, "Completed");
  assert.ok(pod.status?.initContainerStatuses?.[0]?.state?.terminated !== undefined, "the sidecar has ended");
  assert.equal(await cluster.logs("job", "work"), "done\n");
});
