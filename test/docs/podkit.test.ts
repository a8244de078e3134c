import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { parseArguments } from "../../cli/arguments.ts";
import { verbs } from "../../cli/verbs.ts";
import { codeLines, shellWords } from "./markdown.ts";

const root = join(import.meta.dirname, "../..");
const pages = ["README.md", "manifests/demo/README.md", ...readdirSync(join(root, "docs")).filter((name) => name.endsWith(".md")).map((name) => `docs/${name}`)];

type Example = { readonly page: string; readonly at: number; readonly words: readonly string[] };

/** The words after `podkit` of every command line in the pages' shell blocks. */
function examples(): readonly Example[] {
  return pages.flatMap((page) => codeLines(readFileSync(join(root, page), "utf8"), ["sh", "bash", "shell", "console"]).flatMap(({ line, at }) => {
    const found = /(?:^|\||&&|;|\$\(|\s)(?:[A-Z_]+=\S+\s+)*(?:node cli\/podkit\.js|podkit)\s+(\S.*)$/.exec(line.replace(/(?:^|\s)#.*$/, ""));
    return found === null ? [] : [{ page, at, words: shellWords((found[1] ?? "").replace(/\)"?\s*$/, "")) }];
  }));
}

const found = examples();

/** What is wrong with the command, as podkit would say it. */
function fault(words: readonly string[]): string | undefined {
  const [name = "", ...rest] = words;
  const verb = verbs.find((candidate) => candidate.name === name);
  if (verb === undefined) return name.startsWith("--") ? undefined : `there is no verb "${name}"`;
  const parsed = parseArguments(verb, rest);
  return parsed.kind === "wrong" ? parsed.message : undefined;
}

for (const { page, at, words } of found) {
  test(`${page}:${at}: podkit ${words.join(" ")}`, () => {
    assert.equal(fault(words), undefined);
  });
}

test("every verb has an example in docs/podkit.md, but help", () => {
  const shown = new Set(found.filter(({ page }) => page === "docs/podkit.md").map(({ words }) => words[0]));
  assert.deepEqual(verbs.map(({ name }) => name).filter((name) => name !== "help" && !shown.has(name)), []);
});

test("examples are found and faults in them are seen", () => {
  assert.ok(found.filter(({ page }) => page === "README.md").length >= 5, "the README's own are missed");
  assert.match(fault(["up", "--fil", "x"]) ?? "", /no option --fil/);
  assert.match(fault(["upp"]) ?? "", /no verb "upp"/);
  assert.equal(fault(shellWords(`exec web -- sh -c 'echo "a  b"' > out # says it`)), undefined);
  assert.deepEqual(shellWords(`exec web -- sh -c 'echo "a  b"' > out # says it`), ["exec", "web", "--", "sh", "-c", 'echo "a  b"']);
});
