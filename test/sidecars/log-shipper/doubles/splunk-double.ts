import { HttpDouble, type DoubleAnswer, type DoubleRequest } from "./http-double.ts";
import { isRecord, parseStrictPrefix, StrictJsonError, textIn, type StrictJson } from "./strict-json.ts";

export type SplunkEvent = { readonly [key: string]: StrictJson };

/** Double of Splunk's HTTP Event Collector. Events before a bad one are taken; the answer tells its number. */
export class SplunkDouble extends HttpDouble {
  token = "token-of-the-double";
  indexes: readonly string[] = ["main"];
  /** Whether the token has indexer acknowledgement on. */
  acknowledges = false;
  /** Whether the indexers have acknowledged a request by now. */
  acknowledged: (ackId: number) => boolean = () => true;
  readonly events: SplunkEvent[] = [];
  #acks = 0;
  readonly #channels = new Map<string, Set<number>>();

  accept(request: DoubleRequest): DoubleAnswer {
    const { authorization } = request.headers;
    if (authorization === undefined) return answer(401, 2, "Token is required");
    if (!authorization.startsWith("Splunk ")) return answer(401, 3, "Invalid authorization");
    if (authorization !== `Splunk ${this.token}`) return answer(403, 4, "Invalid token");
    const channel = request.headers["x-splunk-request-channel"];
    if (channel !== undefined && !/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(channel)) return answer(400, 11, "Invalid data channel");
    if (request.path === "/services/collector/ack") return this.#ackStatus(request, channel);
    if (request.path !== "/services/collector/event") return { status: 404, body: '{"text":"The requested URL was not found on this server.","code":404}' };
    if (this.acknowledges && channel === undefined) return answer(400, 10, "Data channel is missing");
    if (![undefined, "gzip"].includes(request.headers["content-encoding"])) return this.violation("content encoding", { status: 415 });
    if (request.text.trim() === "") return answer(400, 5, "No data");
    return this.#events(request, channel);
  }

  #events(request: DoubleRequest, channel: string | undefined): DoubleAnswer {
    for (let at = 0, number = 0; at < request.text.length; number++) {
      let event: StrictJson;
      const from = at;
      try {
        ({ value: event, end: at } = parseStrictPrefix(request.text, at));
      } catch (error) {
        if (!(error instanceof StrictJsonError)) throw error;
        return this.violation(error.message, answer(400, 6, "Invalid data format", { "invalid-event-number": number }));
      }
      const fault = this.#eventFault(event, request.text.slice(from, at));
      if (fault !== undefined) return answer(400, fault.code, fault.text, { "invalid-event-number": number });
      if (isRecord(event)) this.events.push(event);
      this.stored.push({ text: request.text.slice(from, at), key: undefined });
    }
    if (!this.acknowledges || channel === undefined) return answer(200, 0, "Success");
    const ackId = this.#acks++;
    const known = this.#channels.get(channel) ?? new Set();
    this.#channels.set(channel, known.add(ackId));
    return answer(200, 0, "Success", { ackId });
  }

  #eventFault(event: StrictJson, text: string): { readonly code: number; readonly text: string } | undefined {
    if (this.poison(text)) return { code: 6, text: "Invalid data format" };
    if (!isRecord(event) || event["event"] === undefined) return { code: 12, text: "Event field is required" };
    if (event["event"] === "" || event["event"] === null) return { code: 13, text: "Event field cannot be blank" };
    const { time, fields, index } = event;
    if (typeof time !== "number") this.violations.push("time is not a number");
    for (const name of ["host", "source", "sourcetype", "index"]) if (event[name] !== undefined && typeof event[name] !== "string") this.violations.push(`${name} is not text`);
    for (const name of Object.keys(event)) if (!["time", "host", "source", "sourcetype", "index", "event", "fields"].includes(name)) this.violations.push(`unknown key ${name}`);
    if (fields !== undefined && (!isRecord(fields) || Object.values(fields).some((value) => isRecord(value)))) return { code: 15, text: "Error in handling indexed fields" };
    if (index !== undefined && !this.indexes.includes(textIn(index))) return { code: 7, text: "Incorrect index" };
    return undefined;
  }

  #ackStatus(request: DoubleRequest, channel: string | undefined): DoubleAnswer {
    if (!this.acknowledges) return answer(400, 14, "ACK is disabled");
    if (channel === undefined) return answer(400, 10, "Data channel is missing");
    const { value } = parseStrictPrefix(request.text);
    const asked = isRecord(value) ? value["acks"] : undefined;
    if (!Array.isArray(asked)) return this.violation("acks is not a list", answer(400, 6, "Invalid data format"));
    const known = this.#channels.get(channel) ?? new Set<number>();
    return { status: 200, body: JSON.stringify({ acks: Object.fromEntries(asked.map((ackId: number) => [ackId, known.has(ackId) && this.acknowledged(ackId)])) }) };
  }
}

function answer(status: number, code: number, text: string, more: Readonly<Record<string, number>> = {}): DoubleAnswer {
  return { status, body: JSON.stringify({ text, code, ...more }) };
}
