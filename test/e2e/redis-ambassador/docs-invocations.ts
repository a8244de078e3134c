// pure
// Invocations of every command, from what the server itself tells of it: the arguments in COMMAND DOCS, arity and flags in COMMAND.
import type { Plain } from "../../support/resp.ts";

type Argument = {
  readonly name: string;
  readonly type: string;
  readonly token: string | undefined;
  readonly optional: boolean;
  readonly multiple: boolean;
  readonly multipleToken: boolean;
  readonly parts: readonly Argument[];
};

export type DocumentedCommand = {
  /** Lower case; subcommands as `client|setname`. */
  readonly name: string;
  readonly group: string;
  readonly arity: number;
  readonly flags: ReadonlySet<string>;
  readonly tips: ReadonlySet<string>;
  readonly arguments: readonly Argument[];
  /** It has subcommands, and so is no command of its own. */
  readonly container: boolean;
};

type Word = { readonly text: string; readonly argument: Argument | undefined };
type Form = readonly Word[];

const isList = (value: Plain | undefined): value is readonly Plain[] => Array.isArray(value);
const list = (value: Plain | undefined): readonly Plain[] => (isList(value) ? value : []);
const string = (value: Plain | undefined): string => (typeof value === "string" ? value : "");

function fields(value: Plain | undefined): Map<string, Plain> {
  const flat = list(value), found = new Map<string, Plain>();
  for (let at = 0; at + 1 < flat.length; at += 2) found.set(string(flat[at]), flat[at + 1] ?? null);
  return found;
}

function readArgument(value: Plain): Argument {
  const told = fields(value), flags = list(told.get("flags")).map(string);
  return {
    name: string(told.get("name")), type: string(told.get("type")), token: told.has("token") ? string(told.get("token")) : undefined,
    optional: flags.includes("optional"), multiple: flags.includes("multiple"), multipleToken: flags.includes("multiple_token"),
    parts: list(told.get("arguments")).map(readArgument),
  };
}

/** Every command and subcommand that COMMAND lists, in the order of their names, with what COMMAND DOCS tells of each. */
export function documentedCommands(command: Plain, docs: Plain): DocumentedCommand[] {
  const told = new Map<string, Map<string, Plain>>();
  const collect = (answer: Plain | undefined): void => {
    for (const [name, doc] of fields(answer)) {
      told.set(name.toLowerCase(), fields(doc));
      collect(fields(doc).get("subcommands"));
    }
  };
  collect(docs);
  const found: DocumentedCommand[] = [];
  const walk = (entries: Plain | undefined): void => {
    for (const each of list(entries)) {
      const entry = list(each), name = string(entry[0]).toLowerCase(), doc = told.get(name);
      found.push({
        name, group: string(doc?.get("group")), arity: Number(entry[1]), container: list(entry[9]).length > 0,
        flags: new Set(list(entry[2]).map(string)), tips: new Set(list(entry[7]).map(string)), arguments: list(doc?.get("arguments")).map(readArgument),
      });
      walk(entry[9]);
    }
  };
  walk(command);
  return found.toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

/** Keys that are there before every command is tried; one for each type, named after it. */
export const fixture: readonly (readonly string[])[] = [
  ["SET", "string", "10"], ["SET", "text", "hello world"], ["SET", "temporary", "soon gone", "EX", "100000"],
  ["HSET", "hash", "f1", "1", "f2", "two", "f3", "3.5"], ["RPUSH", "list", "a", "b", "c"], ["RPUSH", "numbers", "3", "1", "2"],
  ["SADD", "set", "a"], ["SADD", "intset", "1", "2", "3"], ["ZADD", "zset", "1", "a", "2", "b", "3", "c"],
  ["GEOADD", "geo", "13.361389", "38.115556", "Palermo", "15.087269", "37.502669", "Catania"],
  ["PFADD", "hll", "x", "y", "z"], ["SETBIT", "bits", "7", "1"],
  ["XADD", "stream", "1-1", "f", "v"], ["XADD", "stream", "2-1", "f", "w"], ["XGROUP", "CREATE", "stream", "g", "0"], ["XREADGROUP", "GROUP", "g", "c", "COUNT", "1", "STREAMS", "stream", ">"],
];
const keyOfEachType = ["string", "hash", "list", "set", "zset", "stream", "missing"];

const keyOfGroup: Readonly<Record<string, string>> = {
  "string": "string", "hash": "hash", "list": "list", "set": "set", "sorted-set": "zset", "sorted_set": "zset", "stream": "stream", "geo": "geo", "hyperloglog": "hll", "bitmap": "bits", "module": "vectors", "vector_set": "vectors",
};

export const sampleScript = "return {KEYS[1] or 'none', ARGV[1] or 'none', 7}";

/** What stands for an argument, by `command.argument`, then by argument, then by type. */
const samples: Readonly<Record<string, string>> = {
  newkey: "fresh", destination: "fresh", destkey: "fresh", dstkey: "fresh", "copy.destination": "fresh", "rpoplpush.destination": "fresh",
  field: "f1", member: "a", member1: "Palermo", member2: "Catania", element: "a", value: "5", pivot: "b", pattern: "*", cursor: "0", match: "*",
  "geopos.member": "Palermo", "geohash.member": "Palermo", "georadiusbymember.member": "Palermo", "georadiusbymember_ro.member": "Palermo", "geosearch.member": "Palermo", "geosearchstore.member": "Palermo",
  longitude: "15", latitude: "37", radius: "200", width: "400", height: "400",
  score: "1", increment: "2", "hincrbyfloat.increment": "0.5", "incrbyfloat.increment": "0.5", delta: "2",
  start: "0", stop: "-1", end: "-1", min: "1", max: "3", index: "0", offset: "0", count: "2", limit: "10",
  "zrangebylex.min": "[a", "zrangebylex.max": "[c", "zrevrangebylex.min": "[a", "zrevrangebylex.max": "[c", "zlexcount.min": "-", "zlexcount.max": "+", "zremrangebylex.min": "[a", "zremrangebylex.max": "(c",
  "xrange.start": "-", "xrange.end": "+", "xrevrange.start": "-", "xrevrange.end": "+", "xpending.start": "-", "xpending.end": "+", "xautoclaim.start": "0",
  group: "g", groupname: "g", consumer: "c", consumername: "c", id: "1-1", "xread.id": "0", "xreadgroup.id": ">", "xadd.id": "9-1", "xadd.threshold": "1", "xtrim.threshold": "1", "xsetid.last-id": "9-9", lastid: "9-9", "last-id": "9-9", "last-delivered-id": "9-9",
  "max-deleted-id": "1-1", "entries-added": "5", "entriesadded": "5", "entriesread": "1", "entries-read": "1", "min-idle-time": "0", "xclaim.ms": "100", "xclaim.count": "1", "unix-time-milliseconds": "33177117420000", "unix-time-seconds": "33177117420",
  seconds: "100", milliseconds: "100000", timeout: "0.01", "xread.milliseconds": "10", "xreadgroup.milliseconds": "10", "wait.timeout": "10", "waitaof.timeout": "10", "client|pause.timeout": "10", "migrate.timeout": "10", "failover.milliseconds": "10",
  "wait.numreplicas": "0", "waitaof.numreplicas": "0", "waitaof.numlocal": "0", "migrate.host": "127.0.0.1", "migrate.port": "1", "migrate.destination-db": "0", "move.db": "1", "copy.destination-db": "1", "swapdb.index1": "0", "swapdb.index2": "1", "select.index": "1",
  script: sampleScript, sha1: "4f14f3503442bb2d9a0d2d0cf0b116ab7bb72a29", arg: "argument", function: "f", "function-code": "#!lua name=lib2\nredis.register_function('f2', function() return 1 end)", "library-name": "lib", "library-name-pattern": "*",
  "encoding": "u8", "bitpos.bit": "1", bit: "1", "setbit.value": "1", "bitfield.value": "7", "bitfield.offset": "#0", "setrange.offset": "3", "lset.index": "1", "object|freq.key": "string", "restore.serialized-value": "no dump", "restore-asking.serialized-value": "no dump", "restore.ttl": "0",
  username: "nobody", password: "wrong", "acl|setuser.username": "someone", "acl|deluser.username": "someone", "acl|getuser.username": "default", "acl|dryrun.username": "default", "acl|dryrun.command": "get", "acl|dryrun.arg": "string", "acl|cat.category": "read", "acl|setuser.rule": "+get",
  protover: "3", clientname: "tester", "connection-name": "tester", libname: "lib", libver: "1.0", channel: "news", shardchannel: "news", message: "hello", numkeys: "1", "command-name": "get", "command|getkeys.command": "mget", "command|getkeysandflags.command": "mget", "parameter": "maxmemory-policy", "config|get.parameter": "maxmemory-policy",
  "ip:port": "127.0.0.1:1", "client-id": "999999", "client|kill.username": "nobody", "prefix": "p", "event": "command", "section": "server", "lolwut.version": "9", "dbid": "0", "lcs.len": "1", "json": "{}", "vadd.num": "2", "module-name": "nothing",
};
const samplesOfType: Readonly<Record<string, string>> = { "integer": "1", "double": "1.5", "unix-time": "33177117420", "pattern": "*", "string": "word", "key": "string", "oneof": "word", "block": "word", "pure-token": "" };

function sampleOf(command: DocumentedCommand, argument: Argument): string {
  const named = samples[`${command.name}.${argument.name}`] ?? samples[argument.name];
  if (named !== undefined) return named;
  if (argument.type === "key") return keyOfGroup[command.group] ?? "string";
  return samplesOfType[argument.type] ?? "word";
}

const tokenWord = (argument: Argument): Form => (argument.token === undefined ? [] : [{ text: argument.token === "" ? '""' : argument.token, argument: undefined }]);

/** The forms of one argument, the simplest first. */
function formsOf(command: DocumentedCommand, argument: Argument): Form[] {
  const token = tokenWord(argument);
  const plain = ((): Form[] => {
    switch (argument.type) {
      case "pure-token": return [token];
      case "oneof": return argument.parts.flatMap((part) => formsOf(command, part)).map((form) => [...token, ...form]);
      case "block": return sequenceForms(command, argument.parts).map((form) => [...token, ...form]);
      default: return [[...token, { text: sampleOf(command, argument), argument }]];
    }
  })();
  const [first] = plain;
  if (!argument.multiple || first === undefined) return plain;
  const again = argument.multipleToken || argument.type === "pure-token" ? first : first.slice(token.length);
  return [...plain, [...first, ...again]];
}

/** A base form with what is required, then one form for each other choice of one argument. */
function sequenceForms(command: DocumentedCommand, parts: readonly Argument[]): Form[] {
  const choices = parts.map((part) => (part.optional ? [[], ...formsOf(command, part)] : formsOf(command, part)));
  const base = choices.map((forms): Form => forms[0] ?? []);
  const forms: Form[] = [base.flat()];
  choices.forEach((each, position) => {
    for (const form of each.slice(1)) forms.push(base.map((chosen, index) => (index === position ? form : chosen)).flat());
  });
  return forms;
}

/** Counts of keys and of fields are made right, so that the valid forms are valid. */
function counted(form: Form): Form {
  return form.map((word, index) => {
    const name = word.argument?.name ?? "";
    if (name !== "numkeys" && name !== "numfields") return word;
    const of = (each: Word): boolean => (name === "numkeys" ? each.argument?.type === "key" : each.argument?.name === "field");
    return { ...word, text: String(form.slice(index + 1).filter(of).length) };
  });
}

const notNumbers = ["x", "", "1.5", "-1", "9223372036854775808"];
const waits = new Set(["timeout", "milliseconds"]);

/** All invocations of one command: what is valid, then what is wrong in every way that its arguments allow. */
export function invocationsOf(command: DocumentedCommand): string[][] {
  const name = command.name.split("|").map((word) => word.toUpperCase());
  if (command.container) return [name, [...name, "HELP"], [...name, "NOSUCHSUBCOMMAND"], [...name, "NOSUCHSUBCOMMAND", "a", "b"], [...name, ""], [name.join("").toLowerCase(), "help", "x"]];
  const forms = sequenceForms(command, command.arguments).map(counted), base = forms[0] ?? [];
  const texts = (form: Form): string[] => form.map((word) => word.text);
  const found: string[][] = forms.map(texts);
  // Every key of another type, one at a time, in the simplest form.
  base.forEach((word, position) => {
    if (word.argument?.type !== "key") return;
    for (const key of keyOfEachType) if (key !== word.text) found.push(texts(base).with(position, key));
  });
  // Too few and too many words.
  for (let length = 0; length < Math.min(base.length, 6); length += 1) found.push(texts(base).slice(0, length));
  found.push([...texts(base), "surplus"], [...texts(base), "surplus", "surplus"]);
  // Numbers that are none; the shortest waits stay short.
  forms.forEach((form, which) => {
    form.forEach((word, position) => {
      if (word.argument === undefined || !["integer", "double", "unix-time"].includes(word.argument.type)) return;
      const wrong = which === 0 ? notNumbers.filter((text) => text !== "1.5" || !waits.has(word.argument?.name ?? "")) : ["x"];
      for (const text of wrong) found.push(texts(form).with(position, text));
    });
  });
  const seen = new Set<string>();
  const whole = [...found.map((words) => [...name, ...words]), [...(name.map((word, index) => (index === 0 ? word.toLowerCase() : `${word.charAt(0)}${word.slice(1).toLowerCase()}`))), ...texts(base)]];
  return whole.filter((words) => {
    const key = words.join("\u0000");
    return !seen.has(key) && seen.add(key) !== undefined;
  });
}
