import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { eventually } from "../../support/eventually.ts";
import { spawnShipper } from "./support/shipper-process.ts";
import { configOf, lines, temporary } from "./support/shipper.ts";

test("SIGTERM with the receiver down ends with 75 before the grace is over and names the ranges", { timeout: 150_000 }, async () => {
  using place = temporary();
  mkdirSync(place.logs);
  const { file } = configOf(place.root, { sources: [{ type: "tail", paths: [`${place.logs}/app.log`] }], sinks: [{ type: "forward", servers: ["127.0.0.1:1"] }], state: { directory: place.state } });
  const text = lines("a", 0, 10);
  writeFileSync(join(place.logs, "app.log"), text);
  const shipper = spawnShipper(file, ["--shutdown-grace-ms", "7s"]);
  await eventually(() => shipper.stderr().includes("Lost the log receiver"));
  shipper.kill("SIGTERM");
  assert.equal(await shipper.exited, 75, shipper.stderr());
  assert.ok(shipper.stderr().includes(`"undelivered":[{"path":"${join(place.logs, "app.log")}","from":0,"to":${text.length}}]`), shipper.stderr());
});

test("A configuration with faults ends with 78 and names each with its place", { timeout: 150_000 }, async () => {
  using place = temporary();
  const file = join(place.root, "config.yaml");
  writeFileSync(file, 'sources:\n  - type: tail\n    path: ["/logs/*.log"]\nsinks:\n  - type: forwrd\n');
  const shipper = spawnShipper(file);
  assert.equal(await shipper.exited, 78);
  assert.match(shipper.stderr(), /config\.yaml:3:\d+.*did you mean "paths"/);
  assert.match(shipper.stderr(), /config\.yaml:5:\d+.*did you mean "forward"/);
});
