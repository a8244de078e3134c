import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { choosePrimary, readNodeFacts, whyNotEligible, type NodeFacts } from "../../../sidecars/redis-ambassador/servers/eligibility.ts";

const facts: fc.Arbitrary<NodeFacts> = fc.record({
  role: fc.constantFrom("primary", "replica"), offset: fc.nat({ max: 300 }), replicationId: fc.constantFrom("one", "two"), connectedReplicas: fc.nat({ max: 3 }), linkUp: fc.boolean(),
  loading: fc.boolean(), syncing: fc.boolean(), lastIoSeconds: fc.integer({ min: -1, max: 20 }), version: fc.constant("8.0.2"), runId: fc.constantFrom("a", "b"), zone: fc.constant(undefined),
});
const limits = { lagBytesMax: 100, lagSecondsMax: 10 };

test("a replica is read only when nothing at all speaks against it", () => {
  fc.assert(fc.property(fc.option(facts, { nil: undefined }), fc.option(facts, { nil: undefined }), (replica, primary) => {
    const well = replica !== undefined && replica.role === "replica" && replica.linkUp && !replica.loading && !replica.syncing && replica.lastIoSeconds <= limits.lagSecondsMax
      && (primary === undefined || (replica.replicationId === primary.replicationId && primary.offset - replica.offset <= limits.lagBytesMax));
    assert.equal(whyNotEligible(replica, primary, limits) === undefined, well);
  }), { numRuns: 2000 });
});

test("only a node that calls itself a primary and is not loading is written to, and of several one with the most replicas", () => {
  const nodes = fc.array(fc.option(facts, { nil: undefined }), { maxLength: 5 }).map((all) => all.map((each, index) => ({ address: `n${index}`, facts: each })));
  fc.assert(fc.property(nodes, fc.constantFrom(undefined, "n0", "n1", "n2"), (all, present) => {
    const chosen = choosePrimary(all, present), able = all.filter((node) => node.facts?.role === "primary" && !node.facts.loading);
    if (able.length === 0) return assert.equal(chosen, undefined);
    const most = Math.max(...able.map((node) => node.facts?.connectedReplicas ?? 0)), best = able.filter((node) => node.facts?.connectedReplicas === most);
    assert.ok(best.some(({ address }) => address === chosen));
    if (best.some(({ address }) => address === present)) assert.equal(chosen, present);
  }), { numRuns: 2000 });
});

test("whatever a server answers to INFO, what is read of it is well-formed or nothing", () => {
  const line = fc.oneof(fc.constantFrom("role:master", "role:slave", "master_repl_offset:12", "slave_repl_offset:7", "master_link_status:up", "loading:1", "master_last_io_seconds_ago:-1", "run_id:x", "# Replication", ""), fc.string({ maxLength: 20 }));
  fc.assert(fc.property(fc.array(line, { maxLength: 12 }), (lines) => {
    const read = readNodeFacts(lines.join("\r\n"));
    assert.ok(read !== undefined || !lines.includes("role:master") || lines.findIndex((each) => each.includes("role:")) < lines.indexOf("role:master"));
    if (read !== undefined) assert.ok(Number.isFinite(read.offset) && Number.isFinite(read.lastIoSeconds));
  }), { numRuns: 500 });
});
