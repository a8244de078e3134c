import assert from "node:assert/strict";
import { test } from "node:test";
import { ApiError } from "../../../orchestrator/api/errors.ts";
import { matchesFields, matchesLabels, matchesSelectorMap, parseFieldSelector, parseLabelSelector } from "../../../orchestrator/api/selectors.ts";
import type { ApiObject } from "../../../orchestrator/api/types/meta.ts";

const labels = { app: "web", tier: "front", "example.com/level": "7", empty: "" };
const check = (selector: string, want: boolean): void => {
  test(`labels: "${selector}" ${want ? "selects" : "leaves out"} the web front`, () => { assert.equal(matchesLabels(parseLabelSelector(selector), labels), want); });
};
for (const selector of ["", "app=web", "app==web", "app", "!zone", "app!=db", "zone!=a", "app in (db,web)", "app in ( web )", "zone notin (a)", "app=web,tier in (front,back),!zone", "example.com/level>6", "example.com/level < 8", "empty=", "empty in ()"]) check(selector, true);
for (const selector of ["app=db", "zone", "!app", "app!=web", "app in (db)", "app notin (web,db)", "zone=a", "app=web,tier=back", "example.com/level>7", "app>1"]) check(selector, false);

for (const wrong of ["a=b=c", "=a", "a in b", "a in (b", "-a=b", "a=b c", "a,,b", "a>x", "toString,constructor in (x"]) {
  test(`labels: "${wrong}" is refused by name`, () => { assert.throws(() => parseLabelSelector(wrong), (error) => error instanceof ApiError && error.code === 400 && error.message.includes("label selector")); });
}

test("labels: a name that every JavaScript object has is no label", () => { assert.equal(matchesLabels(parseLabelSelector("constructor"), labels), false); });

const event: ApiObject = Object.freeze({ apiVersion: "v1", kind: "Event", metadata: { name: "e", namespace: "default" }, involvedObject: { name: "a,b" }, reason: "Started", source: { component: "kubelet" } });
test("fields: nested names, negation, escapes and the event's source", () => {
  const cases: readonly (readonly [string, boolean])[] = [["reason=Started", true], ["reason!=Started", false], ["involvedObject.name=a\\,b", true], ["source=kubelet,metadata.name=e", true], ["type=", true], ["type!=Normal", true]];
  for (const [selector, want] of cases) assert.equal(matchesFields(parseFieldSelector(selector, "Event"), event), want, selector);
  assert.throws(() => parseFieldSelector("spec.colour=red", "Pod"), /field label not supported: spec.colour; supported are metadata.name/);
  assert.throws(() => parseFieldSelector("metadata.name", "Pod"), /cannot understand "metadata.name"/);
});

test("a Service's selector map selects by every pair, and an empty one nothing", () => {
  assert.equal(matchesSelectorMap({ app: "web", tier: "front" }, labels), true);
  assert.equal(matchesSelectorMap({ app: "web", zone: "a" }, labels), false);
  assert.equal(matchesSelectorMap({}, labels), false);
  assert.equal(matchesSelectorMap(undefined, labels), false);
});
