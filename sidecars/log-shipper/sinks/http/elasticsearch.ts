// pure
import type { Chunk } from "../../delivery/chunk.ts";
import { IsoTimes } from "../iso-time.ts";
import { JsonWriter } from "../json-writer.ts";
import { KeyNames } from "../key-names.ts";
import { deliveredVerdict, isObject, jsonObject, judgeFailure, quote, unreadable, type Answer, type Refusal, type Verdict } from "./answer.ts";
import { recordName, visitEntries, type HttpEncoder } from "./encoder.ts";
import { indexName, parseIndex, type IndexPattern } from "./index-name.ts";

/**
 * Elasticsearch's and OpenSearch's bulk API. Each record is created under its own id, so one that arrives again is refused with 409,
 * which counts as delivered: stored once, however often it is sent. An answer 200 is judged item by item.
 */
export class BulkEncoder implements HttpEncoder {
  readonly path: string;
  readonly contentType = "application/x-ndjson";
  readonly headers = { accept: "application/json" };
  readonly answerBytesMax = 16_777_216;
  readonly #writer = new JsonWriter();
  readonly #times = new IsoTimes();
  readonly #index: IndexPattern;
  readonly #names: KeyNames;
  readonly #timeField: string;
  readonly #tagField: string;

  constructor(options: { readonly path: string; readonly index: string; readonly pipeline: string | undefined; readonly timeField: string; readonly tagField: string }) {
    // Of each item only what is judged: a success in full is longer than its record.
    const filter = "filter_path=errors,items.*.status,items.*.error.type,items.*.error.reason,error";
    const pipeline = options.pipeline === undefined ? "" : `&pipeline=${encodeURIComponent(options.pipeline)}`;
    this.path = `${options.path}${options.path.includes("?") ? "&" : "?"}${filter}${pipeline}`;
    this.#index = parseIndex(options.index);
    this.#timeField = options.timeField;
    this.#tagField = options.tagField;
    this.#names = new KeyNames(options.tagField === "" ? [options.timeField] : [options.timeField, options.tagField]);
  }

  encode(chunk: Chunk, chosen: readonly number[]): Buffer {
    const writer = this.#writer;
    writer.reset();
    const timeKey = `${JSON.stringify(this.#timeField)}:"`;
    const tagMember = `${JSON.stringify(this.#tagField)}:${JSON.stringify(chunk.tag)}`;
    let hour = -1;
    let action = "";
    visitEntries(chunk, chosen, (index, time, mapAt) => {
      if (Math.floor(time.seconds / 3_600) !== hour) {
        hour = Math.floor(time.seconds / 3_600);
        action = `{"create":{"_index":${JSON.stringify(indexName(this.#index, chunk.tag, time.seconds))},"_id":"`;
      }
      writer.ascii(action);
      writer.ascii(recordName(chunk, index));
      writer.ascii('"}}\n{');
      const begin = writer.length;
      const end = writer.recordMembers(chunk.entries, mapAt, this.#names);
      if ((writer.found & 1) === 0) {
        if (writer.length > begin) writer.byte(0x2c);
        writer.utf8(timeKey);
        this.#times.write(writer, time);
        writer.byte(0x22);
      }
      if (this.#tagField !== "" && (writer.found & 2) === 0) {
        writer.byte(0x2c);
        writer.utf8(tagMember);
      }
      writer.ascii("}\n");
      return end;
    });
    return writer.copy();
  }

  judge(answer: Answer, count: number, nowMs: number): Verdict {
    if (answer.status < 200 || answer.status >= 300) return judgeFailure(answer, nowMs);
    const beginning = Buffer.from(answer.body.buffer, answer.body.byteOffset, Math.min(answer.body.length, 64)).toString("latin1");
    // With nothing but successes the items need no look.
    if (answer.whole && /^\s*\{\s*(?:"took"\s*:\s*\d+\s*,\s*)?"errors"\s*:\s*false\s*[,}]/.test(beginning)) return deliveredVerdict;
    const items = jsonObject(answer.body)?.["items"];
    if (!answer.whole || !Array.isArray(items) || items.length !== count) return unreadable(answer, `that of a bulk request with ${count} items`);
    return judgeItems(items);
  }
}

/** Faults of the index or of rights, which somebody can mend: no record is given up for them. */
const mendable: ReadonlySet<number> = new Set([401, 403, 404]);

function judgeItems(items: readonly unknown[]): Verdict {
  const again: number[] = [];
  const refused: Refusal[] = [];
  let reason = "";
  let fault: "busy" | "configuration" = "busy";
  for (const [position, item] of items.entries()) {
    const { status, said } = outcomeOf(item);
    if ((status >= 200 && status < 300) || status === 409) continue;
    if (status === 429 || status >= 500 || status < 200 || mendable.has(status)) {
      again.push(position);
      if (mendable.has(status)) fault = "configuration";
      reason = `${status}${said}`;
    } else {
      refused.push({ position, status, reason: `HTTP ${status}${said}` });
    }
  }
  if (again.length === 0 && refused.length === 0) return deliveredVerdict;
  const remedy = fault === "configuration" ? "; check that the index may be created and written by this user" : "";
  return { kind: "items", again, refused, reason: `${again.length} of ${items.length} records were not taken: ${reason}${remedy}`, fault };
}

/** Status and reason of one item, `{"create":{"status":400,"error":{"type":…,"reason":…}}}`; 0 for what is none. */
function outcomeOf(item: unknown): { readonly status: number; readonly said: string } {
  const result = isObject(item) ? Object.values(item)[0] : undefined;
  if (!isObject(result) || typeof result["status"] !== "number") return { status: 0, said: ": no status" };
  const error = result["error"];
  const said = isObject(error) ? `${String(error["type"])}: ${String(error["reason"])}` : typeof error === "string" ? error : "";
  return { status: result["status"], said: quote(Buffer.from(said)) };
}
