// The adapter's image beside an application and a consumer that share its volumes, as in a Pod of the restricted Pod Security Standard.
import assert from "node:assert/strict";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { getContainerRuntimeClient, Wait, type ContainerRuntimeClient, type StartedTestContainer } from "testcontainers";
import { makeOrder, toCsvReport } from "../../../manifests/demo/app/orders.ts";
import { container, idleContainer, sh } from "../../support/containers.ts";
import { eventually } from "../../support/eventually.ts";
import { restricted } from "../../support/idle-settings.ts";
import { image } from "../../support/images.ts";

type Docker = ContainerRuntimeClient["container"]["dockerode"];
type Adapter = Awaited<ReturnType<Docker["createContainer"]>>;

const configuration = readFileSync(join(import.meta.dirname, "../../../manifests/demo/config/format-adapter.yaml"), "utf8");

let docker: Docker;
let folder: string;
let app: StartedTestContainer;
const adapters: Adapter[] = [];

const path = (name: string): string => join(folder, name);

before(async () => {
  docker = (await getContainerRuntimeClient()).container.dockerode;
  folder = mkdtempSync(join(tmpdir(), "podkit-e2e-format-adapter-"));
  chmodSync(folder, 0o755);
  for (const name of ["reports", "legacy", "state", "done", "config"]) {
    mkdirSync(path(name));
    chmodSync(path(name), 0o777);
  }
  writeFileSync(path("config/format-adapter.yaml"), configuration);
  // The application's shell, which also looks after what other users wrote.
  app = await idleContainer().withUser("0:0").withBindMounts(["reports", "legacy", "state", "done"].map((name) => ({ source: path(name), target: `/${name}` }))).start();
});

after(async () => {
  for (const adapter of adapters) await adapter.remove({ force: true, v: true }).catch(() => undefined); // it may be gone
  await sh(app, "rm -rf /reports/* /legacy/* /legacy/.pod* /state/* /done/*");
  await app.stop({ timeout: 0 });
  rmSync(folder, { recursive: true, force: true });
});

/** Read-only root, no capability, uid 65532 of the image; the reports are mounted read-only. */
async function createAdapter(memoryMiB: number): Promise<Adapter> {
  const adapter = await docker.createContainer({
    Image: image("format-adapter"),
    Labels: { "podkit.test": "format-adapter" },
    HostConfig: { ...restricted, Memory: memoryMiB * 1_048_576, Binds: [`${path("config")}:/etc/podkit:ro`, `${path("reports")}:/reports:ro`, `${path("legacy")}:/legacy`, `${path("state")}:/podkit`], Tmpfs: {} },
  });
  adapters.push(adapter);
  return adapter;
}

async function logsOf(adapter: Adapter): Promise<string> {
  return (await adapter.logs({ stdout: true, stderr: true })).toString();
}

const published = (): string[] => readdirSync(path("legacy")).filter((name) => name.endsWith(".csv"));

test("killed and started again while reports come in, it gives the consumer each report once, whole and in the old format", { timeout: 300_000 }, async () => {
  const reports = 60;
  const rows = 500;
  // The reports lie ready under dot-names; the application gives them their names one by one.
  for (let index = 0; index < reports; index++) writeFileSync(path(`reports/.orders-${index}.tmp`), toCsvReport(Array.from({ length: rows }, (_, row) => makeOrder(index * rows + row + 1, new Date(Date.UTC(2026, 0, 1))))));
  // The consumer was never upgraded: it takes away each report it has read, and refuses one that is half or in another format.
  await using consumer = await container("demo-report-reader").withUser("0:0").withBindMounts([{ source: path("legacy"), target: "/legacy" }]).withEnvironment({ PODKIT_POLL_MS: "1", PODKIT_ADMIN_ADDR: "0.0.0.0:9901" }).withExposedPorts(9901).withWaitStrategy(Wait.forHttp("/startupz", 9901)).start();
  const counted = async (metric: string): Promise<number> => {
    const body = await (await fetch(`http://${consumer.getHost()}:${consumer.getMappedPort(9901)}/metrics`)).text();
    return Number(body.split("\n").find((line) => line.startsWith(`${metric} `))?.split(" ")[1] ?? 0);
  };
  const good = 'podkit_demo_report_reader_reports_total{result="good"}';
  const adapter = await createAdapter(64);
  await adapter.start();
  const kills = 6;
  const inWork = 4;
  const batchSize = reports / kills;
  for (let kill = 0; kill < kills; kill++) {
    const batch = Array.from({ length: batchSize }, (_, index) => `mv /reports/.orders-${kill * batchSize + index}.tmp /reports/orders-${kill * batchSize + index}.csv`);
    const before = await counted(good);
    await sh(app, batch.join("; "));
    // In the middle of the batch: one of the ten was read, the others were not all.
    await eventually(async () => (await counted(good)) > before, { intervalMs: 1, what: "the first of ten reports" });
    await adapter.kill();
    await adapter.start();
  }
  await eventually(async () => (await counted(good)) >= reports, { what: `${reports} good reports` }).catch(async (error: unknown) => {
    throw new Error(`${await counted(good)} of ${reports} reports were read\n${await logsOf(adapter)}`, { cause: error });
  });
  await adapter.stop({ t: 10 });
  const { State: state } = await adapter.inspect();
  assert.equal(state.ExitCode, 0, await logsOf(adapter));
  assert.equal(await counted('podkit_demo_report_reader_reports_total{result="wrong"}'), 0);
  // A kill between a report's publication and the ledger's line makes it adapted again: the same bytes, once more at each kill at most for each of those in work.
  const read = await counted(good);
  assert.ok(read <= reports + kills * inWork, `${read} reports were read, ${reports} were written`);
  assert.equal(await counted("podkit_demo_report_reader_rows_total"), read * rows);
  assert.deepEqual(readdirSync(path("legacy")), [], "a temporary file was left, or a report not read");
  await sh(app, "rm -rf /reports/* /state/*");
});

test("where the consumer leaves the reports, each is published once: a kill and a restart touch none again", { timeout: 200_000 }, async () => {
  for (let index = 0; index < 20; index++) writeFileSync(path(`reports/orders-${index}.csv`), toCsvReport([makeOrder(index + 1, new Date(Date.UTC(2026, 0, 1)))]));
  const adapter = await createAdapter(64);
  await adapter.start();
  await eventually(() => published().length === 20, { what: "20 reports" }).catch(async (error: unknown) => {
    throw new Error(await logsOf(adapter), { cause: error });
  });
  const before = await sh(app, "stat -c '%n %i %Z' /legacy/*.csv");
  await adapter.kill();
  await adapter.start();
  writeFileSync(path("reports/orders-20.csv"), toCsvReport([makeOrder(21, new Date(Date.UTC(2026, 0, 1)))]));
  await eventually(() => published().length === 21, { what: "the report written after the restart" });
  await adapter.stop({ t: 10 });
  assert.equal(await sh(app, "cd / && for i in $(seq 0 19); do stat -c '%n %i %Z' /legacy/orders-$i.csv; done | sort"), before.split("\n").toSorted().join("\n"));
  await sh(app, "rm -rf /reports/* /legacy/* /state/*");
});

for (const megabytes of [60, 2_000]) test(`a report of ${megabytes} MB is adapted within a memory limit of 64 MiB`, { timeout: 400_000 }, async () => {
  const piece = toCsvReport(Array.from({ length: 20_000 }, (_, index) => makeOrder(index + 1, new Date(Date.UTC(2026, 0, 1)))));
  const header = piece.slice(0, piece.indexOf("\n") + 1);
  const repeats = Math.ceil((megabytes * 1_000_000) / piece.length);
  writeFileSync(path("reports/.large.tmp"), header);
  for (let index = 0; index < repeats; index++) writeFileSync(path("reports/.large.tmp"), piece.slice(header.length), { flag: "a" });
  await sh(app, "mv /reports/.large.tmp /reports/orders-large.csv");
  const adapter = await createAdapter(64);
  await adapter.start();
  await eventually(() => published().length === 1, { timeoutMs: 300_000, intervalMs: 200, what: "the large report" }).catch(async (error: unknown) => {
    const { State: state } = await adapter.inspect();
    throw new Error(`running ${state.Running}, killed for memory ${state.OOMKilled}\n${await logsOf(adapter)}`, { cause: error });
  });
  assert.equal(await sh(app, "wc -l < /legacy/orders-large.csv"), String(1 + repeats * 20_000));
  await adapter.stop({ t: 10 });
  assert.equal((await adapter.inspect()).State.ExitCode, 0);
  await sh(app, "rm -rf /reports/* /legacy/* /state/*");
});
