// pure
import type { Chunk } from "../../delivery/chunk.ts";
import { decodeValue, isMap, MalformedMessageError, skipValue, textOf, toPlain, type Decoded } from "../../forward-protocol/msgpack-reader.ts";
import type { EntryTime } from "../entry.ts";
import { JsonWriter } from "../json-writer.ts";
import { KeyNames } from "../key-names.ts";
import { mapCount, mapHeaderBytes, stringHeaderBytes } from "../msgpack-shape.ts";
import { deliveredVerdict, isObject, isPage, jsonObject, judgeFailure, unreadable, type Answer, type Verdict } from "./answer.ts";
import { recordName, visitEntries, type HttpEncoder } from "./encoder.ts";
import { writeAnyValue, writeKeyValues } from "./otlp-value.ts";
import { severityNumber } from "../severity.ts";

export type OtlpOptions = {
  readonly path: string;
  readonly resource: Readonly<Record<string, string>>;
  readonly bodyFields: readonly string[];
  readonly severityFields: readonly string[];
  readonly recordIds: boolean;
  /** The field that holds the Pod's metadata, which become resource attributes. */
  readonly metadataField: string;
};

/**
 * OTLP/HTTP logs as JSON. The time of observation is the record's own time: a time of sending would change from attempt to attempt.
 *
 * A partial success tells how many records were rejected and not which. The request is divided then until the rejected ones stand
 * alone, so the others of such a request arrive twice, under the same `log.record.uid`.
 */
export class OtlpEncoder implements HttpEncoder {
  readonly path: string;
  readonly contentType = "application/json";
  readonly headers = {};
  readonly answerBytesMax = 65_536;
  readonly #writer = new JsonWriter();
  readonly #options: OtlpOptions;
  readonly #names: KeyNames;
  /** By name, where the record's value of it is; -1 if it has none. */
  readonly #valueAts: Int32Array;
  readonly #traceAt: number;
  /** The metadata for which `#resource` was made. */
  #metadata: Buffer = Buffer.alloc(0);
  #resource: string;

  constructor(options: OtlpOptions) {
    this.path = options.path;
    this.#options = options;
    const names = [...options.bodyFields, ...options.severityFields];
    this.#traceAt = names.length;
    this.#names = new KeyNames([...names, "trace_id", "span_id", options.metadataField]);
    this.#valueAts = new Int32Array(this.#names.count);
    this.#resource = resourceText(undefined, options.resource);
  }

  encode(chunk: Chunk, chosen: readonly number[]): Buffer {
    const writer = this.#writer;
    writer.reset();
    writer.ascii('{"resourceLogs":[');
    const scope = scopeText(chunk);
    const begin = writer.length;
    visitEntries(chunk, chosen, (index, time, mapAt) => {
      const end = this.#findNames(chunk.entries, mapAt);
      const changed = this.#resourceOf(chunk.entries);
      if (changed || writer.length === begin) {
        if (writer.length > begin) writer.ascii("]}]},");
        writer.utf8(`{"resource":${this.#resource},"scopeLogs":[{"scope":${scope},"logRecords":[`);
      } else {
        writer.byte(0x2c);
      }
      this.#record(chunk, index, time, mapAt);
      return end;
    });
    writer.ascii("]}]}]}");
    return writer.copy();
  }

  judge(answer: Answer, count: number, nowMs: number): Verdict {
    if (answer.status < 200 || answer.status >= 300) return judgeFailure(answer, nowMs);
    if (answer.body.length === 0) return deliveredVerdict;
    const body = answer.whole ? jsonObject(answer.body) : undefined;
    // Some receivers answer with a text of their own; a status of success is what counts.
    const partial = body?.["partialSuccess"];
    if (!isObject(partial)) return answer.whole && !isPage(answer) ? deliveredVerdict : unreadable(answer, "that of an OTLP receiver");
    const rejected = Number(partial["rejectedLogRecords"] ?? 0);
    if (!(rejected > 0)) return deliveredVerdict;
    return { kind: "refused", status: answer.status, reason: `partial success, ${rejected} of ${count} records rejected: ${JSON.stringify(partial["errorMessage"] ?? "no reason given")}`, all: rejected >= count };
  }

  /** Notes where the named fields of the record are. Returns where the record ends. */
  #findNames(bytes: Uint8Array, mapAt: number): number {
    this.#valueAts.fill(-1);
    const count = mapCount(bytes, mapAt);
    let at = mapAt + mapHeaderBytes(bytes, mapAt);
    for (let pair = 0; pair < count; pair++) {
      const header = stringHeaderBytes(bytes[at] ?? 0);
      const valueAt = skipValue(bytes, at, bytes.length);
      const index = header === 0 ? -1 : this.#names.find(bytes, at + header, valueAt);
      if (index >= 0) this.#valueAts[index] = valueAt;
      at = skipMetadata(bytes, valueAt, index === this.#names.count - 1 ? this.#metadata : undefined);
    }
    return at;
  }

  /** Makes the resource for this record's metadata. True when it is another one than before. */
  #resourceOf(bytes: Uint8Array): boolean {
    const at = this.#valueAts[this.#names.count - 1] ?? -1;
    if (at < 0) {
      if (this.#metadata.length === 0) return false;
      this.#metadata = Buffer.alloc(0);
      this.#resource = resourceText(undefined, this.#options.resource);
      return true;
    }
    const { length } = this.#metadata;
    if (length > 0 && at + length <= bytes.length && this.#metadata.compare(bytes, at, at + length) === 0) return false;
    this.#metadata = Buffer.from(bytes.subarray(at, skipValue(bytes, at, bytes.length)));
    this.#resource = resourceText(this.#metadata, this.#options.resource);
    return true;
  }

  #record(chunk: Chunk, index: number, time: EntryTime, mapAt: number): void {
    const writer = this.#writer;
    const { entries } = chunk;
    writer.ascii('{"timeUnixNano":"');
    const timeAt = writer.length;
    writer.integer(time.seconds);
    writer.nineDigits(time.nanoseconds);
    const timeEnd = writer.length;
    writer.ascii('","observedTimeUnixNano":"');
    writer.raw(writer.buffer.subarray(timeAt, timeEnd));
    writer.byte(0x22);
    const used = [this.#severity(entries), this.#valueAts[this.#names.count - 1] ?? -1, this.#hexId(entries, this.#traceAt, "traceId", 32), this.#hexId(entries, this.#traceAt + 1, "spanId", 16)];
    const bodyAt = this.#bodyAt(entries);
    writer.ascii(',"body":');
    let attributes = 0;
    if (bodyAt >= 0) {
      used.push(bodyAt);
      writeAnyValue(writer, entries, bodyAt);
      writer.ascii(',"attributes":[');
      const before = writer.length;
      writeKeyValues(writer, entries, mapAt, 0, (valueAt) => used.includes(valueAt));
      attributes = writer.length - before;
    } else {
      writer.ascii('{"kvlistValue":{"values":[');
      writeKeyValues(writer, entries, mapAt, 0, (valueAt) => used.includes(valueAt));
      writer.ascii(']}},"attributes":[');
    }
    if (this.#options.recordIds) writer.ascii(`${attributes > 0 ? "," : ""}{"key":"log.record.uid","value":{"stringValue":"${recordName(chunk, index)}"}}`);
    writer.ascii("]}");
  }

  /** The first of the body's fields that is text. */
  #bodyAt(bytes: Uint8Array): number {
    for (let index = 0; index < this.#options.bodyFields.length; index++) {
      const at = this.#valueAts[index] ?? -1;
      if (at >= 0 && stringHeaderBytes(bytes[at] ?? 0) > 0) return at;
    }
    return -1;
  }

  /** Writes the severity; returns where the field is that needs no attribute any more, or -1. */
  #severity(bytes: Uint8Array): number {
    const { bodyFields, severityFields } = this.#options;
    for (let index = bodyFields.length; index < bodyFields.length + severityFields.length; index++) {
      const at = this.#valueAts[index] ?? -1;
      if (at < 0) continue;
      const header = stringHeaderBytes(bytes[at] ?? 0);
      if (header > 0) {
        const end = skipValue(bytes, at, bytes.length);
        if (end - at > levelBytesMax) return -1;
        const level = textOf(bytes.subarray(at + header, end));
        const number = severityNumber(level);
        if (number > 0) this.#writer.ascii(`,"severityNumber":${number}`);
        this.#writer.ascii(',"severityText":');
        this.#writer.string(bytes, at + header, end);
        return at;
      }
      const level = bytes[at] ?? 0;
      const number = level < 0x80 ? severityNumber(level) : 0;
      if (number > 0) this.#writer.ascii(`,"severityNumber":${number}`);
      return -1;
    }
    return -1;
  }

  /** Writes an id of hexadecimal digits that is not all zeros; returns where the field is that needs no attribute any more, or -1. */
  #hexId(bytes: Uint8Array, name: number, member: string, digits: number): number {
    const at = this.#valueAts[name] ?? -1;
    if (at < 0) return -1;
    const header = stringHeaderBytes(bytes[at] ?? 0);
    if (header === 0 || skipValue(bytes, at, bytes.length) - at - header !== digits) return -1;
    const id = textOf(bytes.subarray(at + header, at + header + digits));
    if (!/^[0-9a-fA-F]+$/.test(id) || /^0+$/.test(id)) return -1;
    this.#writer.ascii(`,"${member}":"${id.toLowerCase()}"`);
    return at;
  }
}

const levelBytesMax = 64;

function skipMetadata(bytes: Uint8Array, at: number, known: Buffer | undefined): number {
  if (known !== undefined && known.length > 0 && at + known.length <= bytes.length && known.compare(bytes, at, at + known.length) === 0) return at + known.length;
  return skipValue(bytes, at, bytes.length);
}

function scopeText(chunk: Chunk): string {
  const path = chunk.origin.path === undefined ? [] : [stringAttribute("log.file.path", chunk.origin.path)];
  return `{"name":"podkit/log-shipper","attributes":[${[stringAttribute("tag", chunk.tag), ...path].join(",")}]}`;
}

function stringAttribute(key: string, value: string): string {
  return `{"key":${JSON.stringify(key)},"value":{"stringValue":${JSON.stringify(value.toWellFormed())}}}`;
}

/** OpenTelemetry's names for what the metadata has. */
const attributeNames: ReadonlyMap<string, string> = new Map([
  ["pod_name", "k8s.pod.name"],
  ["namespace_name", "k8s.namespace.name"],
  ["pod_id", "k8s.pod.uid"],
  ["host", "k8s.node.name"],
  ["container_name", "k8s.container.name"],
]);

function resourceText(metadata: Uint8Array | undefined, given: Readonly<Record<string, string>>): string {
  const attributes = new Map<string, string>();
  for (const [key, value] of metadata === undefined ? [] : metadataPairs(metadata)) {
    if (isMap(value)) {
      const prefix = key === "labels" ? "k8s.pod.label" : key === "annotations" ? "k8s.pod.annotation" : `kubernetes.${key}`;
      for (const [name, item] of value) attributes.set(`${prefix}.${name}`, plainText(item));
    } else {
      attributes.set(attributeNames.get(key) ?? `kubernetes.${key}`, plainText(value));
    }
  }
  for (const [key, value] of Object.entries(given)) attributes.set(key, value);
  return `{"attributes":[${[...attributes].map(([key, value]) => stringAttribute(key, value)).join(",")}]}`;
}

function metadataPairs(metadata: Uint8Array): Iterable<readonly [string, Decoded]> {
  try {
    const { value } = decodeValue(metadata, 0);
    return isMap(value) ? value : [["metadata", value]];
  } catch (error) {
    if (!(error instanceof MalformedMessageError)) throw error; // nested too deep to be metadata
    return [];
  }
}

function plainText(value: Decoded): string {
  if (value instanceof Uint8Array) return textOf(value);
  return typeof value === "bigint" ? value.toString() : JSON.stringify(toPlain(value));
}
