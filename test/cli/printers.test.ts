import assert from "node:assert/strict";
import { test } from "node:test";
import type { Event } from "../../orchestrator/api/types/event.ts";
import { configMaps, events, findResource, pods, secrets, services } from "../../orchestrator/api/types/kinds.ts";
import type { ApiObject } from "../../orchestrator/api/types/meta.ts";
import { overview, verbHelp } from "../../cli/help.ts";
import { humanDuration } from "../../cli/print/age.ts";
import { renderEntries } from "../../cli/print/describe-lines.ts";
import { describeObject } from "../../cli/print/describe-object.ts";
import { describeEvents } from "../../cli/print/describe-pod.ts";
import { renderObjects } from "../../cli/print/object-tables.ts";
import { choosePalette, colours, noColours } from "../../cli/print/palette.ts";
import { printable, truncate, visibleLength, wrap } from "../../cli/print/text.ts";
import { verbs } from "../../cli/verbs.ts";
import { ended, nowMs, podOf, running, statusOf } from "./objects.ts";

const second = 1000, minute = 60 * second, hour = 60 * minute, day = 24 * hour;
for (const [durationMs, text] of [
  [0, "0s"], [119 * second, "119s"], [2 * minute, "2m"], [5 * minute + 30 * second, "5m30s"], [59 * minute + second, "59m"], [3 * hour + 12 * minute, "3h12m"], [30 * hour, "30h"],
  [2 * day + 3 * hour, "2d3h"], [10 * day, "10d"], [400 * day, "400d"], [3 * 365 * day + 10 * day, "3y10d"], [-500, "0s"], [-5 * second, "<invalid>"],
] as const) test(`${durationMs} ms are shown as ${text}`, () => assert.equal(humanDuration(durationMs), text));

const options = { wide: false, showNamespace: false, headers: true, nowMs };
const web = podOf({ spec: { nodeName: "n1" }, status: { phase: "Running", podIP: "10.0.0.2", containerStatuses: [statusOf("app", { ready: true, restartCount: 1, state: running, lastState: ended(1) })] } });

test("Pods are listed with kubectl's columns", () => {
  assert.deepEqual(renderObjects(pods, [web, podOf({ name: "a", metadata: { namespace: "shop" } })], options), [
    "NAME   READY   STATUS    RESTARTS      AGE",
    "web    1/1     Running   1 (10s ago)   2m",
    "a      0/1     Pending   0             2m",
  ]);
});

test("-o wide and -A add their columns", () => {
  assert.deepEqual(renderObjects(pods, [web], { ...options, wide: true, showNamespace: true }), [
    "NAMESPACE   NAME   READY   STATUS    RESTARTS      AGE   IP         NODE   IMAGES",
    "default     web    1/1     Running   1 (10s ago)   2m    10.0.0.2   n1     img",
  ]);
});

test("Services, config maps and secrets have tables of their own, without any secret value", () => {
  const service: ApiObject & { readonly spec: object } = { apiVersion: "v1", kind: "Service", metadata: { name: "db", creationTimestamp: "2026-01-01T00:00:00Z" }, spec: { clusterIP: "None", ports: [{ port: 6379 }], selector: { app: "db" } } };
  assert.deepEqual(renderObjects(services, [service], { ...options, wide: true }), [
    "NAME   TYPE        CLUSTER-IP   EXTERNAL-NAME   PORT(S)    AGE   SELECTOR",
    "db     ClusterIP   None         <none>          6379/TCP   2m    app=db",
  ]);
  const metadata = { name: "x", creationTimestamp: "2026-01-01T00:00:00Z" };
  const map: ApiObject & { readonly data: object } = { apiVersion: "v1", kind: "ConfigMap", metadata, data: { a: "1", b: "2" } };
  assert.deepEqual(renderObjects(configMaps, [map], { ...options, headers: false }), ["x   2   2m"]);
  const secret: ApiObject & { readonly data: object } = { apiVersion: "v1", kind: "Secret", metadata, data: { password: "aHVudGVyMg==" } };
  assert.deepEqual(renderObjects(secrets, [secret], { ...options, headers: false }), ["x   Opaque   1   2m"]);
  const page = renderEntries(describeObject(secret, nowMs)).join("\n");
  assert.match(page, /password: +7 bytes/);
  assert.doesNotMatch(page, /aHVudGVyMg|hunter2/);
});

const event = (reason: string, parts: Partial<Event> = {}): Event => ({
  apiVersion: "v1", kind: "Event", metadata: { name: reason }, involvedObject: { kind: "Pod", name: "web" }, type: "Normal", reason, message: `${reason} happened`,
  source: { component: "agent" }, firstTimestamp: "2026-01-01T00:00:00Z", lastTimestamp: "2026-01-01T00:01:00Z", count: 1, ...parts,
});

test("events come oldest first, with their repeats", () => {
  const listed = renderObjects(events, [event("Killing", { lastTimestamp: "2026-01-01T00:01:55Z" }), event("BackOff", { count: 3, type: "Warning" })], options);
  assert.deepEqual(listed, [
    "LAST SEEN           TYPE      REASON    OBJECT    MESSAGE",
    "60s (x3 over 2m)    Warning   BackOff   pod/web   BackOff happened",
    "5s                  Normal    Killing   pod/web   Killing happened",
  ].map((line) => line.replace(/^(.{16}) (?= )/, "$1")));
  assert.deepEqual(describeEvents([], nowMs), ["Events:  <none>"]);
  assert.equal(describeEvents([event("Pulled")], nowMs)[1], "  Type     Reason   Age   From    Message");
});

test("describe shows a Pod in kubectl's layout", () => {
  const pod = podOf({
    metadata: { labels: { app: "web", tier: "front" } },
    spec: {
      nodeName: "n1", containers: [{ name: "app", image: "img", command: ["sh", "-c"], ports: [{ containerPort: 80, name: "http" }], env: [{ name: "A", value: "1" }, { name: "P", valueFrom: { secretKeyRef: { name: "s", key: "k" } } }], livenessProbe: { httpGet: { path: "/h", port: 80 } }, volumeMounts: [{ name: "v", mountPath: "/v", readOnly: true }] }],
      volumes: [{ name: "v", emptyDir: {} }],
    },
    status: { phase: "Running", hostIP: "10.0.0.1", startTime: "2026-01-01T00:00:05Z", containerStatuses: [statusOf("app", { ready: true, state: running, restartCount: 1, lastState: ended(1) })] },
  });
  const page = renderEntries(describeObject(pod, nowMs));
  for (const line of [
    /^Name: +web$/, /^Node: +n1\/10\.0\.0\.1$/, /^Start Time: +2026-01-01T00:00:05Z \(115s ago\)$/, /^Labels: +app=web$/, /^ {10,}tier=front$/, /^Annotations: +<none>$/, /^Containers:$/, /^ {2}app:$/,
    /^ {4}State: +Running$/, /^ {4} {2}Started: +2026/, /^ {4}Last State: +Terminated$/, /^ {4} {2}Exit Code: +1$/, /^ {4}Liveness: +http-get http:\/\/:80\/h delay=0s timeout=1s period=10s #success=1 #failure=3$/,
    /^ {4}Environment:$/, /^ {6}A: 1$/, /^ {6}P: <set to the key 'k' in secret 's'>$/, /^ {4}Mounts:$/, /^ {6}\/v from v \(ro\)$/, /^Volumes:$/, /^ {4}Type: +EmptyDir/,
  ]) assert.ok(page.some((text) => line.test(text)), `${line} is not in\n${page.join("\n")}`);
});

test("describe tells what a projected volume is made of, and what the downward API puts where", () => {
  const labels = { path: "labels", fieldRef: { fieldPath: "metadata.labels" } }, limit = { path: "limit", resourceFieldRef: { containerName: "app", resource: "limits.memory" } };
  const pod = podOf({ spec: { containers: [{ name: "app", image: "i" }], volumes: [{ name: "all", projected: { sources: [{ configMap: { name: "c", optional: true } }, { secret: { name: "s" } }, { downwardAPI: { items: [labels] } }] } }, { name: "about", downwardAPI: { items: [limit] } }] } });
  const page = renderEntries(describeObject(pod, nowMs));
  const volumes = page.slice(page.indexOf("Volumes:") + 1, page.findIndex((line) => line.startsWith("QoS"))).map((line) => line.replace(/: +/, ": "));
  assert.deepEqual(volumes, [
    "  all:", "    Type: Projected (a volume that contains injected data from multiple sources)", "    ConfigMapName: c", "    Optional: true", "    SecretName: s", "    Optional: false", "    DownwardAPI:", "      metadata.labels -> labels",
    "  about:", "    Type: DownwardAPI (a volume populated by information about the pod)", "    Items:", "      app (limits.memory) -> limit",
  ]);
});

test("resources are found by every name", () => {
  for (const word of ["pods", "pod", "po", "Pod"]) assert.equal(findResource(word), pods);
});

test("colours need a terminal and no NO_COLOR", () => {
  assert.equal(choosePalette({ isTty: true, env: {} }), colours);
  assert.equal(choosePalette({ isTty: false, env: {} }), noColours);
  assert.equal(choosePalette({ isTty: true, env: { NO_COLOR: "1" } }), noColours);
  assert.equal(choosePalette({ isTty: true, env: { NO_COLOR: "" } }), colours);
  assert.equal(choosePalette({ isTty: true, env: { TERM: "dumb" } }), noColours);
});

test("text is wrapped, cut and cleaned by what is seen of it", () => {
  assert.deepEqual(wrap("one two three", 7), ["one two", "three"]);
  assert.deepEqual(wrap("", 7), []);
  assert.equal(visibleLength(colours.red("abc")), 3);
  assert.equal(truncate("abcdef", 4), "abc…");
  assert.equal(truncate(colours.red("abcdef"), 4), "\u001B[31mabc\u001B[39m…");
  assert.equal(printable("a\u001B[2J\tb"), "a\\x1b[2J\tb");
});

test("the help of every verb names its options, but hidden ones, and fits the width", () => {
  for (const verb of verbs) {
    const text = verbHelp(verb, 100);
    for (const flag of verb.flags) assert.equal(text.includes(`--${flag.name}`), flag.hidden === undefined, `${verb.name} --${flag.name}`);
    assert.ok(text.startsWith(`${verb.summary}.`));
    for (const line of text.split("\n")) assert.ok(line.length <= 100, `${verb.name}: ${line}`);
  }
  const text = overview(verbs, "1.2.3", 100);
  for (const verb of verbs) assert.match(text, new RegExp(`^ {2}${verb.name} +${verb.summary.slice(0, 10)}`, "m"));
  for (const code of [0, 1, 64, 69, 70, 75, 78]) assert.match(text, new RegExp(`^ {2}${code} +\\S`, "m"));
});
