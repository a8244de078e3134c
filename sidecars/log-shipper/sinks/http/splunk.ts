// pure
import type { Chunk } from "../../delivery/chunk.ts";
import { JsonWriter } from "../json-writer.ts";
import { TemplateMembers } from "../template.ts";
import { deliveredVerdict, jsonObject, judgeFailure, quote, retryAfterMs, unreadable, type Answer, type Verdict } from "./answer.ts";
import { recordName, visitEntries, type HttpEncoder } from "./encoder.ts";

export type SplunkOptions = {
  readonly path: string;
  readonly index: string | undefined;
  readonly sourcetype: string | undefined;
  readonly source: string;
  readonly host: string;
  readonly fields: Readonly<Record<string, string>>;
  /** Names our stream of acknowledgements; given when they are wanted. */
  readonly channel: string | undefined;
};

/** Splunk's HTTP Event Collector. Events follow one another without a comma; each has its time to the nanosecond. */
export class SplunkEncoder implements HttpEncoder {
  readonly path: string;
  readonly contentType = "application/json";
  readonly headers: Readonly<Record<string, string>>;
  readonly answerBytesMax = 65_536;
  readonly #writer = new JsonWriter();
  readonly #envelope: TemplateMembers;
  readonly #fields: TemplateMembers | undefined;
  readonly #constant: string;
  readonly #wantsAck: boolean;

  constructor(options: SplunkOptions) {
    this.path = options.path;
    this.headers = options.channel === undefined ? {} : { "x-splunk-request-channel": options.channel };
    this.#wantsAck = options.channel !== undefined;
    this.#envelope = new TemplateMembers({ host: options.host, source: options.source });
    this.#fields = Object.keys(options.fields).length === 0 ? undefined : new TemplateMembers(options.fields);
    const constant = Object.entries({ sourcetype: options.sourcetype, index: options.index }).flatMap(([name, value]) => (value === undefined ? [] : `"${name}":${JSON.stringify(value)},`));
    this.#constant = constant.join("");
  }

  encode(chunk: Chunk, chosen: readonly number[]): Buffer {
    const writer = this.#writer;
    writer.reset();
    visitEntries(chunk, chosen, (index, time, mapAt) => {
      const id = (): string => recordName(chunk, index);
      writer.ascii('{"time":');
      writer.integer(time.seconds);
      writer.byte(0x2e);
      writer.nineDigits(time.nanoseconds);
      writer.byte(0x2c);
      const envelope = this.#envelope.text(chunk.entries, mapAt, chunk.tag, id);
      writer.utf8(envelope);
      if (envelope !== "") writer.byte(0x2c);
      writer.utf8(this.#constant);
      if (this.#fields !== undefined) writer.utf8(`"fields":{${this.#fields.text(chunk.entries, mapAt, chunk.tag, id)}},`);
      writer.ascii('"event":');
      const end = writer.record(chunk.entries, mapAt);
      writer.ascii("}\n");
      return end;
    });
    return writer.copy();
  }

  judge(answer: Answer, count: number, nowMs: number): Verdict {
    const body = jsonObject(answer.body);
    const code = body?.["code"];
    if (answer.status >= 200 && answer.status < 300) {
      if (code !== 0) return typeof code === "number" ? judgeCode(answer, code, body, nowMs) : unreadable(answer, "that of an event collector");
      if (!this.#wantsAck) return deliveredVerdict;
      const ackId = body?.["ackId"];
      return typeof ackId === "number" ? { kind: "unconfirmed", ackId } : unreadable(answer, "one with an ackId; switch useAck off or acknowledgement on for the token");
    }
    return typeof code === "number" && answer.status !== 413 && count > 0 ? judgeCode(answer, code, body, nowMs) : judgeFailure(answer, nowMs);
  }
}

/** Codes of the collector that somebody must mend, with the remedy. */
const remedies: ReadonlyMap<number, string> = new Map([
  [1, "the token is disabled; enable it in Splunk"],
  [2, "the token is missing; check the sink's token"],
  [3, "check the sink's token"],
  [4, "Splunk does not know the token; check it"],
  [7, "the token may not write to this index; allow it there or change the sink's index"],
  [10, "the token wants acknowledgement; set useAck"],
  [11, "Splunk does not know the channel"],
  [14, "acknowledgement is not enabled for the token; enable it or switch useAck off"],
  [16, "check the sink's token"],
]);

/** What is wrong with an event itself: no data, invalid format, no event, a blank event, bad indexed fields. */
const badEvent: ReadonlySet<number> = new Set([5, 6, 12, 13, 15]);

function judgeCode(answer: Answer, code: number, body: Readonly<Record<string, unknown>> | undefined, nowMs: number): Verdict {
  const reason = `HTTP ${answer.status}${quote(answer.body)}`;
  const remedy = remedies.get(code);
  if (remedy !== undefined) return { kind: "retry", fault: "configuration", reason: `${reason}; ${remedy}`, afterMs: retryAfterMs(answer, nowMs) };
  if (badEvent.has(code)) {
    const at = body?.["invalid-event-number"];
    return { kind: "refused", status: answer.status, reason, at: typeof at === "number" && at >= 0 ? at : undefined };
  }
  if (answer.status >= 300) return judgeFailure(answer, nowMs);
  return { kind: "retry", fault: "outage", reason };
}
