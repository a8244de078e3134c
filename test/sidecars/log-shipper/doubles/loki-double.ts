import { HttpDouble, type DoubleAnswer, type DoubleRequest } from "./http-double.ts";
import { isRecord, parseStrict, StrictJsonError, textIn, type StrictJson } from "./strict-json.ts";

export type LokiLine = { readonly labels: Readonly<Record<string, string>>; readonly time: bigint; readonly line: string; readonly metadata: Readonly<Record<string, string>> };

/** Double of Loki's push API. Of a request with refused lines the others are stored and the answer is 400, as Loki does it. */
export class LokiDouble extends HttpDouble {
  path = "/loki/api/v1/push";
  tenant: string | undefined;
  authorization: string | undefined;
  readonly lines: LokiLine[] = [];

  accept(request: DoubleRequest): DoubleAnswer {
    if (request.path !== this.path) return { status: 404, body: "404 page not found" };
    if (this.authorization !== undefined && request.headers["authorization"] !== this.authorization) return { status: 401, body: "Unauthorized" };
    if (this.tenant !== undefined && request.headers["x-scope-orgid"] !== this.tenant) return { status: 401, body: "no org id" };
    if (request.headers["content-type"] !== "application/json") return this.violation(`content type ${request.headers["content-type"]}`, { status: 400, body: "unsupported content type" });
    if (![undefined, "gzip", "deflate"].includes(request.headers["content-encoding"])) return this.violation("content encoding", { status: 415 });
    try {
      const refused = this.#push(parseStrict(request.text));
      return refused.length === 0 ? { status: 204 } : { status: 400, body: `entry for stream has invalid content, total ignored: ${refused.length}: ${refused[0]?.slice(0, 60)}` };
    } catch (error) {
      if (!(error instanceof StrictJsonError)) throw error;
      return this.violation(error.message, { status: 400, body: error.message });
    }
  }

  #push(body: StrictJson): string[] {
    const refused: string[] = [];
    const streams = isRecord(body) && Object.keys(body).length === 1 ? body["streams"] : undefined;
    if (!Array.isArray(streams) || streams.length === 0) throw new StrictJsonError("no streams");
    for (const each of streams as readonly StrictJson[]) {
      const labels = isRecord(each) ? labelsOf(each["stream"]) : undefined;
      const values = isRecord(each) ? each["values"] : undefined;
      if (labels === undefined || !Array.isArray(values) || values.length === 0) throw new StrictJsonError("a stream without labels or values");
      for (const value of values as readonly StrictJson[]) {
        const line = lineOf(labels, value);
        if (this.poison(line.line)) refused.push(line.line);
        else this.#store(line);
      }
    }
    return refused;
  }

  #store(line: LokiLine): void {
    this.lines.push(line);
    this.stored.push({ text: line.line, key: `${JSON.stringify(line.labels)} ${line.time} ${line.line}` });
  }
}

function labelsOf(value: StrictJson | undefined): Readonly<Record<string, string>> | undefined {
  if (!isRecord(value)) return undefined;
  const entries = Object.entries(value);
  if (entries.length === 0) throw new StrictJsonError("at least one label pair is required per stream");
  for (const [name, text] of entries) if (!/^[a-zA-Z_][a-zA-Z0-9_]*$/.test(name) || typeof text !== "string") throw new StrictJsonError(`invalid label ${name}`);
  return Object.fromEntries(entries.map(([name, text]) => [name, textIn(text)]));
}

function lineOf(labels: Readonly<Record<string, string>>, value: StrictJson): LokiLine {
  if (!Array.isArray(value) || value.length < 2 || value.length > 3) throw new StrictJsonError("a value is [time, line] or [time, line, metadata]");
  const [time, line, metadata] = value as readonly StrictJson[];
  if (typeof time !== "string" || !/^\d+$/.test(time) || BigInt(time) > 2n ** 63n - 1n) throw new StrictJsonError("the time must be a string of nanoseconds");
  if (typeof line !== "string") throw new StrictJsonError("the line must be a string");
  if (metadata !== undefined && (!isRecord(metadata) || Object.values(metadata).some((each) => typeof each !== "string"))) throw new StrictJsonError("structured metadata must be strings");
  return { labels, time: BigInt(time), line, metadata: isRecord(metadata) ? Object.fromEntries(Object.entries(metadata).map(([name, text]) => [name, textIn(text)])) : {} };
}
