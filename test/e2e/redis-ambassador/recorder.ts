import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { eventually } from "../../support/eventually.ts";
import { drawTimeline, type Happening, type Kind, type Result, type Seen } from "./timeline.ts";
import { openWire, type Place, type Wire } from "./wire.ts";

/** How many clients of each kind. They work one request after the other, with a short pause in between. */
export type Load = { readonly readers?: number; readonly readbacks?: number; readonly writers?: number; readonly pipelines?: number; readonly blocking?: number; readonly pubsub?: number; readonly big?: number };

export const allKinds: Load = { readers: 4, readbacks: 2, writers: 3, pipelines: 1, blocking: 1, pubsub: 1, big: 1 };

/** What must hold for a recording; what is absent is not looked at. Numbers are upper bounds. */
export type Promised = {
  /** Reads of keys that nobody writes which got anything but their value. */
  readonly readsLost?: number;
  /** The same of keys that are being written. */
  readonly readbacksLost?: number;
  /** Reads that began after a write of the key was answered and gave an older value, and writes that found an older one. */
  readonly stale?: number;
  readonly longestReadMs?: number;
  readonly longestReadbackMs?: number;
  readonly longestWriteMs?: number;
  /** Writes that got an error of any kind. */
  readonly writesLost?: number;
  /** Of these, writes answered with "may or may not have been executed". */
  readonly uncertain?: number;
  /** Anything but the ambassador's own two kinds of error, READONLY above all. */
  readonly foreignErrors?: number;
  /** Connections of applications that were ended. */
  readonly closed?: number;
};

/** Processes that a request and its reply go through: clients, ambassador, server. On a busy machine each may be as late as the recorder was meanwhile. */
const onTheWay = 3;
const tickMs = 10;
const seededKeys = 200, pauseMs = 3, bigBytes = 192 * 1024;

export const seededKey = (index: number): string => `seeded:${index % seededKeys}`;
export const seededValue = (index: number): string => `value of ${index % seededKeys}`;

/** Writes the keys that readers read; they must not change afterwards. */
export async function seed(place: Place): Promise<void> {
  await using wire = await openWire(place);
  const replies = await wire.ask(...Array.from({ length: seededKeys }, (_, index) => ["SET", seededKey(index), seededValue(index)]));
  assert.ok(replies.every((reply) => reply === "+OK\r\n"), replies.find((reply) => reply !== "+OK\r\n"));
}

const bulk = (text: string): string => `$${Buffer.byteLength(text)}\r\n${text}\r\n`;
const pause = async (): Promise<void> => await new Promise((resolve) => setTimeout(resolve, pauseMs));

function classify(reply: string): Result {
  if (reply.includes("may or may not have been executed") || reply.includes("transaction or subscription is lost")) return "uncertain";
  return reply.startsWith("-ERR podkit ambassador: ") && reply.includes("was not executed") ? "refused" : "failed";
}

/** One counter that one writer increments: what it was told. */
type Counter = { readonly key: string; told: number; acknowledged: number; uncertain: number; /** When the last increment that was answered began. */ writtenAtMs: number };

/** Clients under way, and what they see. */
export class Recorder {
  readonly #place: Place;
  readonly #begun = performance.now();
  readonly #seen: Seen[] = [];
  readonly #happenings: Happening[] = [];
  readonly #counters: Counter[] = [];
  readonly #enough = new AbortController();
  readonly #working: Promise<void>[] = [];
  readonly #delivered = new Set<string>();
  readonly #late: Span[] = [];
  #delivery = 0;
  #promptFromMs = 0;
  #ticker: NodeJS.Timeout;

  constructor(place: Place, load: Load = allKinds) {
    this.#place = place;
    // When this process itself should have run and did not: nobody's latency can be told more exactly than that.
    let lastMs = 0;
    this.#ticker = setInterval(() => {
      const { nowMs } = this;
      if (nowMs - lastMs > tickMs + 1) this.#late.push({ fromMs: lastMs + tickMs, toMs: nowMs });
      lastMs = nowMs;
    }, tickMs);
    const name = Math.floor(performance.timeOrigin + performance.now()).toString(36);
    for (let index = 0; index < (load.writers ?? 0); index += 1) this.#counters.push({ key: `counter:${name}:${index}`, told: 0, acknowledged: 0, uncertain: 0, writtenAtMs: 0 });
    const start = (count: number | undefined, work: (index: number) => Promise<void>): void => {
      for (let index = 0; index < (count ?? 0); index += 1) this.#working.push(work(index));
    };
    start(load.writers, async (index) => await this.#write(index));
    start(load.readers, async (index) => await this.#read(index));
    start(load.readbacks, async (index) => await this.#readBack(index));
    start(load.pipelines, async (index) => await this.#pipeline(`${name}:${index}`));
    start(load.blocking, async (index) => await this.#block(`jobs:${name}:${index}`));
    start(load.pubsub, async (index) => await this.#subscribe(`news:${name}:${index}`));
    start(load.big, async (index) => await this.#big(`big:${name}:${index}`));
  }

  /** Milliseconds since the beginning. */
  get nowMs(): number {
    return performance.now() - this.#begun;
  }

  /** Notes something that the test has done. */
  note(what: string): void {
    this.#happenings.push({ atMs: this.nowMs, what });
  }

  /** Bounds on time hold for what begins from now on: what was in hand before may have been with the server that has failed. */
  promptFromNow(): void {
    this.#promptFromMs = this.nowMs;
  }

  count(kind: Kind, result: Result = "ok"): number {
    let count = 0;
    for (const seen of this.#seen) if (seen.kind === kind && seen.result === result) count += 1;
    return count;
  }

  /** How many reads have been answered rightly since `atMs`. */
  readsSince(atMs: number): number {
    return this.#seen.filter(({ kind, result, endedMs, begunMs }) => kind === "read" && result === "ok" && endedMs > atMs && begunMs > atMs).length;
  }

  writesSince(atMs: number): number {
    return this.#seen.filter(({ kind, result, begunMs }) => kind === "write" && result === "ok" && begunMs > atMs).length;
  }

  /** Resolves when every counter has been incremented by a request that began after this moment. */
  async everyCounterWritten(): Promise<void> {
    const { nowMs } = this, waiting = new Set(this.#counters);
    await eventually(() => {
      for (const counter of waiting) if (counter.writtenAtMs > nowMs) waiting.delete(counter);
      return waiting.size === 0;
    }, { what: "a write of every counter" });
  }

  /** Ends every client after its request in hand; gives what they saw. */
  async stop(): Promise<Recording> {
    this.#enough.abort();
    await Promise.all(this.#working);
    clearInterval(this.#ticker);
    return new Recording({ seen: this.#seen, happenings: this.#happenings, lengthMs: this.nowMs, late: this.#late, promptFromMs: this.#promptFromMs, counters: this.#counters, repeatedDeliveries: this.#delivery - this.#delivered.size });
  }

  /** Runs `work` on a connection again and again; a lost connection is made anew. */
  async #client(kind: Kind, work: (wire: Wire) => Promise<void>): Promise<void> {
    while (!this.#enough.signal.aborted) {
      try {
        await using wire = await openWire(this.#place);
        while (!this.#enough.signal.aborted && !wire.closed) await work(wire);
      } catch (error) {
        // Nobody listens, e.g. because the ambassador has ended: the test asserts on what was seen, not on this.
        this.#keep(kind, performance.now(), "closed", error instanceof Error ? error.message : String(error));
        await pause();
      }
    }
  }

  #keep(kind: Kind, begun: number, result: Result, text = ""): void {
    this.#seen.push({ kind, begunMs: begun - this.#begun, endedMs: performance.now() - this.#begun, result, text: text.trim() });
  }

  /** Sends one request and notes its reply; `judge` says what is wrong with it. */
  async #ask(wire: Wire, kind: Kind, words: readonly string[], judge: (reply: string) => Result): Promise<void> {
    const begun = performance.now();
    wire.send(words);
    const [reply] = await wire.replies(1, 60_000);
    this.#keep(kind, begun, reply === undefined ? "closed" : judge(reply), reply);
  }

  async #write(index: number): Promise<void> {
    const counter = this.#counters[index];
    assert.ok(counter);
    await this.#client("write", async (wire) => {
      const { uncertain } = counter, begunMs = this.nowMs;
      counter.uncertain += 1; // until its reply is there
      await this.#ask(wire, "write", ["INCR", counter.key], (reply) => {
        if (!reply.startsWith(":")) {
          const result = classify(reply);
          if (result === "refused" || result === "failed") counter.uncertain -= 1;
          return result;
        }
        counter.uncertain = uncertain;
        counter.acknowledged += 1;
        counter.writtenAtMs = begunMs;
        const value = Number(reply.slice(1));
        const newer = value > counter.told;
        counter.told = value;
        return newer ? "ok" : "stale";
      });
      await pause();
    });
  }

  async #read(index: number): Promise<void> {
    let round = index * 31;
    await this.#client("read", async (wire) => {
      round += 1;
      await this.#ask(wire, "read", ["GET", seededKey(round)], (reply) => (reply === bulk(seededValue(round)) ? "ok" : classify(reply)));
      await pause();
    });
  }

  async #readBack(index: number): Promise<void> {
    let round = index;
    await this.#client("readback", async (wire) => {
      round += 1;
      const counter = this.#counters[round % this.#counters.length];
      assert.ok(counter, "there are no writers whose keys could be read");
      const { told } = counter;
      await this.#ask(wire, "readback", ["GET", counter.key], (reply) => {
        if (reply.startsWith("-")) return classify(reply);
        return Number(reply.split("\r\n")[1] ?? 0) < told ? "stale" : "ok";
      });
      await pause();
    });
  }

  async #pipeline(name: string): Promise<void> {
    let round = 0;
    await this.#client("pipeline", async (wire) => {
      round += 1;
      const begun = performance.now();
      for (let part = 0; part < 4; part += 1) {
        wire.send(["SET", `pipe:${name}:${part}`, `${round}`], ["GET", `pipe:${name}:${part}`], ["GET", seededKey(round + part)], ["PING"]);
      }
      const replies = await wire.replies(16, 60_000);
      if (replies.length < 16) return this.#keep("pipeline", begun, "closed");
      const error = replies.find((reply) => reply.startsWith("-"));
      const wrong = replies.find((reply, at) => reply !== ["+OK\r\n", bulk(`${round}`), bulk(seededValue(round + Math.floor(at / 4))), "+PONG\r\n"][at % 4]);
      this.#keep("pipeline", begun, error === undefined ? (wrong === undefined ? "ok" : "failed") : classify(error), error ?? wrong);
      await pause();
    });
  }

  /** A worker that waits for jobs, and who gives them: no job may come twice. */
  async #block(queue: string): Promise<void> {
    let job = 0;
    await Promise.all([
      this.#client("blocking", async (wire) => {
        await this.#ask(wire, "blocking", ["BLPOP", queue, "0.3"], (reply) => {
          if (reply === "*-1\r\n") return "ok";
          if (reply.startsWith("-")) return classify(reply);
          this.#delivery += 1;
          this.#delivered.add(`${queue} ${reply}`);
          return "ok";
        });
      }),
      this.#client("write", async (wire) => {
        job += 1;
        await this.#ask(wire, "write", ["RPUSH", queue, `${job}`], (reply) => (reply.startsWith(":") ? "ok" : classify(reply)));
        for (let rest = 0; rest < 8; rest += 1) await pause();
      }),
    ]);
  }

  async #subscribe(channel: string): Promise<void> {
    await Promise.all([
      this.#client("pubsub", async (wire) => {
        this.#enough.signal.addEventListener("abort", () => wire.destroy(), { once: true });
        const begun = performance.now();
        wire.send(["SUBSCRIBE", channel]);
        for (let first = true; ; first = false) {
          const [message] = await wire.replies(1, 60_000);
          if (this.#enough.signal.aborted) return;
          if (message === undefined) return this.#keep("pubsub", begun, "closed");
          if (message.startsWith("-")) return this.#keep("pubsub", begun, classify(message), message);
          this.#keep("pubsub", performance.now(), message.includes(first ? "subscribe" : "message") ? "ok" : "failed", message);
        }
      }),
      this.#client("write", async (wire) => {
        await this.#ask(wire, "write", ["PUBLISH", channel, "news"], (reply) => (reply.startsWith(":") ? "ok" : classify(reply)));
        for (let rest = 0; rest < 8; rest += 1) await pause();
      }),
    ]);
  }

  async #big(key: string): Promise<void> {
    let round = 0;
    await this.#client("big", async (wire) => {
      round += 1;
      const value = String(round % 10).repeat(bigBytes);
      await this.#ask(wire, "big", ["SET", key, value], (reply) => (reply === "+OK\r\n" ? "ok" : classify(reply)));
      await this.#ask(wire, "big", ["GET", key], (reply) => (reply.startsWith("-") ? classify(reply) : "ok"));
      for (let rest = 0; rest < 20; rest += 1) await pause();
    });
  }
}

type Span = { readonly fromMs: number; readonly toMs: number };
type Recorded = { readonly seen: readonly Seen[]; readonly happenings: readonly Happening[]; readonly lengthMs: number; readonly late: readonly Span[]; readonly promptFromMs: number; readonly counters: readonly Counter[]; readonly repeatedDeliveries: number };

/** What the clients of one test saw. */
export class Recording {
  readonly seen: readonly Seen[];
  readonly timeline: string;
  readonly repeatedDeliveries: number;
  readonly #counters: readonly Counter[];
  readonly #late: readonly Span[];
  readonly #promptFromMs: number;

  constructor({ seen, happenings, lengthMs, late, promptFromMs, counters, repeatedDeliveries }: Recorded) {
    this.seen = seen;
    this.repeatedDeliveries = repeatedDeliveries;
    this.#counters = counters;
    this.#late = late;
    this.#promptFromMs = promptFromMs;
    this.timeline = drawTimeline(seen, happenings, lengthMs);
  }

  /** For how long of this time the recorder itself was kept from running. */
  #lateMs(fromMs: number, toMs: number): number {
    return this.#late.reduce((sum, late) => sum + Math.max(0, Math.min(toMs, late.toMs) - Math.max(fromMs, late.fromMs)), 0);
  }

  /** The longest that a client was made to wait, beyond what the machine made everybody wait meanwhile. */
  longestOwnMs(kind: Kind): number {
    let longest = 0;
    for (const { kind: each, begunMs, endedMs } of this.seen) {
      if (each !== kind || begunMs < this.#promptFromMs || endedMs - begunMs <= longest) continue;
      longest = Math.max(longest, endedMs - begunMs - onTheWay * this.#lateMs(begunMs, endedMs));
    }
    return longest;
  }

  count(kind: Kind | undefined, ...results: readonly Result[]): number {
    return this.seen.filter((each) => (kind === undefined || each.kind === kind) && results.includes(each.result)).length;
  }

  /** Old values that were given to requests which began after this moment. */
  staleSince(atMs: number): number {
    return this.seen.filter(({ result, begunMs }) => result === "stale" && begunMs >= atMs).length;
  }

  longestMs(kind: Kind, sinceMs = 0): number {
    return this.seen.reduce((longest, each) => (each.kind === kind && each.begunMs >= sinceMs ? Math.max(longest, each.endedMs - each.begunMs) : longest), 0);
  }

  get summary(): string {
    const of = (kind: Kind): string => {
      const results = (["ok", "refused", "uncertain", "failed", "stale", "closed"] as const).map((result) => [result, this.count(kind, result)] as const).filter(([, count]) => count > 0);
      return results.length === 0 ? "" : `${kind} ${results.map(([result, count]) => `${count} ${result}`).join(" ")} (longest ${Math.round(this.longestMs(kind))} ms, ${Math.round(this.longestOwnMs(kind))} its own)`;
    };
    return [...(["read", "readback", "write", "pipeline", "blocking", "pubsub", "big"] as const).map(of).filter((text) => text !== ""), `recorder late by ${Math.round(Math.max(0, ...this.#late.map(({ fromMs, toMs }) => toMs - fromMs)))} ms at most`].join(", ");
  }

  /** The promises that were not kept. Bounds on time leave out what the machine itself took meanwhile, see longestOwnMs. */
  broken(promised: Promised): string[] {
    const found: string[] = [];
    const atMost = (what: string, value: number, most: number | undefined, unit = ""): void => {
      if (most !== undefined && value > most) found.push(`${what}: ${Math.round(value)}${unit}, promised at most ${most}${unit}`);
    };
    const notOk: readonly Result[] = ["refused", "uncertain", "failed", "stale", "closed"];
    atMost("reads lost", this.count("read", ...notOk) + this.count("readback", "failed", "uncertain"), promised.readsLost);
    atMost("reads of written keys lost", this.count("readback", "refused", "failed", "uncertain", "closed"), promised.readbacksLost);
    atMost("stale reads", this.count(undefined, "stale"), promised.stale);
    atMost("writes lost", this.count("write", ...notOk) + this.count("pipeline", ...notOk) + this.count("big", ...notOk), promised.writesLost);
    atMost("uncertain writes", this.count(undefined, "uncertain"), promised.uncertain);
    atMost("errors that are not the ambassador's", this.count(undefined, "failed"), promised.foreignErrors);
    atMost("connections ended", this.count(undefined, "closed"), promised.closed);
    for (const [kind, most] of [["read", promised.longestReadMs], ["readback", promised.longestReadbackMs], ["write", promised.longestWriteMs]] as const) {
      if (most !== undefined) atMost(`longest ${kind}`, this.longestOwnMs(kind), most, " ms");
    }
    if (this.repeatedDeliveries > 0) found.push(`${this.repeatedDeliveries} jobs came twice`);
    return found;
  }

  /** Asserts the promises; the timeline goes into the test's report and into the message. */
  check(t: TestContext, promised: Promised): void {
    t.diagnostic(`${this.summary}\n${this.timeline}`);
    assert.deepEqual(this.broken(promised), [], `Promises broken: ${this.broken(promised).join("; ")}\n${this.summary}\n${this.timeline}\n`);
  }

  /**
   * Compares every counter with what its writer was told: at least every acknowledged increment is there, at most those
   * and the uncertain ones. `unansweredMax`: how many may have been executed without a reply, if that is promised.
   */
  async checkCounters(place: Place, unansweredMax = Number.POSITIVE_INFINITY): Promise<void> {
    await using wire = await openWire(place);
    for (const { key, acknowledged, uncertain } of this.#counters) {
      const value = Number((await wire.one("GET", key)).split("\r\n")[1]);
      assert.ok(value >= acknowledged && value <= acknowledged + Math.min(uncertain, unansweredMax), `${key} is ${value}: ${acknowledged} increments were acknowledged and ${uncertain} uncertain\n${this.timeline}`);
    }
  }
}
