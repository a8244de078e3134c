// pure
import { isAlias, isMap, isScalar, isSeq, Lexer, LineCounter, parseAllDocuments, type Node, type Pair, type YAMLError } from "yaml";
import { ConversionError } from "../conversion-error.ts";
import { tooLarge, type DocumentOptions } from "./document-reader.ts";
import { countLineEnds } from "./line-ends.ts";
import { readerLimitsDefault, type RecordHandler, type RecordReader } from "./row.ts";
import { numberLeaf, recordsOf, RecordSink, type Leaf, type Tree } from "./tree.ts";

const { depthMax } = readerLimitsDefault;
/** Nodes that stand in the records because of an alias. */
const aliasedNodesMax = 10_000;

/**
 * Reads YAML 1.2. The items of a list at the top, each beginning at the start of a line, are read one by one; anything else as a whole. Only plain
 * scalars that the core schema calls null, boolean or number are that, and numbers keep their characters: 00123, 0x1F and 1_000 are text, since
 * JSON has no such numbers, and so are `no` and dates. Several documents are one report. Refused: tags, merge keys (a plain `<<`), keys that are
 * no scalars, double keys, more than 128 levels, aliases that make more than 10,000 values of a few.
 */
export function createYamlReader(options: DocumentOptions, handler: RecordHandler): RecordReader {
  const sink = new RecordSink(handler, readerLimitsDefault);
  let anchors = new Map<string, Node>();
  let place: "before" | "list" | "document" = "before";
  let chunk = "";
  let chunkLine = 1;
  let line = 1;
  let rest = "";
  let isEmpty = true;
  let isFirst = true;

  const flush = (isLast: boolean): void => {
    if (place !== "before") for (const tree of parseChunk(chunk, { firstLine: chunkLine, isLast, anchors })) for (const record of recordsOf(tree, place === "list" ? { records: [] } : options, chunkLine)) sink.take(record);
    if (place !== "before") isEmpty = false;
    chunk = "";
    chunkLine = line;
  };
  const take = (text: string): void => {
    const marker = /^(?:---|\.\.\.)(?=\s|$)/.exec(text);
    if (marker !== null) {
      flush(false);
      anchors = new Map();
      place = /^\s*(?:#.*)?$/.test(text.slice(marker[0].length).trimEnd()) ? "before" : "document";
    } else if (place === "before" && /^-\s/.test(text) && options.records.length === 0) {
      place = "list";
      chunk = "";
      chunkLine = line;
    } else if (place === "before" && !/^(?:\s*(?:#.*)?$|%)/.test(text.trimEnd())) place = "document";
    else if (place === "list" && /^-\s/.test(text)) flush(false);
    if (place !== "before") chunk += text;
    if (chunk.length + rest.length > options.maxBytes) throw tooLarge(options.maxBytes, chunkLine);
    line += countLineEnds(text);
    if (place === "before") chunkLine = line;
  };
  return {
    push(given) {
      const text = isFirst && given.startsWith("\uFEFF") ? given.slice(1) : given;
      isFirst &&= given === "";
      const lines = (rest + text).split(/(?<=\n)/);
      const last = lines.pop() ?? "";
      if (last.endsWith("\n")) lines.push(last);
      rest = last.endsWith("\n") ? "" : last;
      for (const each of lines) take(each);
      if (chunk.length + rest.length > options.maxBytes) throw tooLarge(options.maxBytes, chunkLine);
    },
    end({ takeUnfinished }) {
      if (rest !== "" && !takeUnfinished && !rest.endsWith("\r")) throw new ConversionError("INCOMPLETE", "the last line has no end", { line, sample: rest });
      if (rest !== "") take(rest);
      rest = "";
      flush(true);
      if (isEmpty) throw new ConversionError("INCOMPLETE", "there is no document in it", { line });
    },
  };
}

function parseChunk(text: string, { firstLine, isLast, anchors }: { readonly firstLine: number; readonly isLast: boolean; readonly anchors: Map<string, Node> }): readonly Tree[] {
  checkDepth(text, firstLine);
  const lines = new LineCounter();
  const lineAt = (offset: number): number => Math.max(1, lines.linePos(offset).line) + firstLine - 1;
  const documents = parseAllDocuments(text, { lineCounter: lines, schema: "failsafe", uniqueKeys: false, strict: true, logLevel: "silent", prettyErrors: false });
  return (Array.isArray(documents) ? documents : []).flatMap((document) => {
    const [error] = document.errors;
    if (error !== undefined) throw explain(error, { text, isLast, line: lineAt(error.pos[0]) });
    return document.contents === null ? [] : [new TreeBuilder(lineAt, anchors).build(document.contents, 0)];
  });
}

function explain(error: YAMLError, { text, isLast, line }: { readonly text: string; readonly isLast: boolean; readonly line: number }): ConversionError {
  if (error.message.startsWith("Maximum call stack")) return new ConversionError("LIMIT", `nested deeper than ${depthMax}`, { line });
  const [at] = error.pos;
  const isCut = isLast && text.slice(at).trim() === "";
  return new ConversionError(isCut ? "INCOMPLETE" : "SYNTAX", `not YAML: ${error.message}`, { line, sample: text.slice(at, at + 40) });
}

/** The library's parser calls itself for each level of a collection; its lexer does not. Levels by indentation take much text, and fail in the parser. */
function checkDepth(text: string, firstLine: number): void {
  let depth = 0;
  let indicators = 0;
  let offset = 0;
  const fail = (): ConversionError => new ConversionError("LIMIT", `nested deeper than ${depthMax}`, { line: firstLine + countLineEnds(text.slice(0, offset)) });
  for (const token of new Lexer().lex(text)) {
    if (token === "[" || token === "{") depth++;
    else if (token === "]" || token === "}") depth = Math.max(0, depth - 1);
    else if (token === "-" || token === "?") indicators++;
    else if (token.endsWith("\n")) indicators = 0;
    if (depth > depthMax || indicators > depthMax) throw fail();
    offset += token.length;
  }
}

class TreeBuilder {
  readonly #lineAt: (offset: number) => number;
  readonly #anchors: Map<string, Node>;
  readonly #open = new Set<Node>();
  #aliasDepth = 0;
  #aliased = 0;

  /** `anchors`: of the document so far. */
  constructor(lineAt: (offset: number) => number, anchors: Map<string, Node>) {
    this.#lineAt = lineAt;
    this.#anchors = anchors;
  }

  build(node: Node | null, depth: number): Tree {
    if (node === null) return { kind: "null", text: "null" };
    if (depth > depthMax) throw this.#error("LIMIT", `nested deeper than ${depthMax}`, node);
    if (this.#aliasDepth > 0 && ++this.#aliased > aliasedNodesMax) throw this.#error("LIMIT", `its aliases stand for more than ${aliasedNodesMax} values`, node);
    if (isAlias(node)) return this.#alias(node.source, node, depth);
    if (hasTag(node)) throw this.#error("SYNTAX", `the tag ${node.tag ?? ""} is not supported`, node);
    if ("anchor" in node && node.anchor !== undefined && this.#aliasDepth === 0) this.#anchors.set(node.anchor, node);
    if (isScalar(node)) {
      const text = String(node.value);
      if (!text.isWellFormed()) throw this.#error("SYNTAX", "half a surrogate pair, which is no character", node);
      // The failsafe schema gives a tag to no scalar that has none: one that is there says that this is text.
      return scalarLeaf(text, node.type === "PLAIN" && node.tag === undefined);
    }
    this.#open.add(node);
    const tree = this.#collection(node, depth);
    this.#open.delete(node);
    return tree;
  }

  #collection(node: Node, depth: number): Tree {
    if (isSeq(node)) return { kind: "list", items: node.items.map((item) => this.build(item as Node, depth + 1)) };
    if (!isMap(node)) throw this.#error("SYNTAX", "not a map, a list or a value", node);
    const entries = new Map<string, Tree>();
    for (const pair of node.items as Pair<Node | null, Node | null>[]) {
      const { key } = pair;
      if (key !== null && !isScalar(key)) throw this.#error("SYNTAX", "a key must be a plain value", key);
      if (key !== null && hasTag(key)) throw this.#error("SYNTAX", `the tag ${key.tag ?? ""} is not supported`, key);
      if (key?.type === "PLAIN" && key.value === "<<") throw this.#error("SYNTAX", 'merge keys ("<<") are not part of YAML 1.2; quote it if it is a key', key);
      const name = key === null ? "" : String(key.value);
      if (!name.isWellFormed()) throw this.#error("SYNTAX", "half a surrogate pair, which is no character", key ?? node);
      if (entries.has(name)) throw new ConversionError("COLUMN", `the key "${name}" appears twice`, { line: this.#lineOf(key ?? node), column: name });
      entries.set(name, this.build(pair.value, depth + 1));
    }
    return { kind: "map", entries, line: this.#lineOf(node) };
  }

  #alias(name: string, alias: Node, depth: number): Tree {
    const target = this.#anchors.get(name);
    if (target === undefined) throw this.#error("SYNTAX", `the alias *${name} stands for nothing before it`, alias);
    if (this.#open.has(target)) throw this.#error("SYNTAX", `the alias *${name} holds itself`, alias);
    this.#aliasDepth++;
    const tree = this.build(target, depth);
    this.#aliasDepth--;
    return tree;
  }

  #lineOf(node: Node): number {
    return this.#lineAt(node.range?.[0] ?? 0);
  }

  #error(code: "LIMIT" | "SYNTAX", message: string, node: Node): ConversionError {
    return new ConversionError(code, message, { line: this.#lineOf(node) });
  }
}

/** The tags of the failsafe schema say what is plain to see. */
function hasTag(node: Node): boolean {
  return node.tag !== undefined && node.tag !== "tag:yaml.org,2002:map" && node.tag !== "tag:yaml.org,2002:seq" && node.tag !== "tag:yaml.org,2002:str";
}

function scalarLeaf(text: string, isPlain: boolean): Leaf {
  if (!isPlain) return { kind: "text", text };
  if (/^(?:|~|null|Null|NULL)$/.test(text)) return { kind: "null", text: "null" };
  if (/^(?:true|True|TRUE|false|False|FALSE)$/.test(text)) return { kind: "boolean", text: text.toLowerCase() };
  return numberLeaf(text);
}
