import { HttpDouble, type DoubleAnswer, type DoubleRequest } from "./http-double.ts";
import { isRecord, parseStrict, StrictJsonError, textIn, type StrictJson } from "./strict-json.ts";

type Fields = { readonly [key: string]: StrictJson };
export type OtlpRecord = { readonly resource: Readonly<Record<string, StrictJson>>; readonly scope: Readonly<Record<string, StrictJson>>; readonly record: Fields; readonly attributes: Readonly<Record<string, StrictJson>>; readonly body: StrictJson };

/** Double of an OTLP/HTTP receiver for logs in JSON. Refuses poison as a whole request (400) or as a partial success that does not say which. */
export class OtlpDouble extends HttpDouble {
  poisonAs: "status" | "partial" = "partial";
  authorization: string | undefined;
  readonly records: OtlpRecord[] = [];

  accept(request: DoubleRequest): DoubleAnswer {
    if (request.path !== "/v1/logs") return { status: 404 };
    if (this.authorization !== undefined && request.headers["authorization"] !== this.authorization) return { status: 401 };
    if (request.headers["content-type"] !== "application/json") return this.violation("content type", { status: 415 });
    if (![undefined, "gzip", "zstd"].includes(request.headers["content-encoding"])) return this.violation("content encoding", { status: 415 });
    let records: readonly OtlpRecord[];
    try {
      records = readRequest(parseStrict(request.text));
    } catch (error) {
      if (!(error instanceof StrictJsonError)) throw error;
      return this.violation(error.message, { status: 400, body: JSON.stringify({ code: 3, message: error.message }) });
    }
    const good = records.filter((each) => !this.poison(JSON.stringify(each.record, bigText)));
    if (good.length < records.length && this.poisonAs === "status") return { status: 400, body: '{"code":3,"message":"invalid record"}' };
    for (const each of good) {
      this.records.push(each);
      const uid = each.attributes["log.record.uid"];
      this.stored.push({ text: JSON.stringify(each.record, bigText), key: typeof uid === "string" ? uid : undefined });
    }
    const rejected = records.length - good.length;
    return { status: 200, body: rejected === 0 ? "{}" : JSON.stringify({ partialSuccess: { rejectedLogRecords: String(rejected), errorMessage: "some are invalid" } }) };
  }
}

function bigText(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? value.toString() : value;
}

function expect(condition: boolean, message: string): asserts condition {
  if (!condition) throw new StrictJsonError(message);
}

function fieldsOf(value: StrictJson | undefined, known: readonly string[], what: string): Fields {
  expect(isRecord(value), `${what} is not an object`);
  for (const key of Object.keys(value)) expect(known.includes(key), `${what} has the unknown field ${key}`);
  return value;
}

function listOf(value: StrictJson | undefined, what: string): readonly StrictJson[] {
  expect(Array.isArray(value), `${what} is not a list`);
  return value as readonly StrictJson[];
}

function readRequest(body: StrictJson): readonly OtlpRecord[] {
  const resources = listOf(fieldsOf(body, ["resourceLogs"], "the request")["resourceLogs"], "resourceLogs");
  return resources.flatMap((each) => {
    const resourceLogs = fieldsOf(each, ["resource", "scopeLogs", "schemaUrl"], "resourceLogs");
    const resource = attributesOf(fieldsOf(resourceLogs["resource"], ["attributes"], "resource")["attributes"]);
    return listOf(resourceLogs["scopeLogs"], "scopeLogs").flatMap((scoped) => {
      const scopeLogs = fieldsOf(scoped, ["scope", "logRecords"], "scopeLogs");
      const scope = attributesOf(fieldsOf(scopeLogs["scope"], ["name", "version", "attributes"], "scope")["attributes"]);
      return listOf(scopeLogs["logRecords"], "logRecords").map((record) => readRecord(resource, scope, record));
    });
  });
}

function readRecord(resource: OtlpRecord["resource"], scope: OtlpRecord["scope"], value: StrictJson): OtlpRecord {
  const record = fieldsOf(value, ["timeUnixNano", "observedTimeUnixNano", "severityNumber", "severityText", "body", "attributes", "traceId", "spanId"], "a record");
  for (const name of ["timeUnixNano", "observedTimeUnixNano"]) expect(typeof record[name] === "string" && /^\d+$/.test(record[name]), `${name} must be decimal text`);
  const severity = record["severityNumber"] ?? 0;
  expect(typeof severity === "number" && Number.isInteger(severity) && severity >= 0 && severity <= 24, "severityNumber");
  expect(record["traceId"] === undefined || /^[0-9a-f]{32}$/.test(textIn(record["traceId"])), "traceId");
  expect(record["spanId"] === undefined || /^[0-9a-f]{16}$/.test(textIn(record["spanId"])), "spanId");
  return { resource, scope, record, attributes: attributesOf(record["attributes"] ?? []), body: anyValue(record["body"]) };
}

function attributesOf(value: StrictJson | undefined): Readonly<Record<string, StrictJson>> {
  const pairs = listOf(value, "attributes").map((each): [string, StrictJson] => {
    const pair = fieldsOf(each, ["key", "value"], "an attribute");
    expect(typeof pair["key"] === "string", "an attribute's key");
    return [pair["key"], anyValue(pair["value"])];
  });
  expect(new Set(pairs.map(([key]) => key)).size === pairs.length, "attribute keys must be unique");
  return Object.fromEntries(pairs);
}

/** The plain value of an AnyValue. */
function anyValue(value: StrictJson | undefined): StrictJson {
  const fields = fieldsOf(value, ["stringValue", "boolValue", "intValue", "doubleValue", "arrayValue", "kvlistValue", "bytesValue"], "a value");
  const [entry, ...others] = Object.entries(fields);
  expect(others.length === 0, "a value of two kinds");
  if (entry === undefined) return null;
  const [kind, inner] = entry;
  if (kind === "arrayValue") return listOf(fieldsOf(inner, ["values"], "arrayValue")["values"], "values").map(anyValue);
  if (kind === "kvlistValue") return attributesOf(fieldsOf(inner, ["values"], "kvlistValue")["values"]);
  if (kind === "intValue") {
    expect(typeof inner === "string" && /^-?\d+$/.test(inner) && BigInt.asIntN(64, BigInt(inner)) === BigInt(inner), "intValue must be decimal text of 64 bits");
    return Number.isSafeInteger(Number(inner)) ? Number(inner) : BigInt(inner);
  }
  if (kind === "doubleValue") expect(typeof inner === "number" || ["NaN", "Infinity", "-Infinity"].includes(textIn(inner)), "doubleValue");
  else expect(typeof inner === (kind === "boolValue" ? "boolean" : "string"), kind);
  return inner;
}
