import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { MsgpackValue } from "../../../../sidecars/log-shipper/forward-protocol/msgpack-writer.ts";
import { Bench, batchOf, decodeAll, readSettings, shapingSpec } from "./shaping.ts";

/** Of the file: 2023-11-14T22:13:20Z. */
const fileTime = "1700000000.000000005";

/** The time that a record gets, in seconds with nine decimals; undefined when its field has none. */
function timeOf(settings: string, value: MsgpackValue): string | undefined {
  const bench = new Bench(`time: { field: at, ${settings} }`);
  const [shaped] = decodeAll(bench.shape(batchOf([{ x: 1, at: value }])).outlets[0]);
  assert.deepEqual(shaped?.record, { x: 1, at: typeof value === "bigint" ? Number(value) : value }, "the field stays");
  if (bench.told.untimed === 0) return shaped?.time;
  assert.equal(shaped?.time, fileTime, "the time of the file stays");
  return undefined;
}

const is = (settings: string, value: MsgpackValue, expected: string): void => {
  test(`${settings}: ${typeof value === "bigint" ? `${value}n` : JSON.stringify(value)} is ${expected}`, () => {
    const [iso = "", digits = ""] = expected.replace("Z", "").split(".");
    const seconds = Date.parse(`${iso}Z`) / 1000;
    assert.ok(Number.isInteger(seconds), "the test says a time");
    assert.equal(timeOf(settings, value), `${seconds}.${digits.padEnd(9, "0")}`);
  });
};
const isNot = (settings: string, value: MsgpackValue): void => {
  test(`${settings}: ${JSON.stringify(value)} is no time`, () => assert.equal(timeOf(settings, value), undefined));
};

const iso = "format: iso8601";
is(iso, "2024-02-29T12:34:56Z", "2024-02-29T12:34:56");
is(iso, "2024-02-29T12:34:56.123456789Z", "2024-02-29T12:34:56.123456789");
is(iso, "2024-02-29T12:34:56.1234567891234Z", "2024-02-29T12:34:56.123456789");
is(iso, "2024-02-29 12:34:56,5", "2024-02-29T12:34:56.5");
is(iso, "2024-02-29T12:34:56.5+02:30", "2024-02-29T10:04:56.5");
is(iso, "2024-02-29T12:34:56-0800", "2024-02-29T20:34:56");
is(iso, "2024-02-29T12:34:56+05", "2024-02-29T07:34:56");
is(iso, "2024-02-29 12:34:56.25 +0100", "2024-02-29T11:34:56.25");
is(iso, "2024-02-29t12:34z", "2024-02-29T12:34:00");
is(iso, "2024-02-29 12:34:56 UTC", "2024-02-29T12:34:56");
is(iso, "2016-12-31T23:59:60Z", "2017-01-01T00:00:00");
is(iso, "1970-01-01T00:00:00Z", "1970-01-01T00:00:00");
is(iso, "2106-02-07T06:28:15.999999999Z", "2106-02-07T06:28:15.999999999");
is("format: rfc3339, zone: '+02:00'", "2024-02-29T12:34:56", "2024-02-29T10:34:56");
is("format: rfc3339, zone: '+02:00'", "2024-02-29T12:34:56Z", "2024-02-29T12:34:56");
for (const text of ["2023-02-29T12:34:56Z", "2024-13-01T00:00:00Z", "2024-00-01T00:00:00Z", "2024-01-32T00:00:00Z", "2024-01-00T00:00:00Z", "2024-01-01T24:00:00Z", "2024-01-01T00:60:00Z", "2024-01-01T00:00:61Z", "2024-01-01T00:00:00.Z", "2024-01-01T00:00:00X", "2024-01-01T00:00:00Zx", "2024-01-01T00:00:00+1", "2024-01-01T00:00:00+01:6", "2024-01-01", "2024-1-1T00:00:00Z", "2024-0a-01T00:00:00Z", "20 4-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "2106-02-07T06:28:16Z", "", "12:34:56"]) isNot(iso, text);
isNot(iso, 1_700_000_000);
isNot(iso, null);
isNot(iso, { a: 1 });

is("format: unix", 1_700_000_001, "2023-11-14T22:13:21");
is("format: unix", 1_700_000_001.25, "2023-11-14T22:13:21.25");
is("format: unix", 1_700_000_001.123457, "2023-11-14T22:13:21.123457");
is("format: unix", "1700000001.123456789", "2023-11-14T22:13:21.123456789");
is("format: unix", "1700000001", "2023-11-14T22:13:21");
is("format: unix", 7, "1970-01-01T00:00:07");
is("format: unixMs", 1_700_000_001_234, "2023-11-14T22:13:21.234");
is("format: unixMs", 1_700_000_001_234.5, "2023-11-14T22:13:21.2345");
is("format: unixMs", "1700000001234", "2023-11-14T22:13:21.234");
is("format: unixMs", "1700000001234.567891", "2023-11-14T22:13:21.234567891");
is("format: unixMs", "7", "1970-01-01T00:00:00.007");
is("format: unixUs", 1_700_000_001_234_567, "2023-11-14T22:13:21.234567");
is("format: unixNs", 1_700_000_001_123_456_789n, "2023-11-14T22:13:21.123456789");
is("format: unixNs", "1700000001123456789", "2023-11-14T22:13:21.123456789");
isNot("format: unix", -1);
isNot("format: unix", "x");
isNot("format: unix", "-5");
isNot("format: unix", 4_294_967_296);
isNot("format: unix", true);
isNot("format: unixMs", "1700000001234x");

is("format: '%d/%b/%Y:%H:%M:%S %z'", "29/Feb/2024:12:34:56 +0100", "2024-02-29T11:34:56");
is("format: '%Y-%m-%d %H:%M:%S,%f'", "2024-02-29 12:34:56,789", "2024-02-29T12:34:56.789");
is("format: '%a %B %e %I:%M:%S %p %Y'", "Thu February  9 12:34:56 AM 2023", "2023-02-09T00:34:56");
is("format: '%a %B %e %I:%M:%S %p %Y'", "thu feb 9 12:34:56 pm 2023", "2023-02-09T12:34:56");
is("format: '%m/%d/%y %H:%M'", "02/29/24 12:34", "2024-02-29T12:34:00");
is("format: '%D %T.%N'", "02/29/24 12:34:56.000000001", "2024-02-29T12:34:56.000000001");
is("format: '%F %T'", "2024-02-29 12:34:56", "2024-02-29T12:34:56");
is("format: '%Y/%j %H'", "2024/366 23", "2024-12-31T23:00:00");
is("format: '%Y%m%d %H%M%S'", "20240229 123456", "2024-02-29T12:34:56");
is("format: '%s.%L'", "1700000001.250", "2023-11-14T22:13:21.25");
is("format: '[%Y-%m-%d é%%%H]'", "[2024-02-29 é%12]", "2024-02-29T12:00:00");
is("format: '%b %e %H:%M:%S'", "Nov 14 22:13:00", "2023-11-14T22:13:00");
is("format: '%b %e %H:%M:%S'", "Nov 15 20:00:00", "2023-11-15T20:00:00");
is("format: '%b %e %H:%M:%S'", "Dec 24 00:00:00", "2022-12-24T00:00:00");
is("format: '%b %d %H:%M:%S'", "Jan 01 00:00:00", "2023-01-01T00:00:00");
isNot("format: '%Y-%m-%d %H'", "2024-02-29 12 ");
isNot("format: '%Y-%m-%d %H'", "2024-02-30 12");
isNot("format: '%Y-%m-%d %H'", "2024-02-2x 12");
isNot("format: '%d %b %Y %H'", "29 Fe 2024 12");
isNot("format: '%d %b %Y %H %z'", "29 Feb 2024 12 CET");
isNot("format: '%Y/%j %H'", "2023/366 00");

const berlin = "format: '%F %T', zone: Europe/Berlin";
is(berlin, "2024-07-01 12:00:00", "2024-07-01T10:00:00");
is(berlin, "2024-01-01 12:00:00", "2024-01-01T11:00:00");
is(berlin, "2024-10-27 01:59:59", "2024-10-26T23:59:59");
is(berlin, "2024-10-27 02:30:00", "2024-10-27T00:30:00");
is(berlin, "2024-10-27 03:00:00", "2024-10-27T02:00:00");
is(berlin, "2024-03-31 01:59:59", "2024-03-31T00:59:59");
is(berlin, "2024-03-31 02:30:00", "2024-03-31T01:30:00");
is(berlin, "2024-03-31 03:00:00", "2024-03-31T01:00:00");
is("format: '%F %T', zone: Asia/Kathmandu", "2024-01-01 05:45:00", "2024-01-01T00:00:00");
is("format: '%F %T', zone: '-03:30'", "2024-01-01 00:00:00", "2024-01-01T03:30:00");

test("Every instant is read back from its ISO form, and from its digits", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 0xffff_ffff }), fc.integer({ min: 0, max: 999_999_999 }), (seconds, nanoseconds) => {
      const digits = String(nanoseconds).padStart(9, "0");
      const text = `${new Date(seconds * 1000).toISOString().slice(0, 19)}.${digits}Z`;
      assert.equal(timeOf(iso, text), `${seconds}.${digits}`);
      assert.equal(timeOf("format: unixNs", BigInt(seconds) * 1_000_000_000n + BigInt(nanoseconds)), `${seconds}.${digits}`);
      assert.equal(timeOf("format: unix", `${seconds}.${digits}`), `${seconds}.${digits}`);
    }),
    { numRuns: 500 },
  );
});

test("Days are right over the whole range, one reader for all, whatever their order", () => {
  const bench = new Bench("time: { field: at }");
  const days = Array.from({ length: 49_000 }, (_, index) => ((index * 7919) % 49_000) * 86_400 + 3600);
  const shaped = decodeAll(bench.shape(batchOf(days.map((seconds) => ({ at: new Date(seconds * 1000).toISOString() })))).outlets[0]);
  assert.deepEqual(shaped.map(({ time }) => time), days.map((seconds) => `${seconds}.000000000`));
});

test("Zones agree with the platform's own calendar for every three hours of years", () => {
  for (const zone of ["Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Africa/Casablanca"]) {
    const format = new Intl.DateTimeFormat("sv", { timeZone: zone, dateStyle: "short", timeStyle: "medium" });
    const bench = new Bench(`time: { field: at, format: '%F %T', zone: ${zone} }`);
    const instants = Array.from({ length: 6000 }, (_, index) => 1_680_000_000 + index * 10_800);
    const shaped = decodeAll(bench.shape(batchOf(instants.map((seconds) => ({ at: format.format(seconds * 1000) })))).outlets[0]);
    for (const [index, { time }] of shaped.entries()) {
      // Where two instants have one local time, the earlier one is as right.
      assert.equal(format.format(Number(time.split(".")[0]) * 1000), format.format((instants[index] ?? 0) * 1000), zone);
    }
  }
});

test("The field goes away with keep: false, but only if it was a time", () => {
  const bench = new Bench("time: { field: m.at, keep: false }");
  const shaped = decodeAll(bench.shape(batchOf([{ m: { at: "2024-02-29T12:34:56Z", x: 1 } }, { m: { at: "soon" } }, { x: 1 }])).outlets[0]);
  assert.deepEqual(shaped, [{ time: "1709210096.000000000", record: { m: { x: 1 } } }, { time: fileTime, record: { m: { at: "soon" } } }, { time: fileTime, record: { x: 1 } }]);
  assert.equal(bench.told.untimed, 2);
});

const refused = (settings: string, problem: RegExp): void => {
  test(`time settings { ${settings} } are refused`, () => assert.match(readSettings(shapingSpec, `time: { ${settings} }`).problems.join("\n"), problem));
};
refused("format: iso8601", /time\.field: is required/);
refused("field: t, format: iso8602", /time\.format: expected one of iso8601, rfc3339, unix, .* \(did you mean "iso8601"\?\), got "iso8602"/);
refused("field: t, format: '%Y-%m-%d %Q'", /%Q is none of them/);
refused("field: t, format: '%Y-%m-%d'", /tells the hour/);
refused("field: t, format: '%H:%M'", /tells the day/);
refused("field: t, format: '%j %H'", /tells the year/);
refused("field: t, format: '%F %T %'", /does not end in a single "%"/);
refused("field: t, zone: Europe/Berln", /test\.yaml:1:\d+: time\.zone: expected UTC, an offset such as .*, got "Europe\/Berln"/);
