import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { DockerComposeEnvironment, Wait } from "testcontainers";
import "../../support/containers.ts"; // sets the image of the reaper
import { composeEnvironment } from "../../../images/debian/compose-plugin.ts";
import { eventually } from "../../support/eventually.ts";

/** testcontainers runs `docker compose` with this process's environment. */
Object.assign(process.env, await eventually(composeEnvironment, { timeoutMs: 120_000, intervalMs: 5_000, what: "docker compose, which may have to be fetched" }));

const folder = join(import.meta.dirname, "../../../manifests/demo/compose");

test("the same demo runs under docker compose on a pause service", { timeout: 600_000 }, async (t) => {
  const environment = await new DockerComposeEnvironment(folder, "compose.yaml").withDefaultWaitStrategy(Wait.forAll([])).up();
  t.after(async () => await environment.down({ removeVolumes: true }));
  const follow = async (service: string): Promise<() => string> => {
    let seen = "";
    const stream = await environment.getContainer(`${service}-1`).logs();
    stream.on("data", (part: Buffer | string) => (seen += part.toString()));
    return () => seen;
  };
  const [receiver, app, reader] = await Promise.all([follow("receiver"), follow("app"), follow("report-reader")]);
  await eventually(() => /"distinct":\d{3,},"repeated":\d+,"missing":0/.test(receiver()), { timeoutMs: 120_000, what: "the receiver to have 100 lines" });
  await eventually(() => /\d+ orders, [1-9]\d* reports, 0 stale reads, \d+ events acknowledged/.test(app()));
  await eventually(() => reader().includes("Read an old report"));
  assert.doesNotMatch(reader(), /not in the old format/);
  assert.doesNotMatch(app(), /[1-9]\d* stale reads/);
});
