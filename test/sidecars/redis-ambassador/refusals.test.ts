import assert from "node:assert/strict";
import { test } from "node:test";
import { isUnfit, refusalOf, type Refusal } from "../../../sidecars/redis-ambassador/connections/refusals.ts";

const primary = { isReplica: false, clustered: false }, replica = { isReplica: true, clustered: false };
const inCluster = { isReplica: false, clustered: true }, replicaInCluster = { isReplica: true, clustered: true };

function check(word: string, expected: readonly [primary: Refusal | undefined, replica: Refusal | undefined, inCluster: Refusal | undefined, replicaInCluster: Refusal | undefined]): void {
  test(`${word} from a primary, a replica, and both in a cluster means ${expected.map((each) => each ?? "an answer").join(", ")}`, () => {
    assert.deepEqual([primary, replica, inCluster, replicaInCluster].map((from) => refusalOf(word, from)), expected);
    assert.equal(isUnfit(word), expected[0] === "unfit");
  });
}

for (const word of ["READONLY", "LOADING", "MASTERDOWN"]) check(word, ["unfit", "unfit", "unfit", "unfit"]);
for (const word of ["NOSCRIPT", "NOPERM", "NOAUTH"]) check(word, [undefined, "replica", undefined, "replica"]);
for (const word of ["MOVED", "ASK", "TRYAGAIN", "CLUSTERDOWN"]) check(word, [undefined, undefined, "cluster", "cluster"]);
for (const word of ["ERR", "WRONGTYPE", "OOM", "UNBLOCKED", "EXECABORT", "readonly", ""]) check(word, [undefined, undefined, undefined, undefined]);
