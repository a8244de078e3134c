import assert from "node:assert/strict";
import { test } from "node:test";
import { withClientId } from "../../../sidecars/redis-ambassador/commands/client-id.ts";
import { afterAccepted, freshState, openingRequests, shareKey, stateRequests } from "../../../sidecars/redis-ambassador/connections/connection-state.ts";
import { choosePrimary, readNodeFacts, whyNotEligible, type NodeFacts } from "../../../sidecars/redis-ambassador/servers/eligibility.ts";
import { readRole } from "../../../sidecars/redis-ambassador/routing/fence-runner.ts";

const primary: NodeFacts = { role: "primary", offset: 1000, replicationId: "id", connectedReplicas: 2, linkUp: true, loading: false, syncing: false, lastIoSeconds: 0, version: "8.0.2", runId: "r", zone: undefined };
const replica: NodeFacts = { ...primary, role: "replica", offset: 990, connectedReplicas: 0 };
const limits = { lagBytesMax: 100, lagSecondsMax: 10 };

const judged = (title: string, facts: NodeFacts | undefined, why: string | undefined): void => {
  test(`a replica ${title} is ${why === undefined ? "read" : "not read"}`, () => assert.equal(whyNotEligible(facts, primary, limits), why));
};
judged("in sync", replica, undefined);
judged("that does not answer", undefined, "not answering");
judged("that is a primary now", primary, "not a replica");
judged("that is loading", { ...replica, loading: true }, "loading its dataset");
judged("in full synchronisation", { ...replica, syncing: true }, "in full synchronisation");
judged("without its link", { ...replica, linkUp: false }, "link to its primary is down");
judged("of another history", { ...replica, replicationId: "other" }, "follows another primary");
judged("101 bytes behind", { ...replica, offset: 899 }, "lags in bytes");
judged("that has heard nothing for long", { ...replica, lastIoSeconds: 11 }, "lags in seconds");

test("while the primary is lost its replicas are read on, within the lag limit, if they ever had a link", () => {
  const cut = { ...replica, linkUp: false, lastIoSeconds: 3 };
  assert.equal(whyNotEligible(cut, primary, limits, true), undefined);
  assert.equal(whyNotEligible(cut, primary, limits, false), "link to its primary is down");
  assert.equal(whyNotEligible({ ...cut, lastIoSeconds: 11 }, primary, limits, true), "lags in seconds");
  assert.equal(whyNotEligible({ ...cut, lastIoSeconds: -1 }, primary, limits, true), "link to its primary is down");
  assert.equal(whyNotEligible({ ...cut, syncing: true }, primary, limits, true), "in full synchronisation");
  assert.equal(readNodeFacts("role:slave\r\nmaster_link_status:down\r\nmaster_last_io_seconds_ago:-1\r\nmaster_link_down_since_seconds:7\r\n")?.lastIoSeconds, 7);
});

test("the primary is who says so; among two the one with more replicas, then the present one", () => {
  const node = (address: string, facts: NodeFacts | undefined) => ({ address, facts });
  assert.equal(choosePrimary([node("a", replica), node("b", primary)], "a"), "b");
  assert.equal(choosePrimary([node("a", { ...primary, connectedReplicas: 0 }), node("b", primary)], "a"), "b");
  assert.equal(choosePrimary([node("a", primary), node("b", primary)], "b"), "b");
  assert.equal(choosePrimary([node("a", { ...primary, loading: true }), node("b", replica)], "a"), undefined);
});

test("INFO is read, of a replica that is not connected too", () => {
  const info = "# Server\r\nredis_version:8.0.2\r\nrun_id:abc\r\n# Replication\r\nrole:slave\r\nmaster_link_status:down\r\nmaster_sync_in_progress:1\r\nmaster_last_io_seconds_ago:-1\r\nslave_repl_offset:77\r\nmaster_replid:xyz\r\n# Persistence\r\nloading:0\r\n";
  assert.deepEqual(readNodeFacts(info), { role: "replica", offset: 77, replicationId: "xyz", connectedReplicas: 0, linkUp: false, loading: false, syncing: true, lastIoSeconds: -1, version: "8.0.2", runId: "abc", zone: undefined });
  assert.equal(readNodeFacts("no such thing"), undefined);
});

test("ROLE proves an offset only for a connected replica", () => {
  const slave = (state: string): Buffer => Buffer.from(`*5\r\n$5\r\nslave\r\n$1\r\nh\r\n:6379\r\n$${state.length}\r\n${state}\r\n:123\r\n`);
  assert.deepEqual(readRole(slave("connected")), { role: "replica", offset: 123 });
  assert.deepEqual(readRole(slave("sync")), { role: "replica", offset: -1 });
  assert.deepEqual(readRole(Buffer.from("*3\r\n$6\r\nmaster\r\n:456\r\n*0\r\n")), { role: "primary", offset: 456 });
});

test("what a server accepted is what later connections are made to be", () => {
  let state = afterAccepted(freshState, ["HELLO", "3", "AUTH", "app", "pw", "SETNAME", "worker"]);
  state = afterAccepted(state, ["select", "4"]);
  assert.deepEqual(state, { ...freshState, db: 4, resp: 3, credentials: { username: "app", password: "pw" }, name: "worker", admitted: true });
  assert.deepEqual(openingRequests(state, undefined).map(({ bytes }) => bytes.toString().replaceAll("\r\n", " ")),
    ["*3 $4 AUTH $3 app $2 pw ", "*2 $5 HELLO $1 3 ", "*2 $6 SELECT $1 4 ", "*3 $6 CLIENT $7 SETNAME $6 worker "]);
  assert.deepEqual(stateRequests(state, { ...state, db: 0 }).length, 1);
  assert.notEqual(shareKey(state), shareKey({ ...state, credentials: undefined }));
});

test("the ambassador's id replaces the server's in HELLO", () => {
  assert.equal(withClientId(Buffer.from("%1\r\n$2\r\nid\r\n:7\r\n"), 123).toString(), "%1\r\n$2\r\nid\r\n:123\r\n");
  assert.equal(withClientId(Buffer.from("*2\r\n$2\r\nid\r\n:7\r\n"), 123).toString(), "*2\r\n$2\r\nid\r\n:123\r\n");
});
