import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { connect } from "node:net";
import { test } from "node:test";
import { getContainerRuntimeClient, Wait } from "testcontainers";
import { container } from "../../support/containers.ts";
import { eventually } from "../../support/eventually.ts";
import { image } from "../../support/images.ts";

test("what a dead test run left is removed by its labels and nothing else", async (t) => {
  const { container: { dockerode: docker } } = await getContainerRuntimeClient();
  const run = randomUUID();
  const labels = { "podkit.test.run": run };
  const reaper = await container("reaper").withExposedPorts(8080).withEnvironment({ RYUK_RECONNECTION_TIMEOUT: "1s" })
    .withBindMounts([{ source: "/var/run/docker.sock", target: "/var/run/docker.sock" }]).withWaitStrategy(Wait.forLogMessage(/Started/)).start();
  const make = async (name: string, own: Record<string, string>) => await docker.createContainer({ name, Image: image("busybox"), Cmd: ["sleep", "1000"], Labels: own });
  const left = await make(`podkit-test-left-${run}`, labels);
  const bystander = await make(`podkit-test-other-${run}`, { "podkit.test.run": "another" });
  t.after(async () => { await bystander.remove({ force: true }); });
  await left.start();
  const network = await docker.createNetwork({ Name: `podkit-test-${run}`, Labels: labels });
  await docker.createVolume({ Name: `podkit-test-${run}`, Labels: labels });

  const client = connect(reaper.getMappedPort(8080), reaper.getHost());
  await once(client, "connect");
  client.write(`label=podkit.test.run=${run}\r\n`);
  assert.match(String(await once(client, "data")), /ACK/);
  assert.equal((await left.inspect()).State.Running, true, "nothing is removed while the client is there");
  client.destroy();

  const gone = async (look: Promise<unknown>): Promise<boolean> => await look.then(() => false, () => true);
  await eventually(async () => await gone(left.inspect()), { what: "the container removed" });
  await eventually(async () => await gone(docker.getNetwork(network.id).inspect()), { what: "the network removed" });
  await eventually(async () => await gone(docker.getVolume(`podkit-test-${run}`).inspect()), { what: "the volume removed" });
  await eventually(async () => await gone(docker.getContainer(reaper.getId()).inspect()), { what: "the reaper itself gone" });
  assert.equal((await bystander.inspect()).Config.Labels["podkit.test.run"], "another");
});
