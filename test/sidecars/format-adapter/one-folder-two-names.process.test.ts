import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { test } from "node:test";
import { runCommand } from "./adapter-command.ts";
import { cleanups, makePlace, published, read, rename, type Place } from "./adapter-process.ts";

const needsRoot = process.getuid?.() === 0 ? false : "needs root: it mounts";

/** Each folder is adapted into the other; `back` would add a column to the reports. */
function bothWays(place: Place, names: { readonly out?: string; readonly watched?: string; readonly back?: string }): void {
  const one = (name: string, from: string, to: string, fields: string): string => `  - name: ${name}\n    watch: {dir: "${from}", match: "*.csv"}\n    mappings: {${name}: {in: {format: csv}, out: {format: csv, file: "${to}/{name}.csv"}, fields: ${fields}}}\n`;
  writeFileSync(place.config, `stateDirectory: ${place.state}\nadapters:\n${one("forth", place.reports, names.out ?? place.legacy, "{b: a}")}${one("back", names.watched ?? place.legacy, names.back ?? place.reports, "{a: b, c: {const: back}}")}`);
}

function bindMount(from: string, to: string): void {
  mkdirSync(to);
  execFileSync("mount", ["--bind", from, to]);
  cleanups.push(() => void execFileSync("umount", ["--lazy", to]));
}

const others: readonly { readonly name: string; readonly skip?: false | string; readonly link: (place: Place, other: string) => void }[] = [
  { name: "a link", link: (place, other) => symlinkSync(basename(place.legacy), other) },
  { name: "a second mount", skip: needsRoot, link: (place, other) => bindMount(place.legacy, other) },
];

for (const { name, skip, link } of others) {
  test(`when an adapter writes into the folder that another one watches by ${name}, it says so instead of adapting what was adapted`, { skip: skip ?? false }, async () => {
    const place = makePlace();
    const other = `${place.legacy}-2`;
    link(place, other);
    for (const names of [{ out: other }, { watched: other }]) {
      bothWays(place, names);
      rename(place, "x.csv", "a\n1\n");
      const { code, told } = await runCommand("run", "--once", "--config", place.config);
      assert.equal(code, 75, told);
      assert.match(told, /forth: cannot adapt in .*: .* is by another name the folder .* that is watched too, .*; write one name for it/);
      assert.deepEqual([published(place), readdirSync(place.reports)], [[], ["x.csv"]]);
    }
    const checked = await runCommand("doctor", "--config", place.config);
    assert.equal(checked.code, 78);
    assert.match(checked.stdout.replaceAll(/\s+/g, " "), /FAIL forth: .* is by another name the folder .* that is watched too/);
  });
}

test("a folder's name may be written in several ways: what was adapted into it is known all the same", async () => {
  const place = makePlace();
  bothWays(place, { watched: `${place.legacy}/`, out: `${place.legacy}/../${basename(place.legacy)}/`, back: `${place.reports}//.` });
  rename(place, "x.csv", "a\n1\n");
  for (let round = 0; round < 2; round++) {
    const { code, told } = await runCommand("run", "--once", "--config", place.config);
    assert.equal(code, 0, told);
    assert.deepEqual([read(place, "x.csv"), readFileSync(join(place.reports, "x.csv"), "utf8")], ["b\n1\n", "a\n1\n"]);
  }
});

test("doctor tells of an output folder that is a link to the watched one", async () => {
  const place = makePlace();
  rmSync(place.legacy, { recursive: true });
  symlinkSync(basename(place.reports), place.legacy);
  const { code, stdout } = await runCommand("doctor", "--config", place.config);
  assert.equal(code, 78, stdout);
  assert.match(stdout.replaceAll(/\s+/g, " "), /FAIL orders: .*legacy is the watched folder .*reports by another name/);
});
