import { HttpDouble, type DoubleAnswer, type DoubleRequest } from "./http-double.ts";
import { isRecord, parseStrict, StrictJsonError, type StrictJson } from "./strict-json.ts";

type Item = { readonly index: string; readonly id: string; readonly text: string; readonly document: Readonly<Record<string, StrictJson>> };
type Outcome = { readonly status: number; readonly error?: { readonly type: string; readonly reason: string } };

/** Double of Elasticsearch's and OpenSearch's bulk API: creates once per index and id, judges each item by itself. */
export class ElasticsearchDouble extends HttpDouble {
  authorization: string | undefined;
  /** Overrules an item's outcome. */
  judge: (item: Item, request: DoubleRequest) => Outcome | undefined = () => undefined;
  readonly documents = new Map<string, Item>();

  accept(request: DoubleRequest): DoubleAnswer {
    if (request.path !== "/_bulk") return { status: 404, body: '{"error":"no handler found","status":404}' };
    if (this.authorization !== undefined && request.headers["authorization"] !== this.authorization) return { status: 401, body: '{"error":{"type":"security_exception"},"status":401}' };
    const type = request.headers["content-type"] ?? "";
    if (type !== "application/x-ndjson" && type !== "application/json") return this.violation(`content type ${type}`, { status: 406 });
    if (![undefined, "gzip"].includes(request.headers["content-encoding"])) return this.violation("content encoding", { status: 415 });
    if (!request.text.endsWith("\n")) return this.violation("no newline at the end", { status: 400, body: '{"error":{"type":"illegal_argument_exception","reason":"The bulk request must be terminated by a newline [\\\\n]"},"status":400}' });
    const lines = request.text.slice(0, -1).split("\n");
    if (lines.length % 2 !== 0) return this.violation("an action without a document", { status: 400 });
    const items: { create: Outcome & { _index: string; _id: string } }[] = [];
    for (let at = 0; at < lines.length; at += 2) {
      const item = this.#item(lines[at] ?? "", lines[at + 1] ?? "");
      if (typeof item === "string") return this.violation(item, { status: 400, body: JSON.stringify({ error: { type: "illegal_argument_exception", reason: item }, status: 400 }) });
      items.push({ create: { _index: item.index, _id: item.id, ...this.#create(item, request) } });
    }
    return { status: 200, body: this.#answer(items, request) };
  }

  /** The item, or what is wrong with the request as a whole. */
  #item(action: string, text: string): Item | string {
    let parsed: StrictJson;
    try {
      parsed = parseStrict(action);
    } catch (error) {
      return `Malformed action/metadata line: ${String(error)}`;
    }
    const create = isRecord(parsed) && Object.keys(parsed).length === 1 ? parsed["create"] : undefined;
    if (!isRecord(create) || typeof create["_index"] !== "string" || typeof create["_id"] !== "string") return "the action is not create with _index and _id";
    const { _index: index, _id: id } = create;
    if (!/^[^-_+A-Z\\/*?"<>| ,#:.][^A-Z\\/*?"<>| ,#:]*$/.test(index) || Buffer.byteLength(index) > 255) return `invalid index name [${index}]`;
    if (id === "" || Buffer.byteLength(id) > 512) return "invalid _id";
    try {
      const document = parseStrict(text);
      return { index, id, text, document: isRecord(document) ? document : {} };
    } catch (error) {
      if (!(error instanceof StrictJsonError)) throw error;
      this.violations.push(error.message);
      return { index, id, text, document: {} };
    }
  }

  #create(item: Item, request: DoubleRequest): Outcome {
    const overruled = this.judge(item, request);
    if (overruled !== undefined) return overruled;
    if (this.poison(item.text)) return { status: 400, error: { type: "document_parsing_exception", reason: "failed to parse field [bytes] of type [long]" } };
    if (typeof item.document["@timestamp"] !== "string" || Number.isNaN(Date.parse(item.document["@timestamp"]))) {
      this.violations.push("no @timestamp");
      return { status: 400, error: { type: "document_parsing_exception", reason: "data stream timestamp field [@timestamp] is missing" } };
    }
    const key = `${item.index}/${item.id}`;
    if (this.documents.has(key)) return { status: 409, error: { type: "version_conflict_engine_exception", reason: `[${item.id}]: version conflict, document already exists` } };
    this.documents.set(key, item);
    this.stored.push({ text: item.text, key });
    return { status: 201 };
  }

  #answer(items: readonly { create: Outcome & { _index: string; _id: string } }[], request: DoubleRequest): string {
    const errors = items.some(({ create }) => create.error !== undefined);
    const filtered = request.query.has("filter_path");
    const shown = items.map(({ create: { status, error, ...rest } }) => ({ create: { ...(filtered ? {} : rest), status, ...(error === undefined ? {} : { error }) } }));
    return JSON.stringify({ ...(filtered ? {} : { took: 3 }), errors, items: shown });
  }
}
