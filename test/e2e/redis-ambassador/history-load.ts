import type { Read, Write } from "../../support/register-history.ts";
import { openWire, type Place, type Wire } from "./wire.ts";

export type History = {
  readonly writes: Write[];
  readonly reads: Read[];
  readonly errors: string[];
  /** How many of the reads were of a key of which a write had ended within the last 100 ms. */
  recentReads: number;
};

export type HistoryOptions = {
  readonly clients?: number;
  /** Every so many operations of a client one is a write. */
  readonly writeEvery?: number;
  /** A write counts as ended only when so many replicas have it, by WAIT; else nobody knows its end. */
  readonly replicated?: number;
  /** Ends when it says so. */
  readonly until: (history: History) => boolean;
  /** Errors of the ambassador's own are no failure: the write's end is unknown then. */
  readonly mayFail?: boolean;
};

const strings = 60, lists = 4, bigs = 4, bigBytes = 70_000;
/** So many keys are remembered as written lately; reads prefer them, the last ones above all. */
const latestMax = 160, lastOnes = 8;

/** What a client is about to know of its own operation. */
type Span = { readonly client: number; readonly order: number; readonly begunMs: number };

/**
 * Clients that write and read the same keys in every way that the ambassador treats in its own manner: single commands,
 * several keys at once, pipelines, transactions, scripts that tell their keys and scripts that do not, blocking pops, keys
 * that expire or are removed, and values too big for the common connections. Reads prefer what was written last.
 */
export class HistoryLoad {
  readonly history: History = { writes: [], reads: [], errors: [], recentReads: 0 };
  readonly #endedMs = new Map<string, number>();
  readonly #place: Place;
  readonly #options: HistoryOptions;
  readonly #latest: string[] = [];
  /** Keys of one load are not another's. */
  readonly #name = Math.floor(performance.timeOrigin + performance.now()).toString(36);
  readonly #lists: number[] = [];
  #order = 0;

  constructor(place: Place, options: HistoryOptions) {
    this.#place = place;
    this.#options = options;
  }

  async run(): Promise<History> {
    const work = Array.from({ length: this.#options.clients ?? 16 }, async (_, client) => await this.#work(client));
    await Promise.all(work);
    return this.history;
  }

  async #work(client: number): Promise<void> {
    const { writeEvery = 5 } = this.#options;
    let round = client * 7, writes = client;
    while (!this.#over) {
      await using wire = await openWire(this.#place);
      while (!this.#over && !wire.closed) {
        round += 1;
        if (round % writeEvery === client % writeEvery) await this.#write(wire, client, (writes += 1));
        else await this.#read(wire, client, round);
      }
    }
  }

  get #over(): boolean {
    return this.history.errors.length > 0 || this.#options.until(this.history);
  }

  #begin(client: number): Span {
    return { client, order: (this.#order += 1), begunMs: performance.now() };
  }

  /** Sends requests in one piece; undefined when one of them failed in a way that is allowed. */
  async #ask(wire: Wire, ...requests: readonly (readonly string[])[]): Promise<string[] | undefined> {
    wire.send(...requests);
    const replies = await wire.replies(requests.length, 30_000);
    const error = replies.length < requests.length ? "the connection was closed" : replies.find((reply) => reply.startsWith("-"));
    if (error === undefined) return replies;
    if (this.#options.mayFail !== true || (error.startsWith("-") && !error.startsWith("-ERR podkit ambassador"))) this.history.errors.push(`${requests[0]?.slice(0, 3).join(" ").slice(0, 60)}: ${error.trim()}`);
    return undefined;
  }

  /** Notes writes that one request or pipeline has made. */
  async #wrote(wire: Wire, span: Span, values: readonly (readonly [key: string, value: string | undefined])[], done: boolean, expiresMs?: number): Promise<void> {
    const { replicated } = this.#options;
    let known = done, endedMs = performance.now();
    if (done && replicated !== undefined) {
      const [reached] = (await this.#ask(wire, ["WAIT", String(replicated), "2000"])) ?? [];
      known = reached === `:${replicated}\r\n`;
      endedMs = performance.now();
    }
    for (const [key, value] of values) {
      this.history.writes.push({ ...span, key, value, endedMs: known ? endedMs : Number.POSITIVE_INFINITY, ...(expiresMs === undefined ? {} : { expiresMs }) });
      this.#latest.push(key);
      if (known) this.#endedMs.set(key, endedMs);
    }
    if (this.#latest.length > latestMax) this.#latest.splice(0, this.#latest.length - latestMax);
  }

  #string(index: number): string {
    return `reg:${this.#name}:${index % strings}`;
  }

  async #write(wire: Wire, client: number, round: number): Promise<void> {
    const key = this.#string(client + 3 * round), other = this.#string(client + 3 * round + 11), value = `${client}.${round}:`;
    const span = this.#begin(client);
    // A script that hides its keys puts all of them in doubt, and a big value fills the replicas' links: both come seldom.
    switch (round % 40) {
      case 0: case 10: case 20: case 30: {
        const done = await this.#ask(wire, ["MSET", key, value, other, value]);
        return await this.#wrote(wire, span, [[key, value], [other, value]], done !== undefined);
      }
      case 1: case 11: case 21: case 31: {
        const done = await this.#ask(wire, ["MULTI"], ["SET", key, value], ["SET", other, value], ["EXEC"]);
        return await this.#wrote(wire, span, [[key, value], [other, value]], done !== undefined);
      }
      case 2: case 12: case 22: case 32: {
        const done = await this.#ask(wire, ["EVAL", "return redis.call('set', KEYS[1], ARGV[1])", "1", key, value]);
        return await this.#wrote(wire, span, [[key, value]], done !== undefined);
      }
      case 3: {
        if (client > 1) break;
        const done = await this.#ask(wire, ["EVAL", "return redis.call('set', ARGV[1], ARGV[2])", "0", key, value]);
        return await this.#wrote(wire, span, [[key, value]], done !== undefined);
      }
      case 4: case 14: case 24: case 34: {
        const done = await this.#ask(wire, ["SET", key, value], ["PING"], ["SET", other, value]);
        return await this.#wrote(wire, span, [[key, value], [other, value]], done !== undefined);
      }
      case 5: case 15: case 25: case 35: {
        const done = await this.#ask(wire, ["SET", key, value, "PX", "150"]);
        return await this.#wrote(wire, span, [[key, value]], done !== undefined, 150);
      }
      case 6: case 16: case 26: case 36: {
        const done = await this.#ask(wire, ["DEL", key]);
        return await this.#wrote(wire, span, [[key, undefined]], done !== undefined);
      }
      case 7: {
        const big = `big:${this.#name}:${client % bigs}`;
        const done = await this.#ask(wire, ["SET", big, value.padEnd(bigBytes + (round % 3) * 30_000, "x")]);
        return await this.#wrote(wire, span, [[big, value]], done !== undefined);
      }
      case 8: case 18: case 28:
        if (client < lists) return await this.#push(wire, client, value, span);
        break;
      default:
        break;
    }
    const done = await this.#ask(wire, ["SET", key, value]);
    await this.#wrote(wire, span, [[key, value]], done !== undefined);
  }

  /** A list of one job at most: given, then taken by a pop that may block. Only this client writes it. */
  async #push(wire: Wire, client: number, value: string, span: Span): Promise<void> {
    const key = `jobs:${this.#name}:${client}:${this.#lists[client] ?? 0}`;
    const pushed = await this.#ask(wire, ["RPUSH", key, value]);
    await this.#wrote(wire, span, [[key, value]], pushed !== undefined);
    const popping = this.#begin(client);
    const popped = pushed === undefined ? undefined : await this.#ask(wire, ["BLPOP", key, "1"]);
    if (popped !== undefined) return await this.#wrote(wire, popping, [[key, undefined]], true);
    // Whether the job is still there nobody knows: a list that might hold two is no register.
    await this.#wrote(wire, popping, [[key, undefined]], false);
    this.#lists[client] = (this.#lists[client] ?? 0) + 1;
  }

  async #read(wire: Wire, client: number, round: number): Promise<void> {
    const back = round % 2 === 0 ? lastOnes : latestMax;
    const key = this.#latest.at(-1 - ((round * 37) % Math.min(back, Math.max(1, this.#latest.length)))) ?? this.#string(round);
    const span = this.#begin(client);
    if (key.startsWith("jobs:")) return this.#saw(span, [key], await this.#ask(wire, ["LINDEX", key, "0"]));
    if (round % 7 === 0 && key.startsWith("reg:")) {
      const other = this.#string(round + 5);
      const [reply] = (await this.#ask(wire, ["MGET", key, other])) ?? [];
      return this.#saw(span, [key, other], reply?.split(/(?=\$)/).slice(1));
    }
    if (round % 11 === 0) {
      const keys = [key, this.#string(round), this.#string(round + 1)];
      return this.#saw(span, keys, await this.#ask(wire, ...keys.map((each) => ["GET", each])));
    }
    this.#saw(span, [key], await this.#ask(wire, key.startsWith("big:") && round % 2 === 0 ? ["GETRANGE", key, "0", "20"] : ["GET", key]));
  }

  /** Notes what bulk replies have told about keys. A value ends at its colon; the rest is filling. */
  #saw(span: Span, keys: readonly string[], replies: readonly string[] | undefined): void {
    if (replies === undefined) return;
    const endedMs = performance.now();
    keys.forEach((key, index) => {
      const text = /^\$\d+\r\n([^:]*:)/.exec(replies[index] ?? "")?.[1];
      this.history.reads.push({ ...span, key, value: text, endedMs });
      const writtenMs = this.#endedMs.get(key) ?? Number.POSITIVE_INFINITY;
      if (writtenMs <= span.begunMs && writtenMs > span.begunMs - 100) this.history.recentReads += 1;
    });
  }
}
