// Every format by the real image, on a read-only root and without rights: a bundle that misses a part which is loaded on first use (a file beside
// main.cjs, a WebAssembly module, a built-in module) fails here, and not with the first report of a user.
import assert from "node:assert/strict";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { getContainerRuntimeClient, type ContainerRuntimeClient, type StartedTestContainer } from "testcontainers";
import { roles } from "../../../images/roles.ts";
import { formatsIn, formatsOut } from "../../../sidecars/format-adapter/mapping/read-format.ts";
import { idleContainer, sh } from "../../support/containers.ts";
import { restricted } from "../../support/idle-settings.ts";
import { image } from "../../support/images.ts";

type Docker = ContainerRuntimeClient["container"]["dockerode"];

const folders = ["reports", "middle", "back", "first", "second", "state"] as const;
let docker: Docker;
let folder: string;
let shell: StartedTestContainer;
const path = (name: string): string => join(folder, name);

before(async () => {
  docker = (await getContainerRuntimeClient()).container.dockerode;
  folder = mkdtempSync(join(tmpdir(), "podkit-e2e-every-format-"));
  chmodSync(folder, 0o755);
  for (const name of folders) {
    mkdirSync(path(name));
    chmodSync(path(name), 0o777);
  }
  // What the adapter wrote belongs to its user.
  shell = await idleContainer().withUser("0:0").withBindMounts(folders.map((name) => ({ source: path(name), target: `/${name}` }))).start();
});

after(async () => {
  await sh(shell, `rm -rf ${folders.map((name) => `/${name}/* /${name}/.pod*`).join(" ")}`);
  await shell.stop({ timeout: 0 });
  rmSync(folder, { recursive: true, force: true });
});

/** `run --once` with the configuration in one of the folders. `binds` stand over parts of the image. */
async function runOnce(configuration: "first" | "second", binds: readonly string[] = []): Promise<{ readonly code: number; readonly output: string }> {
  const container = await docker.createContainer({
    Image: image("format-adapter"), Labels: { "podkit.test": "every-format" }, Cmd: ["run", "--once", "--config", `/${configuration}/adapter.yaml`],
    HostConfig: { ...restricted, Memory: 134_217_728, Tmpfs: {}, Binds: [...folders.map((name) => `${path(name)}:/${name}`), ...binds] },
  });
  try {
    await container.start();
    const { StatusCode: code } = (await container.wait()) as { StatusCode: number };
    return { code, output: (await container.logs({ stdout: true, stderr: true })).toString() };
  } finally {
    await container.remove({ force: true, v: true });
  }
}

const columns = "columns: {id: int64, total: decimal(2), city: string}";
const fixed = "layout: {id: 20, total: 12, city: 12}";
type Form = { readonly name: string; readonly in: string; readonly out: string; /** Of the fields on the way out and back, when they are not id, total, city. */ readonly to?: string; readonly from?: string; readonly columns?: string };
const samples = "columns: {value: int64}";
const forms: readonly Form[] = [
  ...["csv", "tsv", "ndjson", "json", "logfmt"].map((name) => ({ name, in: name, out: name })),
  { name: "yaml", in: "yaml", out: "yaml" },
  { name: "toml", in: "toml, records: records", out: "toml" },
  { name: "xml", in: "xml, records: /records/record", out: "xml" },
  { name: "fixed-width", in: `fixed-width, ${fixed}`, out: `fixed-width, ${fixed}` },
  { name: "ini", in: "ini, section: id", out: "ini, section: id" },
  ...["prometheus", "openmetrics"].map((name) => ({ name, in: name, out: name, to: "{name: {const: orders}, value: id, total: total, city: city}", from: "{id: value, total: labels.total, city: labels.city}", columns: samples })),
  ...["none", "snappy", "gzip", "zstd"].map((codec) => ({ name: `parquet-${codec}`, in: "parquet", out: `parquet, codec: ${codec}` })),
  ...["none", "deflate", "zstd"].map((codec) => ({ name: `avro-${codec}`, in: "avro", out: `avro, codec: ${codec}` })),
  ...["gzip", "zstd"].map((compression) => ({ name: `csv-${compression}`, in: `csv, compression: ${compression}`, out: `csv, compression: ${compression}` })),
];

/** One adapter for each form; all watch one folder, each for reports of its own name. */
function configurationOf(from: string, to: string, sides: (form: Form) => { readonly in: string; readonly out: string; readonly fields: string; readonly columns: string }): string {
  const adapters = forms.map((form) => {
    const side = sides(form);
    return `  - name: ${form.name}\n    watch: {dir: ${from}, match: "${form.name}"}\n    mappings:\n      m: {in: {format: ${side.in}, ${side.columns}}, out: {format: ${side.out}, file: "${to}/{name}"}, fields: ${side.fields}}\n`;
  });
  return `stateDirectory: /state\nlog: {level: warn}\nadapters:\n${adapters.join("")}`;
}

const plain = "{id: id, total: total, city: city}";
const records = Array.from({ length: 3 }, (_, index) => `{"id":${900_719_925 + index},"total":${index}.25,"city":"Zürich"}\n`).join("");

test("the forms are all that there are", () => {
  const word = (text: string): string => text.split(",")[0] ?? "";
  // A file of properties is one record.
  assert.deepEqual(new Set([...forms.map((form) => word(form.in)), "properties"]), new Set(formatsIn));
  assert.deepEqual(new Set([...forms.map((form) => word(form.out)), "properties"]), new Set(formatsOut));
  const role = roles.find(({ name }) => name === "format-adapter");
  assert.deepEqual(Object.keys(role?.workers ?? {}), ["parquet-library"], "what is a file of its own in the image needs a form here that loads it");
});

test("a report goes into every format and comes back the same", { timeout: 180_000 }, async () => {
  for (const { name } of forms) writeFileSync(path(`reports/${name}`), records);
  writeFileSync(path("first/adapter.yaml"), configurationOf("/reports", "/middle", (form) => ({ in: "ndjson", columns, out: form.out, fields: form.to ?? plain })));
  writeFileSync(path("second/adapter.yaml"), configurationOf("/middle", "/back", (form) => ({ in: form.in, columns: form.columns ?? columns, out: "ndjson", fields: form.from ?? plain })));
  const there = await runOnce("first");
  assert.equal(there.code, 0, there.output);
  assert.deepEqual(readdirSync(path("middle")).toSorted(), forms.map(({ name }) => name).toSorted(), there.output);
  // Another adapter, to which these are reports: one knows what it wrote itself.
  await sh(shell, "rm -rf /state/*");
  const back = await runOnce("second");
  assert.equal(back.code, 0, back.output);
  const values = (text: string): readonly unknown[] => text.trim().split("\n").map((line) => Object.values(JSON.parse(line) as object).map(String));
  for (const { name } of forms) assert.deepEqual(values(readFileSync(path(`back/${name}`), "utf8")), values(records), name);
});

test("without the file that Parquet needs the same run fails", { timeout: 180_000 }, async () => {
  await sh(shell, "rm -rf /state/* /middle/*");
  writeFileSync(path("first/empty.cjs"), "");
  const { code, output } = await runOnce("first", [`${path("first/empty.cjs")}:/app/parquet-library.cjs:ro`]);
  assert.notEqual(code, 0, output);
  assert.match(output, /"msg":"Ended by a defect"/);
  assert.match(output, /createParquetWriter/);
});
