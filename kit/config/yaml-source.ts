// pure
import { isMap, isScalar, isSeq, LineCounter, parseDocument, type Node, type Pair, type Scalar } from "yaml";
import type { Problem } from "./problem.ts";
import type { RawNode } from "./raw.ts";

const depthMax = 64;
const aliasesMax = 100;

/**
 * Reads one YAML 1.2 document into raw nodes with their places. Refused with a problem: syntax errors, duplicate keys, several documents,
 * more than 100 aliases (alias bombs), deeper than 64. Scalars keep their source text, so that 1.10 and 00123 are not changed by reading.
 * The keys of a map go by this text too: 1 and "1" are one key, 1 and 01 are two.
 */
export function readYaml(name: string, text: string): { readonly node: RawNode | undefined; readonly problems: readonly Problem[] } {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, intAsBigInt: true, uniqueKeys: (left, right) => isScalar(left) && isScalar(right) && textOf(left) === textOf(right), strict: true });
  const origin = (offset: number | undefined): string => {
    const { line, col } = lines.linePos(offset ?? 0);
    return `${name}:${Math.max(1, line)}:${Math.max(1, col)}`;
  };
  // What follows the first wrong place is mostly its echo. Keys written twice are no matter of syntax: each is told.
  const firstWrong = document.errors.find((error) => error.code !== "DUPLICATE_KEY");
  const problems: Problem[] = document.errors.filter((error) => error === firstWrong || error.code === "DUPLICATE_KEY").map((error) => ({ origin: origin(error.pos[0]), path: "", message: `is not YAML: ${error.message.split("\n", 1)[0]?.replace(/ at line \d+, column \d+:?$/, "") ?? ""}` }));
  if (problems.length > 0 || document.contents === null) return { node: undefined, problems };

  let aliases = 0;
  const toRaw = (node: Node | null | undefined, fallback: string, depth: number): RawNode => {
    const at = node?.range === undefined || node.range === null ? fallback : origin(node.range[0]);
    if (depth > depthMax) throw new Refused(at, `is nested deeper than ${depthMax}`);
    if (node === null || node === undefined) return { kind: "scalar", value: null, text: "", origin: at };
    if (isScalar(node)) return { kind: "scalar", value: node.value as string | number | bigint | boolean | null, text: textOf(node), origin: at };
    if (isSeq(node)) return { kind: "list", items: node.items.map((item) => toRaw(item as Node, at, depth + 1)), origin: at };
    if (isMap(node)) {
      const pairs = node.items as Pair<Node, Node | null>[];
      const entries = pairs.map((pair) => {
        const key = toRaw(pair.key, at, depth + 1);
        return [key.kind === "scalar" ? key.text : "", { keyOrigin: key.origin, node: toRaw(pair.value, key.origin, depth + 1) }] as const;
      });
      const byKey = new Map(entries);
      // An alias stands for its key only now.
      const again = byKey.size === entries.length ? undefined : pairs.find((_, index) => entries.findIndex(([key]) => key === entries[index]?.[0]) < index);
      if (again !== undefined) throw new Refused(origin(again.key.range?.[0]), "is not YAML: Map keys must be unique");
      return { kind: "map", entries: byKey, origin: at };
    }
    if (++aliases > aliasesMax) throw new Refused(at, `has more than ${aliasesMax} aliases`);
    return toRaw("resolve" in node ? node.resolve(document) : undefined, at, depth + 1);
  };
  try {
    return { node: toRaw(document.contents, `${name}:1:1`, 0), problems: [] };
  } catch (error) {
    if (error instanceof Refused) return { node: undefined, problems: [{ origin: error.origin, path: "", message: error.message }] };
    throw error;
  }
}

function textOf({ value, source }: Scalar): string {
  return typeof value === "string" ? value : (source ?? String(value));
}

class Refused extends Error {
  readonly origin: string;
  constructor(origin: string, message: string) {
    super(message);
    this.origin = origin;
  }
}
