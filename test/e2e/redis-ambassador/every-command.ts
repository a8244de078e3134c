import { decodeResp, plainOf, type Plain } from "../../support/resp.ts";
import { comparable, rules, type Rule } from "./answer-rules.ts";
import { Dialogue, requestBytes } from "./dialogue.ts";
import { documentedCommands, fixture, invocationsOf, sampleScript, type DocumentedCommand } from "./docs-invocations.ts";
import type { Place } from "./wire.ts";

/** Two servers that should not be told apart: a plain one, and what is reached through the ambassador. */
export type Pair = { readonly plain: Place; readonly through: Place; /** The primary behind the ambassador, reached directly. */ readonly primary: Place };
export type Mode = { readonly protocol: 2 | 3; readonly pipelined: boolean };
export type Mismatch = { readonly command: string; readonly request: string; readonly plain: string; readonly through: string };

/** Commands of which only these forms are sent: others would destroy the servers, or take seconds. */
const onlyThese: Readonly<Record<string, readonly (readonly string[])[]>> = {
  "shutdown": [["SHUTDOWN", "BOGUS"], ["SHUTDOWN", "ABORT"], ["SHUTDOWN", "SAVE", "NOSAVE"], ["SHUTDOWN", "NOW", "FORCE", "BOGUS"]],
  "replicaof": [["REPLICAOF"], ["REPLICAOF", "localhost"], ["REPLICAOF", "localhost", "x"], ["REPLICAOF", "localhost", "99999999"], ["REPLICAOF", "a", "b", "c"]],
  "slaveof": [["SLAVEOF"], ["SLAVEOF", "localhost"], ["SLAVEOF", "localhost", "x"], ["SLAVEOF", "a", "b", "c"]],
  "failover": [["FAILOVER", "ABORT"], ["FAILOVER", "BOGUS"], ["FAILOVER", "TIMEOUT", "x"], ["FAILOVER", "TIMEOUT", "0"], ["FAILOVER", "FORCE", "FORCE", "TO"]],
  "debug": [["DEBUG"], ["DEBUG", "NOPE"], ["DEBUG", "HELP"], ["DEBUG", "OBJECT"], ["DEBUG", "OBJECT", "missing"], ["DEBUG", "SLEEP"], ["DEBUG", "SLEEP", "0"], ["DEBUG", "PROTOCOL"], ["DEBUG", "PROTOCOL", "nope"], ["DEBUG", "SET-ACTIVE-EXPIRE", "1"],
    ...["string", "integer", "double", "null", "array", "set", "map", "attrib", "push", "verbatim", "true", "false", "bignum"].map((type) => ["DEBUG", "PROTOCOL", type]), ["DEBUG", "DIGEST-VALUE", "string", "hash"], ["DEBUG", "DIGEST"], ["DEBUG", "JMAP", "x"], ["DEBUG", "STRINGMATCH-LEN", "10", "*"], ["DEBUG", "ERROR", "MY error"], ["DEBUG", "LISTPACK", "zset"]],
  // A stream's dump holds times.
  "dump": [["DUMP"], ["DUMP", "string"], ["DUMP", "hash"], ["DUMP", "list"], ["DUMP", "set"], ["DUMP", "zset"], ["DUMP", "missing"], ["DUMP", "a", "b"]],
  // SCRIPT DEBUG YES is refused when anything is sent right behind it.
  "script|debug": [["SCRIPT", "DEBUG"], ["SCRIPT", "DEBUG", "NO"], ["SCRIPT", "DEBUG", "BOGUS"], ["SCRIPT", "DEBUG", "NO", "x"]],
  "pfselftest": [["PFSELFTEST", "x"]],
  "bgsave": [["BGSAVE", "BOGUS"], ["BGSAVE", "SCHEDULE", "x"], ["BGSAVE", "SCHEDULE"]],
  "bgrewriteaof": [["BGREWRITEAOF", "x"], ["BGREWRITEAOF"]],
  "client|kill": [["CLIENT", "KILL"], ["CLIENT", "KILL", "127.0.0.1:1"], ["CLIENT", "KILL", "ID", "999999"], ["CLIENT", "KILL", "ID", "x"], ["CLIENT", "KILL", "ID", "-1"], ["CLIENT", "KILL", "TYPE", "bogus"], ["CLIENT", "KILL", "USER", "nobody"], ["CLIENT", "KILL", "ADDR", "127.0.0.1:1"], ["CLIENT", "KILL", "LADDR", "127.0.0.1:1"],
    ["CLIENT", "KILL", "SKIPME", "bogus"], ["CLIENT", "KILL", "BOGUS", "x"], ["CLIENT", "KILL", "ID"], ["CLIENT", "KILL", "a", "b", "c"]],
};

/** Not compared with a plain server: the ambassador's own answer is what is promised. */
export const ownAnswers: Readonly<Record<string, { readonly request: readonly string[]; readonly answer: RegExp; readonly because: string }>> = {
  "sync": { request: ["SYNC"], answer: /^-ERR podkit ambassador: SYNC is not carried/, because: "a replica attaches to a server itself" },
  "psync": { request: ["PSYNC", "?", "-1"], answer: /^-ERR podkit ambassador: PSYNC is not carried/, because: "a replica attaches to a server itself" },
  "replconf": { request: ["REPLCONF", "listening-port", "1"], answer: /^-ERR podkit ambassador: REPLCONF is not carried/, because: "a replica attaches to a server itself" },
  "readonly": { request: ["READONLY"], answer: /^\+OK\r\n$/, because: "lets a connection's reads go to replicas again" },
  "readwrite": { request: ["READWRITE"], answer: /^\+OK\r\n$/, because: "keeps a connection on the primary" },
};

/** They change what the connection is, or are not answered by exactly one reply: a new connection for every one, and all that comes up to a PING. */
const changesConnection = (command: DocumentedCommand): boolean =>
  command.group === "connection" || command.group === "pubsub" || command.group === "transactions" || command.name === "monitor" || command.name === "debug" || command.name === "script|debug" || command.name.startsWith("client");

const library = "#!lua name=lib\nredis.register_function{function_name='f', callback=function(k, a) return {k[1] or 'none', a[1] or 'none'} end, flags={'no-writes'}}";
const scripting = [["FUNCTION", "FLUSH"], ["SCRIPT", "FLUSH"], ["FUNCTION", "LOAD", library], ["SCRIPT", "LOAD", sampleScript]];

function ruleFor(command: DocumentedCommand): Rule {
  return rules[command.name] ?? rules[command.name.split("|")[0] ?? ""] ?? "exact";
}

/** Compares every command that a server tells of, in one mode. */
export class EveryCommand {
  readonly commands: readonly DocumentedCommand[];
  readonly covered = new Set<string>();
  readonly mismatches: Mismatch[] = [];
  compared = 0;
  readonly #pair: Pair;
  readonly #mode: Mode;
  readonly #reset: readonly (readonly string[])[];

  private constructor(pair: Pair, mode: Mode, commands: readonly DocumentedCommand[]) {
    this.#pair = pair;
    this.#mode = mode;
    this.commands = commands;
    const vectors = commands.some((command) => command.name === "vadd") ? [["VADD", "vectors", "VALUES", "2", "1", "1", "a"], ["VADD", "vectors", "VALUES", "2", "1", "2", "b"]] : [];
    this.#reset = [["FLUSHALL"], ...fixture, ...vectors];
  }

  static async prepare(pair: Pair, mode: Mode): Promise<EveryCommand> {
    await using asked = await Dialogue.open(pair.plain);
    const [command, docs] = (await asked.ask(["COMMAND"], ["COMMAND", "DOCS"])).map((frame): Plain => {
      const found = decodeResp(frame);
      return found === undefined ? null : plainOf(found.value);
    });
    return new EveryCommand(pair, mode, documentedCommands(command ?? null, docs ?? null));
  }

  invocations(command: DocumentedCommand): readonly (readonly string[])[] {
    return onlyThese[command.name] ?? invocationsOf(command);
  }

  async #open(place: Place): Promise<Dialogue> {
    const dialogue = await Dialogue.open(place);
    if (this.#mode.protocol === 3) await dialogue.ask(["HELLO", "3"]);
    return dialogue;
  }

  /** Gives both sides the same keys; `extra` as well. */
  async reset(extra: readonly (readonly string[])[] = []): Promise<void> {
    await Promise.all([this.#pair.plain, this.#pair.through].map(async (place) => {
      await using dialogue = await Dialogue.open(place);
      await dialogue.ask(...this.#reset, ...extra);
    }));
  }

  /** Commands that change nothing: the keys are made once, and replicas may answer. `ready` waits until they do. */
  async reads(ready: () => Promise<void>): Promise<void> {
    await this.reset(scripting);
    await ready();
    for (const command of this.commands) if (this.#isRead(command)) await this.#compareAlike(command, false);
  }

  #isRead(command: DocumentedCommand): boolean {
    return command.flags.has("readonly") && !changesConnection(command) && !command.container && ownAnswers[command.name] === undefined;
  }

  /** All others, each beginning with the same keys; a command that writes gets them anew for every invocation. */
  async others(writesToo = true): Promise<void> {
    for (const command of this.commands) {
      const writes = command.flags.has("write") || command.group === "scripting";
      if (this.#isRead(command) || (writes && !writesToo)) continue;
      if (ownAnswers[command.name] !== undefined) await this.#ownAnswer(command);
      else if (changesConnection(command)) await this.#compareMarked(command);
      else await this.#compareAlike(command, writes);
    }
  }

  async #ownAnswer(command: DocumentedCommand): Promise<void> {
    const own = ownAnswers[command.name];
    if (own === undefined) return;
    this.covered.add(command.name);
    await using dialogue = await this.#open(this.#pair.through);
    const [answer = "nothing"] = await dialogue.ask(own.request);
    if (!own.answer.test(answer)) this.mismatches.push({ command: command.name, request: own.request.join(" "), plain: String(own.answer), through: answer });
  }

  #note(command: DocumentedCommand, request: readonly string[], plain: string | undefined, through: string | undefined, rule: Rule): void {
    this.compared += 1;
    const [expected, got] = [plain, through].map((frame) => (frame === undefined ? "nothing" : comparable(frame, rule)));
    if (expected !== got) this.mismatches.push({ command: command.name, request: request.join(" "), plain: plain ?? "nothing", through: through ?? "nothing" });
  }

  async #compareAlike(command: DocumentedCommand, anew: boolean): Promise<void> {
    this.covered.add(command.name);
    const requests = this.invocations(command), rule = ruleFor(command);
    const before = [...this.#reset, ...(command.group === "scripting" ? scripting : [])];
    if (!anew && !command.flags.has("readonly")) await this.reset(command.group === "scripting" ? scripting : []);
    await using plainSide = await this.#open(this.#pair.plain);
    await using throughSide = await this.#open(this.#pair.through);
    const both = async (...words: readonly (readonly string[])[]): Promise<readonly [string[], string[]]> => await Promise.all([plainSide.ask(...words), throughSide.ask(...words)]);
    const plain: string[] = [], through: string[] = [];
    if (this.#mode.pipelined) {
      const all = anew ? requests.flatMap((request) => [...before, request]) : requests;
      const [expected, got] = await both(...all), every = anew ? before.length + 1 : 1;
      plain.push(...expected.filter((_, index) => index % every === every - 1));
      through.push(...got.filter((_, index) => index % every === every - 1));
    } else {
      for (const request of requests) {
        // What was refused has changed nothing.
        if (anew && !(plain.at(-1) ?? "").startsWith("-")) await both(...before);
        const [expected, got] = await both(request);
        plain.push(...expected);
        through.push(...got);
      }
    }
    requests.forEach((request, index) => this.#note(command, request, plain[index], through[index], rule));
    if (anew && rule === "exact") await this.#compareKeys(command, requests.at(-1) ?? []);
  }

  /** After a command's last invocation both must hold the same data. */
  async #compareKeys(command: DocumentedCommand, request: readonly string[]): Promise<void> {
    const [plain, primary] = await Promise.all([this.#pair.plain, this.#pair.primary].map(async (place) => {
      await using dialogue = await Dialogue.open(place);
      return (await dialogue.ask(["DEBUG", "DIGEST"]))[0];
    }));
    this.#note(command, [...request, "(then the digest of all keys)"], plain, primary, "exact");
  }

  async #compareMarked(command: DocumentedCommand): Promise<void> {
    this.covered.add(command.name);
    await this.reset();
    const rule = ruleFor(command);
    // Where replies may be switched off, they are switched on again, so that what is behind is answered.
    const behind = command.name === "client|reply" ? requestBytes(["CLIENT", "REPLY", "ON"]) : Buffer.alloc(0);
    const one = async (request: readonly string[]): Promise<void> => {
      const [plain, through] = await Promise.all([this.#pair.plain, this.#pair.through].map(async (place) => {
        await using dialogue = await this.#open(place);
        return await dialogue.askMarked(Buffer.concat([requestBytes(request), behind]));
      }));
      const count = command.name === "monitor" ? 1 : Math.max(plain?.length ?? 0, through?.length ?? 0, 1);
      for (let index = 0; index < count; index += 1) this.#note(command, request, plain?.[index], through?.[index], rule);
    };
    const requests = this.invocations(command);
    for (let at = 0; at < requests.length; at += 8) await Promise.all(requests.slice(at, at + 8).map(one));
  }
}
