// Faults of disk and clock that real parts do not produce on demand: the calls themselves fail, in a process that is otherwise whole.
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import { eventually } from "../../support/eventually.ts";
import { copyConfig, end, makePlace, metricsOf, published, read, ready, rename, startFaulty, type Adapter } from "./adapter-process.ts";

const faultsOf = async (adapter: Adapter): Promise<number> => Number(/transient_faults_total\{adapter="copy"\} (\d+)/.exec(await metricsOf(adapter))?.[1] ?? "0");

for (const code of ["EIO", "EDQUOT"] as const) {
  test(`${code} at any step of publishing: the old report stays or the whole new one is there, readiness tells, and it is repeated until it works`, async () => {
    const place = makePlace();
    copyConfig(place);
    const { adapter, inject, heal } = await startFaulty(place);
    rename(place, "r.csv", "a\n0\n");
    await eventually(async () => /files_adapted_total\{mapping="copy"\} 1\n/.test(await metricsOf(adapter)));
    for (const [index, step] of ["open", "write", "sync", "rename", "sync-folder"].entries()) {
      const before = await faultsOf(adapter);
      inject(`${step} ${code}`);
      rename(place, "r.csv", `a\n${index + 1}\n`);
      await eventually(async () => {
        const { status, body } = await adapter.get("/readyz");
        return status === 503 && body.includes(code);
      }, { what: `${code} at ${step} in readiness` });
      assert.equal(read(place, "r.csv"), `a\n${step === "sync-folder" ? index + 1 : index}\n`, step);
      await eventually(async () => (await faultsOf(adapter)) >= before + 2, { what: `a second try at ${step}` });
      heal();
      await eventually(() => read(place, "r.csv") === `a\n${index + 1}\n`, { timeoutMs: 40_000, what: step });
      await ready(adapter);
      assert.deepEqual(readdirSync(place.legacy), ["r.csv"], `a temporary file stayed after ${step}`);
    }
    await end(adapter);
  });
}

test("a clock that jumps, back or forth, holds nothing up and removes nothing", async () => {
  const place = makePlace();
  copyConfig(place, { ready: "[rename, {stable: {quiet: 200ms}}]", rules: "    retention: {inputs: {maxAge: 10d}, outputs: {maxAge: 10d}}\n" });
  const { adapter, inject, heal } = await startFaulty(place);
  rename(place, "first.csv", "a\n1\n");
  await eventually(() => published(place).length === 1);
  const dayMs = 86_400_000;
  for (const [index, offMs] of [-400 * dayMs, 5 * dayMs, -dayMs].entries()) {
    inject(`clock ${offMs}`);
    rename(place, `r${index}.csv`, "a\n2\n");
    await eventually(() => published(place).includes(`r${index}.csv`), { what: `a report at ${offMs} ms` });
    // As a writer with that clock leaves it: older than what was adapted, and the same size.
    rename(place, "first.csv", `a\n${index + 2}\n`, new Date(Date.now() - dayMs));
    await eventually(() => read(place, "first.csv") === `a\n${index + 2}\n`, { what: `a rewrite at ${offMs} ms` });
    await ready(adapter);
  }
  await eventually(async () => /files_adapted_total\{mapping="copy"\} 7\n/.test(await metricsOf(adapter)));
  heal();
  assert.deepEqual(published(place), ["first.csv", "r0.csv", "r1.csv", "r2.csv"]);
  assert.deepEqual(readdirSync(place.reports).filter((name) => !name.startsWith(".")).toSorted(), ["first.csv", "r0.csv", "r1.csv", "r2.csv"]);
  await end(adapter);
});
