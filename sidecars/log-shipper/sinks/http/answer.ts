// pure

/** What a server said to a request. */
export type Answer = {
  readonly status: number;
  readonly retryAfter: string | undefined;
  /** The server's own clock, which a Retry-After date is to be read by. */
  readonly date: string | undefined;
  /** The beginning of the body, at most as much as was asked for. */
  readonly body: Uint8Array;
  /** Whether that is the whole body. */
  readonly whole: boolean;
};

/** One record that the destination refused, by its place in the request. */
export type Refusal = { readonly position: number; readonly status: number; readonly reason: string };

/** What an answer means for the records of its request. */
export type Verdict =
  | { readonly kind: "delivered" }
  /** Taken, and safe only when the server confirms this number (Splunk's indexer acknowledgement). */
  | { readonly kind: "unconfirmed"; readonly ackId: number }
  /** The same bytes again, not before `afterMs` if that is given. A `configuration` fault lasts until a person acts; `reason` names the remedy. */
  | { readonly kind: "retry"; readonly fault: "outage" | "busy" | "configuration"; readonly reason: string; readonly afterMs?: number | undefined }
  /** Too many bytes at once. */
  | { readonly kind: "tooLarge"; readonly reason: string }
  /** At least one record is such that no retry helps; `at` is the first of them, where the server says so. */
  | { readonly kind: "refused"; readonly status: number; readonly reason: string; readonly at?: number | undefined; /** The server says that it is all of them. */ readonly all?: boolean }
  /** Judged one by one: those in `again` (ascending) are to be sent once more, the refused ones never, the others are delivered. */
  | { readonly kind: "items"; readonly again: readonly number[]; readonly refused: readonly Refusal[]; readonly reason: string; readonly fault: "busy" | "configuration" };

export const deliveredVerdict: Verdict = { kind: "delivered" };

/** Faults of the settings, not of a record: they end when somebody corrects something, so nothing is given up for them. */
const remedies: ReadonlyMap<number, string> = new Map([
  [401, "check the sink's username and password, token or bearer"],
  [402, "the account at the destination has no quota left"],
  [403, "the credentials are known but may not write here; check their rights, the tenant and the index"],
  [404, "nothing takes logs under this path; check the sink's endpoints and path"],
  [405, "this path takes no POST; check the sink's endpoints and path"],
  [407, "a proxy asks for credentials, which this sink cannot give"],
  [410, "nothing takes logs under this path any more; check the sink's endpoints and path"],
  [411, "something between here and the destination refuses the request; check the sink's endpoints"],
  [415, "the destination does not know this encoding; set the sink's compression to none and check its path"],
  [421, "the server is not responsible for this host name; check the sink's endpoints and tls.serverName"],
  [426, "the destination wants another protocol; check the sink's endpoints"],
  [431, "the request's headers are too large; check the sink's headers and token"],
  [501, "the destination does not know this kind of request; check the sink's endpoints and path"],
  [505, "the destination wants another version of HTTP; check the sink's endpoints"],
]);

/**
 * What a status means that is not a success, for every destination alike: wait and send again (408, 425, 429, 5xx), a fault of the
 * settings, fewer bytes (413), or (any other 4xx) a record that the destination will never take.
 */
export function judgeFailure(answer: Answer, nowMs: number): Verdict {
  const { status } = answer;
  const said = `HTTP ${status}${quote(answer.body)}`;
  if (status === 413) return { kind: "tooLarge", reason: said };
  const remedy = status < 400 ? "the destination redirects, which this sink does not follow; write the final address into the sink's endpoints" : remedies.get(status);
  if (remedy !== undefined) return { kind: "retry", fault: "configuration", reason: `${said}; ${remedy}`, afterMs: retryAfterMs(answer, nowMs) };
  if (status === 408 || status === 425 || status === 429 || status >= 500) return { kind: "retry", fault: status === 429 || status === 503 ? "busy" : "outage", reason: said, afterMs: retryAfterMs(answer, nowMs) };
  return { kind: "refused", status, reason: said };
}

/** An answer with a status of success that does not say what it must: then nothing is known to be stored. */
export function unreadable(answer: Answer, expected: string): Verdict {
  const why = answer.whole ? "is not" : "is too long to be";
  return { kind: "retry", fault: "configuration", reason: `HTTP ${answer.status}, but the answer ${why} ${expected}${quote(answer.body)}; check that the sink's endpoints and path lead to the right service` };
}

/** Whether a success came with a page for people: a login or a proxy has answered, not the destination. */
export function isPage(answer: Answer): boolean {
  return /^\s*</.test(Buffer.from(answer.body.buffer, answer.body.byteOffset, Math.min(answer.body.length, 64)).toString("latin1"));
}

/** Longest wait that a server may ask for; a date far away is taken for a mistake. */
const retryAfterMsMax = 3_600_000;

/** The wait that Retry-After asks for, seconds or an HTTP date; a date counts from the server's own clock where it tells that. */
export function retryAfterMs(answer: Pick<Answer, "retryAfter" | "date">, nowMs: number): number | undefined {
  const text = answer.retryAfter?.trim();
  if (text === undefined || text === "") return undefined;
  if (/^\d+(\.\d+)?$/.test(text)) return Math.min(Number(text) * 1_000, retryAfterMsMax);
  const untilMs = Date.parse(text);
  if (!/^[A-Z][a-z]{2}.*GMT$/.test(text) || Number.isNaN(untilMs)) return undefined;
  const serverMs = Date.parse(answer.date ?? "");
  return Math.min(Math.max(0, untilMs - (Number.isNaN(serverMs) ? nowMs : serverMs)), retryAfterMsMax);
}

const quotedMax = 300;

/** The beginning of what the server said, for people. */
export function quote(body: Uint8Array): string {
  const said = Buffer.from(body.buffer, body.byteOffset, Math.min(body.length, quotedMax * 4)).toString("utf8").replaceAll(/[\s\p{C}]+/gu, " ").trim();
  return said === "" ? "" : `: ${said.length > quotedMax ? `${said.slice(0, quotedMax)}…` : said}`;
}

/** The body as a JSON object, undefined if it is none. */
export function jsonObject(body: Uint8Array): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(body.buffer, body.byteOffset, body.length).toString("utf8"));
    return isObject(value) ? value : undefined;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return undefined;
  }
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
