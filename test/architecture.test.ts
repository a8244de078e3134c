import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { test } from "node:test";

/** The areas of the code base, most specific first, and which areas each may import besides itself. */
const arrows: readonly (readonly [area: string, may: readonly string[]])[] = [
  ["kit", []],
  ["orchestrator/api/types", []],
  ["orchestrator/api", ["orchestrator/api/types", "orchestrator/store", "kit"]],
  ["orchestrator/store", ["kit"]],
  ["orchestrator/scheduler", ["orchestrator/api/client", "orchestrator/api/types", "kit"]],
  ["orchestrator/agent", ["orchestrator/api/client", "orchestrator/api/types", "orchestrator/runtime", "kit"]],
  ["orchestrator/runtime", ["kit"]],
  ["orchestrator/network", ["orchestrator/api/client", "orchestrator/api/types", "orchestrator/runtime", "kit"]],
  ["orchestrator", ["orchestrator/api", "orchestrator/api/types", "orchestrator/store", "orchestrator/scheduler", "orchestrator/agent", "orchestrator/runtime", "orchestrator/network", "kit"]],
  ["sidecars/log-shipper", ["kit"]],
  ["sidecars/redis-ambassador", ["kit"]],
  ["sidecars/format-adapter", ["kit"]],
  ["cli", ["orchestrator", "kit"]],
  ["manifests", ["kit"]],
];

/** What scheduler, agent and network may know of the API: its client's side, never the server's core or the store. */
const clientSide = /^orchestrator\/api\/(client|errors|informer|event-recorder|selectors|node-streams)\.ts$/;

/** The one driver folder that knows Docker. */
const dockerWords = /from "(?:undici|node:http)"|docker\.sock/;

const inputOutput = /^(?:node:(?:fs|net|http|http2|https|tls|dgram|dns|child_process|sqlite|timers|worker_threads|perf_hooks|cluster)(?:\/|$)|undici$|ioredis$|chokidar$|pino$|ws$|fluent-logger$|testcontainers$)/;
const importTargets = /(?:^\s*(?:import|export)\s(?<type>type\s)?(?:[\w*{}\s,$]+\sfrom\s)?|\bimport\(\s*)["'](?<target>[^"']+)["']/gm;

/** `targets` are all imports; `loaded` only those that exist at run time (not `import type`). */
type Source = { readonly file: string; readonly text: string; readonly targets: readonly string[]; readonly loaded: readonly string[] };

const sources: readonly Source[] = globSync("{kit,sidecars,orchestrator,cli,manifests}/**/*.ts", { exclude: ["**/node_modules/**"] }).toSorted().map((file) => {
  const text = readFileSync(file, "utf8");
  const imports = [...text.matchAll(importTargets)].map((match) => ({ target: match.groups?.["target"] ?? "", type: match.groups?.["type"] !== undefined }));
  return { file, text, targets: imports.map(({ target }) => target), loaded: imports.filter(({ type }) => !type).map(({ target }) => target) };
});

function areaOf(file: string): string | undefined {
  return arrows.map(([area]) => area).filter((area) => file.startsWith(`${area}/`)).toSorted((left, right) => right.length - left.length)[0];
}

function isAllowed(from: string, file: string): boolean {
  const target = areaOf(file);
  const may = arrows.find(([area]) => area === from)?.[1] ?? [];
  if (target === from || (target !== undefined && may.includes(target)) || may.includes(file)) return true;
  if (may.includes("orchestrator/api/client") && clientSide.test(file)) return true;
  return from === "cli" && file.startsWith("orchestrator/");
}

const resolveAll = (source: Source, names: readonly string[]): readonly string[] => names.filter((name) => name.startsWith(".")).map((name) => normalize(join(dirname(source.file), name)));

test("the sources are really read", () => {
  assert.ok(sources.length >= 60, `expected to read the sources, read only ${sources.length}`);
  for (const [area] of arrows) assert.ok(sources.some((source) => areaOf(source.file) === area), `no source in ${area}`);
});

test("every import follows the arrows of ARCHITECTURE.md", () => {
  const wrong = sources.flatMap((source) => {
    const from = areaOf(source.file);
    return from === undefined ? [`${source.file} belongs to no area`] : resolveAll(source, source.targets).filter((file) => !isAllowed(from, file)).map((file) => `${source.file} -> ${file}`);
  });
  assert.deepEqual(wrong, []);
});

test("a pure file imports pure files only, and no input or output", () => {
  const isPure = new Map(sources.map((source) => [source.file, source.text.startsWith("// pure")]));
  const wrong = sources.filter((source) => isPure.get(source.file)).flatMap((source) => [
    ...source.loaded.filter((name) => inputOutput.test(name)).map((name) => `${source.file} -> ${name}`),
    ...resolveAll(source, source.loaded).filter((file) => isPure.get(file) !== true).map((file) => `${source.file} -> ${file}, which is not pure`),
    ...(/\bDate\.now\(|\bMath\.random\(|\bprocess\.(?:env|argv|exit|cwd)\b/.test(source.text) ? [`${source.file} reads time, randomness or the process`] : []),
  ]);
  assert.deepEqual(wrong, []);
});

test("only the Docker driver knows Docker", () => {
  const wrong = sources.filter((source) => source.file.startsWith("orchestrator/") && !source.file.startsWith("orchestrator/runtime/docker") && !source.file.startsWith("orchestrator/api/http/") && !source.file.startsWith("orchestrator/agent/probes/"));
  assert.deepEqual(wrong.filter((source) => dockerWords.test(source.text)).map((source) => source.file), []);
});

test("the environment is read and the process ended only at the edges", () => {
  const edges = /^(?:cli\/|manifests\/|kit\/(?:process|watch-directories)\.ts$|.*\/main\.ts$)/;
  const wrong = sources.filter((source) => !edges.test(source.file) && /\bprocess\.(?:env|exit)\b/.test(source.text)).map((source) => source.file);
  assert.deepEqual(wrong, []);
});
