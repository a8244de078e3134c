import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { build } from "esbuild";

const root = mkdtempSync(join(tmpdir(), "podkit-crash-"));
after(() => rmSync(root, { recursive: true }));
const project = join(import.meta.dirname, "../../..");
const shim = join(import.meta.dirname, "crash-shim.mjs");
const bundle = join(root, "main.cjs");

type Place = { readonly directory: string; readonly reports: string; readonly legacy: string; readonly state: string; readonly config: string };

function makePlace(rules: string, file: string, watch = ""): Place {
  const directory = mkdtempSync(join(root, "case-"));
  const place = { directory, reports: join(directory, "reports"), legacy: join(directory, "legacy"), state: join(directory, "state"), config: join(directory, "config.yaml") };
  mkdirSync(place.reports);
  writeFileSync(place.config, `stateDirectory: ${place.state}\nlog: {level: error}\nadapters:\n  - name: copy\n    watch: {dir: ${place.reports}, match: "*.csv"${watch}}\n${rules}    mappings:\n      copy: {in: {format: csv, columns: {a: int64}}, out: {format: csv, file: "${place.legacy}/${file}"}, fields: {b: a}}\n`);
  return place;
}

async function runOnce(place: Place, env: Readonly<Record<string, string>> = {}): Promise<{ readonly code: number | null; readonly signal: string | null }> {
  const child = spawn(process.execPath, ["--import", shim, bundle, "run", "--once", "--config", place.config], { env, stdio: "ignore" });
  return await new Promise((resolve) => child.on("close", (code, signal) => resolve({ code, signal })));
}

/** What consumers of *.csv can see, and what must never be seen at all. */
const visible = (place: Place): Record<string, string> => Object.fromEntries(list(place.legacy).filter((name) => !name.startsWith(".")).map((name) => [name, readFileSync(join(place.legacy, name), "utf8")]));
const hidden = (directory: string): string[] => list(directory).filter((name) => name.startsWith("."));

function list(directory: string): string[] {
  try {
    return readdirSync(directory).toSorted();
  } catch {
    return []; // not made yet
  }
}

type Story = {
  readonly name: string;
  readonly rules?: string;
  readonly watch?: string;
  readonly file?: string;
  /** What is there before the run that is killed. */
  readonly prepare: (place: Place) => Promise<void>;
  readonly expected: Record<string, string>;
  /** What may stand in the folder at the moment of the kill: each name's whole contents. */
  readonly allowed: Record<string, readonly string[]>;
  readonly code?: number;
  /** Done between kill and restart; nothing that was visible then may change, and the expected values come in whatever pieces. */
  readonly afterKill?: { readonly act: (place: Place) => void; readonly values: string };
};

const csv = (place: Place, name: string, text: string): void => writeFileSync(join(place.reports, name), text);
const stories: readonly Story[] = [
  {
    name: "a first report",
    prepare: (place) => Promise.resolve(csv(place, "r.csv", "a\n1\n2\n")),
    expected: { "r.csv": "b\n1\n2\n" },
    allowed: { "r.csv": ["b\n1\n2\n"] },
  },
  {
    name: "a report that replaces one, with manifest and done-file",
    rules: '    publish: {manifest: "{file}.json", done: "{file}.ok"}\n',
    async prepare(place) {
      csv(place, "r.csv", "a\n1\n");
      assert.equal((await runOnce(place)).code, 0);
      csv(place, "r.csv", "a\n1\n2\n");
    },
    expected: { "r.csv": "b\n1\n2\n", "r.csv.ok": "" },
    allowed: { "r.csv": ["b\n1\n", "b\n1\n2\n"], "r.csv.ok": [""] },
  },
  {
    name: "a report that is refused while another is good",
    async prepare(place) {
      csv(place, "bad.csv", "a\n1\n");
      assert.equal((await runOnce(place)).code, 0);
      csv(place, "bad.csv", "a\nx\n");
      csv(place, "good.csv", "a\n1\n");
    },
    expected: { "bad.csv": "b\n1\n", "good.csv": "b\n1\n" },
    allowed: { "bad.csv": ["b\n1\n"], "good.csv": ["b\n1\n"] },
    code: 75,
  },
  {
    name: "segments of a growing report",
    watch: ", ready: [{append: {every: 20ms}}]",
    file: "{name}.{segment}.csv",
    async prepare(place) {
      csv(place, "r.csv", "a\n1\n");
      assert.equal((await runOnce(place)).code, 0);
      csv(place, "r.csv", "a\n1\n2\n3");
    },
    expected: { "r.000001.csv": "b\n1\n", "r.000002.csv": "b\n2\n" },
    afterKill: { act: (place) => csv(place, "r.csv", "a\n1\n2\n3\n4\n"), values: "1\n2\n3\n4\n" },
    allowed: { "r.000001.csv": ["b\n1\n"], "r.000002.csv": ["b\n2\n"] },
  },
  {
    name: "a mirrored deletion",
    rules: "    onDelete: mirror\n",
    async prepare(place) {
      csv(place, "r.csv", "a\n1\n");
      csv(place, "s.csv", "a\n1\n");
      assert.equal((await runOnce(place)).code, 0);
      rmSync(join(place.reports, "r.csv"));
    },
    expected: { "s.csv": "b\n1\n" },
    allowed: { "r.csv": ["b\n1\n"], "s.csv": ["b\n1\n"] },
  },
];

test("the adapter can be bundled for the crash tests", async () => {
  await build({ absWorkingDir: project, entryPoints: ["sidecars/format-adapter/main.ts"], outfile: bundle, bundle: true, platform: "node", format: "cjs", target: "esnext", external: ["winston-transport"], define: { PODKIT_VERSION: '"test"' }, logLevel: "silent" });
});

for (const story of stories) {
  test(`killed before and in the middle of every call that changes a file, ${story.name} comes out right after the restart`, { timeout: 240_000 }, async () => {
    const fresh = async (): Promise<Place> => {
      const place = makePlace(story.rules ?? "", story.file ?? "{name}.csv", story.watch);
      await story.prepare(place);
      return place;
    };
    const counted = await fresh();
    const log = join(counted.directory, "calls");
    const whole = await runOnce(counted, { CRASH_LOG: log });
    assert.equal(whole.code, story.code ?? 0);
    const calls = readFileSync(log, "utf8").trim().split("\n");
    assert.ok(calls.length >= 6, `only ${calls.length} calls were seen`);
    for (const [index, call] of calls.entries()) {
      for (const half of /write/i.test(call) ? ["0", "1"] : ["0"]) {
        const what = `killed at call ${index + 1}, ${call}${half === "1" ? ", half done" : ""}`;
        const place = await fresh();
        const killed = await runOnce(place, { CRASH_AT: String(index + 1), CRASH_HALF: half });
        assert.equal(killed.signal, "SIGKILL", what);
        const atKill = visible(place);
        story.afterKill?.act(place);
        for (const [name, text] of Object.entries(atKill)) if (!name.endsWith(".json")) assert.ok(story.allowed[name]?.includes(text), `${what}: ${name} holds ${JSON.stringify(text)}`);
        const again = await runOnce(place);
        // What was refused before the kill is not refused again.
        assert.ok([story.code ?? 0, 0].includes(again.code ?? -1), `${what}: ended with ${again.code}`);
        const seen = visible(place);
        if (story.afterKill === undefined) assert.deepEqual(Object.fromEntries(Object.entries(seen).filter(([name]) => !name.endsWith(".json"))), story.expected, what);
        else {
          for (const [name, text] of Object.entries(atKill)) assert.equal(seen[name], text, `${what}: ${name} changed after it was seen`);
          assert.equal(Object.values(seen).map((text) => text.replace("b\n", "")).join(""), story.afterKill.values, what);
        }
        for (const [name, text] of Object.entries(seen)) if (name.endsWith(".json")) assert.equal((JSON.parse(text) as { bytes: number }).bytes, seen[name.slice(0, -5)]?.length, what);
        // A manifest's own temporary file may stay for an hour: nobody can tell whose it is.
        assert.deepEqual(hidden(place.legacy).filter((name) => /^\.podkit-[0-9a-f]{16}\.tmp$/.test(name)), [], what);
        assert.deepEqual(hidden(place.state), [], what);
        rmSync(place.directory, { recursive: true });
      }
    }
  });
}
