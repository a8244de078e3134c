import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { formatProblem } from "../../../kit/config/problem.ts";
import { readConfig } from "../../../kit/config/read.ts";
import { spec } from "../../../sidecars/redis-ambassador/config.ts";

const directory = mkdtempSync(join(tmpdir(), "podkit-ambassador-config-"));
after(() => rmSync(directory, { recursive: true }));
const file = join(directory, "c.yaml");

function read(text: string, env: Readonly<Record<string, string>> = {}) {
  writeFileSync(file, text);
  return readConfig(spec, { files: [file], env, argv: [] });
}

for (const [name, text] of [
  ["a list of servers", "upstream: { nodes: [\"a:6379\"] }"],
  ["sentinels among the nodes", "upstream: { mode: sentinel, nodes: [\"s:26379\"], sentinel: { masterName: m } }"],
  ["sentinels of their own", "upstream: { mode: sentinel, sentinel: { masterName: m, nodes: [\"s:26379\"], password: p } }"],
  ["a cluster with mapped addresses", "upstream: { mode: cluster, nodes: [\"c:7000\"], addressMap: { \"10.0.0.1:7000\": \"localhost:7000\" } }"],
  ["weights", "{ upstream: { nodes: [\"a:6379\"] }, reads: { policy: weighted, weights: { \"a:6379\": 3, \"b:6379\": 0 } } }"],
  ["a zone", "{ upstream: { nodes: [\"a:6379\"] }, reads: { policy: zone, zone: z, zones: { \"a:6379\": z } } }"],
  ["a password of the ambassador's own", "{ upstream: { nodes: [\"a:6379\"] }, listen: { auth: password, password: p } }"],
  ["TLS with client certificates", "{ upstream: { nodes: [\"a:6379\"] }, listen: { tls: { certFile: c, keyFile: k, clientCaFile: a } } }"],
] as const) {
  test(`${name} is a right configuration`, () => {
    const outcome = read(text);
    assert.deepEqual(outcome.kind === "problems" ? outcome.problems.map(formatProblem) : [], []);
  });
}

for (const [name, text, expected] of [
  ["no server", "{}", /^upstream\.nodes: expected at least one server.*PODKIT_UPSTREAM_NODES/],
  ["an address without a port", "upstream:\n  nodes: [\"redis\"]", /c\.yaml:2:11: upstream\.nodes\[0\]: expected an address/],
  ["an address without a host", "upstream: { nodes: [\":6379\"] }", /upstream\.nodes\[0\]: expected a host and a port/],
  ["mode sentinel without a name", "upstream:\n  mode: sentinel\n  nodes: [\"s:26379\"]", /upstream\.sentinel\.masterName: is required in mode sentinel/],
  ["mode sentinel without sentinels", "upstream: { mode: sentinel, sentinel: { masterName: m } }", /upstream\.nodes: expected at least one sentinel/],
  ["sentinels given twice", "upstream: { mode: sentinel, nodes: [\"s:1\"], sentinel: { masterName: m, nodes: [\"s:1\"] } }", /upstream\.nodes: the sentinels are given twice/],
  ["a name of sentinels in another mode", "upstream:\n  nodes: [\"a:1\"]\n  sentinel: { masterName: m }", /c\.yaml:3:13: upstream\.sentinel: has an effect in mode sentinel alone, and upstream\.mode is standalone/],
  ["discovery in mode cluster", "upstream:\n  mode: cluster\n  nodes: [\"a:1\"]\n  discover: true", /c\.yaml:4:13: upstream\.discover: is for mode standalone/],
  ["a user without a password", "upstream: { nodes: [\"a:1\"], username: u }", /upstream\.username: needs upstream\.password/],
  ["a mapped address without a port", "upstream: { nodes: [\"a:1\"], addressMap: { redis: \"b:1\" } }", /upstream\.addressMap\.redis: expected a key/],
  ["a certificate without its key", "{ upstream: { nodes: [\"a:1\"] }, listen: { tls: { certFile: c } } }", /listen\.tls: certFile and keyFile are needed together/],
  ["client certificates without TLS", "{ upstream: { nodes: [\"a:1\"] }, listen: { tls: { clientCaFile: c } } }", /listen\.tls\.clientCaFile: needs certFile/],
  ["TLS settings that are not switched on", "upstream: { nodes: [\"a:1\"], tls: { caFile: c } }", /upstream\.tls\.enabled: must be true/],
  ["authentication by a password that is not given", "{ upstream: { nodes: [\"a:1\"] }, listen: { auth: password } }", /listen\.auth: password needs listen\.password/],
  ["a password that nobody asks for", "{ upstream: { nodes: [\"a:1\"] }, listen: { password: p } }", /listen\.password: is used with listen\.auth: password alone/],
  ["weights under another policy", "{ upstream: { nodes: [\"a:1\"] }, reads: { weights: { \"a:1\": 1 } } }", /reads\.weights: has an effect with policy weighted alone, and reads\.policy is prefer-replica/],
  ["an unknown policy", "{ upstream: { nodes: [\"a:1\"] }, reads: { policy: weigted, weights: { \"a:1\": 1 } } }", /reads\.policy: .*did you mean "weighted"\?/],
  ["weights that are all 0", "{ upstream: { nodes: [\"a:1\"] }, reads: { policy: weighted, weights: { \"a:1\": 0 } } }", /reads\.weights: expected at least one weight above 0/],
  ["a weight of no address", "{ upstream: { nodes: [\"a:1\"] }, reads: { policy: weighted, weights: { a: 1 } } }", /reads\.weights\.a: expected a key/],
  ["zones without a zone", "{ upstream: { nodes: [\"a:1\"] }, reads: { policy: zone } }", /reads\.zone: is required by policy zone/],
] as const) {
  test(`${name} is refused with place and remedy`, () => {
    const outcome = read(text);
    assert.ok(outcome.kind === "problems");
    assert.match(outcome.problems.map(formatProblem).join("\n"), expected);
  });
}

test("passwords are shown nowhere", () => {
  const outcome = read("{ upstream: { mode: sentinel, nodes: [\"s:1\"], password: one-secret, sentinel: { masterName: m, password: two-secret } }, listen: { auth: password, password: three-secret } }");
  assert.ok(outcome.kind === "ok");
  assert.doesNotMatch(JSON.stringify(outcome.redacted), /-secret/);
});

test("structures can be given by the environment", () => {
  const outcome = read("{}", { PODKIT_UPSTREAM_NODES: "a:1, b:2", PODKIT_READS_POLICY: "weighted", PODKIT_READS_WEIGHTS: "{ \"a:1\": 2 }", PODKIT_UPSTREAM_ADDRESS_MAP: "{ \"x:1\": \"a:1\" }" });
  assert.ok(outcome.kind === "ok", JSON.stringify(outcome));
  assert.deepEqual(outcome.config.upstream.nodes, [{ host: "a", port: 1 }, { host: "b", port: 2 }]);
  assert.deepEqual(outcome.config.reads.weights, { "a:1": 2 });
  assert.deepEqual(outcome.config.upstream.addressMap, { "x:1": { host: "a", port: 1 } });
});
