import assert from "node:assert/strict";
import { isIP as nodeIsIP } from "node:net";
import { test } from "node:test";
import fc from "fast-check";
import { isIP } from "../../../../orchestrator/api/validate/ip.ts";

const cases: readonly (readonly [string, 0 | 4 | 6])[] = [["10.9.8.7", 4], ["010.0.0.1", 0], ["256.0.0.1", 0], ["1.2.3", 0], ["::", 6], ["::1", 6], ["2001:db8::ffff", 6], ["1:2:3:4:5:6:7:8", 6], ["1:2:3:4:5:6:7::", 6], ["1:2:3:4:5:6:7:8::", 0], ["1::2::3", 0], ["::ffff:10.0.0.1", 6], ["10.0.0.1::", 0], ["10.0.0.1::10.0.0.1", 0], [":1", 0], ["12345::", 0], ["", 0], ["fe80::1%eth0", 0]];
for (const [text, want] of cases) test(`"${text}" is ${want === 0 ? "no address" : `an IPv${want} address`}`, () => assert.equal(isIP(text), want));

test("it agrees with Node on addresses and on near misses", () => {
  const piece = fc.constantFrom("1", "ff", "0", ":", "::", ".", "255", "10.0.0.1", "abcd", "g", "12345");
  fc.assert(fc.property(fc.oneof(fc.ipV4(), fc.ipV6(), fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join(""))), (text) => assert.equal(isIP(text), nodeIsIP(text))), { numRuns: 3000 });
});
