import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { judge, rotate } from "../../../orchestrator/network/dns/answer.ts";
import { parseMessage, recordType, serializeMessage } from "../../../orchestrator/network/dns/message.ts";
import type { Message, ResourceRecord } from "../../../orchestrator/network/dns/message.ts";
import { parseRecords, parseUpstreams } from "../../../orchestrator/network/dns/records.ts";
import { buildZone, labelsOf, resolve } from "../../../orchestrator/network/dns/zone.ts";

const http = { name: "http", protocol: "TCP", port: 8080 } as const;
const zone = buildZone({
  version: 1, domain: "cluster.local",
  services: [
    { kind: "endpoints", namespace: "default", name: "web", endpoints: [{ address: "10.0.0.2", ports: [http] }, { address: "10.0.0.3", hostname: "db-0", ports: [http] }] },
    { kind: "endpoints", namespace: "default", name: "empty", endpoints: [] },
    { kind: "external", namespace: "default", name: "mail", target: "mx.example.org" },
    { kind: "external", namespace: "default", name: "inner", target: "web.default.svc.cluster.local" },
  ],
}, 3);

function shown({ data }: ResourceRecord): string {
  switch (data.kind) {
    case "a": return data.address;
    case "cname": case "ptr": return data.target.join(".");
    case "srv": return `${data.port} ${data.target.join(".")}`;
    default: return data.kind;
  }
}
function ask(name: string, type: keyof typeof recordType): string {
  const result = resolve(zone, { name: labelsOf(name), type: recordType[type], class: 1 });
  if (result.kind !== "answer") return result.kind;
  return [...result.answers.map(shown), ...result.additionals.map((record) => `+${shown(record)}`), ...(result.chase === undefined ? [] : [`then ${result.chase.join(".")}`])].join(", ");
}

describe("the zone", () => {
  const check = (name: string, type: keyof typeof recordType, expected: string): void => {
    test(`${type} ${name} is ${expected}`, () => assert.equal(ask(name, type), expected));
  };
  check("web.default.svc.cluster.local", "a", "10.0.0.2, 10.0.0.3");
  check("WEB.Default.svc.CLUSTER.local", "a", "10.0.0.2, 10.0.0.3");
  check("web.default.svc.cluster.local", "aaaa", "noData");
  check("web.default.svc.cluster.local", "txt", "noData");
  check("empty.default.svc.cluster.local", "a", "noData");
  check("nobody.default.svc.cluster.local", "a", "noSuchName");
  check("web.other.svc.cluster.local", "a", "noSuchName");
  check("default.svc.cluster.local", "a", "noData");
  check("svc.cluster.local", "a", "noData");
  check("cluster.local", "a", "noData");
  check("cluster.local.example.org", "a", "notOurs");
  check("evilcluster.local", "a", "notOurs");
  check("db-0.web.default.svc.cluster.local", "a", "10.0.0.3");
  check("10-0-0-2.web.default.svc.cluster.local", "a", "10.0.0.2");
  check("10-0-0-3.web.default.svc.cluster.local", "a", "noSuchName");
  check("_http._tcp.web.default.svc.cluster.local", "srv", "8080 10-0-0-2.web.default.svc.cluster.local, 8080 db-0.web.default.svc.cluster.local, +10.0.0.2, +10.0.0.3");
  check("_http._tcp.web.default.svc.cluster.local", "a", "noData");
  check("_tcp.web.default.svc.cluster.local", "srv", "noData");
  check("_http._udp.web.default.svc.cluster.local", "srv", "noSuchName");
  check("3.0.0.10.in-addr.arpa", "ptr", "db-0.web.default.svc.cluster.local");
  check("9.0.0.10.in-addr.arpa", "ptr", "notOurs");
  check("mail.default.svc.cluster.local", "a", "mx.example.org, then mx.example.org");
  check("mail.default.svc.cluster.local", "cname", "mx.example.org");
  check("inner.default.svc.cluster.local", "a", "web.default.svc.cluster.local, 10.0.0.2, 10.0.0.3");
  check("10-9-8-7.default.pod.cluster.local", "a", "10.9.8.7");
  check("10-9-8-700.default.pod.cluster.local", "a", "noSuchName");
  check("example.org", "a", "notOurs");

  test("a label with a dot in it is not mistaken for two", () => {
    assert.equal(resolve(zone, { name: ["web.default", "svc", "cluster", "local"], type: 1, class: 1 }).kind, "notOurs");
  });

  test("what is not there is said with the zone's authority, for five seconds", () => {
    const result = resolve(zone, { name: labelsOf("nobody.default.svc.cluster.local"), type: 1, class: 1 });
    assert.ok(result.kind === "noSuchName" && result.authority.data.kind === "soa");
    assert.deepEqual([result.authority.name.join("."), result.authority.data.minimum, result.authority.data.serial], ["cluster.local", 5, 3]);
  });
});

describe("the verdict over a packet", () => {
  const query: Message = {
    id: 9, isResponse: false, opcode: 0, authoritative: false, truncated: false, recursionDesired: true, recursionAvailable: false, code: 0,
    questions: [{ name: labelsOf("web.default.svc.cluster.local"), type: 1, class: 1 }], answers: [], authorities: [], additionals: [], edns: undefined,
  };
  const check = (what: string, changes: Partial<Message>, expected: string, known: "records read" | "none read" = "records read"): void => {
    test(`${what}: ${expected}`, () => {
      const verdict = judge(serializeMessage({ ...query, ...changes }, 4096), known === "none read" ? undefined : zone, "cluster.local");
      assert.equal(verdict.kind === "reply" ? `reply ${verdict.message.code}` : verdict.kind, expected);
    });
  };
  const outside = [{ name: labelsOf("example.org"), type: 1, class: 1 }];
  check("a name of ours", {}, "reply 0");
  check("another's name", { questions: outside }, "forward");
  check("a response", { isResponse: true }, "drop");
  check("no question", { questions: [] }, "reply 1");
  check("two questions", { questions: [...query.questions, ...outside] }, "reply 1");
  check("a notification", { opcode: 4 }, "reply 4");
  check("class CHAOS", { questions: [{ name: ["version", "bind"], type: 16, class: 3 }] }, "reply 5");
  check("a newer EDNS", { edns: { udpBytesMax: 1232, version: 1 } }, "reply 16");
  check("an alias to the outside", { questions: [{ name: labelsOf("mail.default.svc.cluster.local"), type: 1, class: 1 }] }, "chase");
  check("a name of ours before the records were read", {}, "reply 2", "none read");
  check("another's name before the records were read", { questions: outside }, "forward", "none read");

  test("garbage with a header is a format error under its id; shorter garbage is dropped", () => {
    const verdict = judge(Uint8Array.from([1, 2, 1, 0, 0, 9, 0, 0, 0, 0, 0, 0]), zone, "cluster.local");
    assert.ok(verdict.kind === "reply");
    assert.deepEqual([verdict.message.id, verdict.message.code], [258, 1]);
    assert.equal(judge(Uint8Array.from([1, 2, 3]), zone, "cluster.local").kind, "drop");
    assert.equal(judge(Uint8Array.from([1, 2, 0x81, 0, 0, 9, 0, 0, 0, 0, 0, 0]), zone, "cluster.local").kind, "drop");
  });

  const size = (edns: Message["edns"], expected: number): void => {
    test(`over UDP ${edns === undefined ? "without EDNS" : `with EDNS of ${edns.udpBytesMax}`} at most ${expected} bytes`, () => {
      const verdict = judge(serializeMessage({ ...query, edns }, 4096), zone, "cluster.local");
      assert.ok(verdict.kind === "reply");
      assert.equal(verdict.udpBytesMax, expected);
    });
  };
  size(undefined, 512);
  size({ udpBytesMax: 0, version: 0 }, 512);
  size({ udpBytesMax: 900, version: 0 }, 900);
  size({ udpBytesMax: 65_535, version: 0 }, 1232);

  test("a reply keeps the question's spelling", () => {
    const verdict = judge(serializeMessage({ ...query, questions: [{ name: labelsOf("wEb.default.svc.cluster.local"), type: 1, class: 1 }] }, 512), zone, "cluster.local");
    assert.ok(verdict.kind === "reply");
    assert.equal(parseMessage(serializeMessage(verdict.message, 512)).questions[0]?.name[0], "wEb");
  });

  test("addresses take turns at being first, and nothing else moves", () => {
    const addresses = ["10.0.0.1", "10.0.0.2", "10.0.0.3"].map((address) => ({ name: ["web"], ttlSeconds: 5, data: { kind: "a" as const, address } }));
    assert.deepEqual([0, 1, 2, 3].map((turn) => rotate(addresses, turn).map(shown)[0]), ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.1"]);
    const alias = [{ name: ["a"], ttlSeconds: 5, data: { kind: "cname" as const, target: ["b"] } }, ...addresses];
    assert.equal(rotate(alias, 2), alias);
  });
});

describe("the records file", () => {
  const good = { version: 1, domain: "cluster.local", services: [{ kind: "endpoints", namespace: "default", name: "web", endpoints: [{ address: "10.0.0.2", ports: [http] }] }] };
  test("is read as it was written", () => assert.deepEqual(parseRecords(JSON.stringify(good)), good));
  const refuse = (what: string, value: unknown, words: RegExp): void => {
    test(`with ${what} is refused whole`, () => assert.throws(() => parseRecords(typeof value === "string" ? value : JSON.stringify(value)), (error) => error instanceof SyntaxError && words.test(error.message)));
  };
  const withEndpoint = (endpoint: object): unknown => ({ ...good, services: [{ kind: "endpoints", namespace: "default", name: "web", endpoints: [endpoint] }] });
  refuse("half of its text", '{"version":1,', /JSON/);
  refuse("another version", { ...good, version: 2 }, /version must be 1/);
  refuse("a bad address", withEndpoint({ address: "10.0.0.256", ports: [] }), /services\[0\]\.endpoints\[0\]/);
  refuse("a bad hostname", withEndpoint({ address: "10.0.0.2", hostname: "a.b", ports: [] }), /hostname/);
  refuse("a bad port", withEndpoint({ address: "10.0.0.2", ports: [{ name: "", protocol: "TCP", port: 0 }] }), /ports\[0\]\.port/);
  refuse("a service of no kind", { ...good, services: [{ namespace: "a", name: "b" }] }, /services\[0\]\.kind/);
  refuse("an alias to nowhere", { ...good, services: [{ kind: "external", namespace: "a", name: "b", target: "" }] }, /target/);
  test("upstreams must be addresses", () => {
    assert.deepEqual(parseUpstreams('{"upstreams":["10.0.0.2","fd00::1"]}'), ["10.0.0.2", "fd00::1"]);
    assert.throws(() => parseUpstreams('{"upstreams":["dns.example.org"]}'), SyntaxError);
  });
});
