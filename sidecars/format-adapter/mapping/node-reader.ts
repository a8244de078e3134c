// pure
import { nearest } from "../../../kit/nearest.ts";
import { joinPath, type Problem } from "../../../kit/config/problem.ts";
import { describeRaw, type RawNode } from "../../../kit/config/raw.ts";

/** Reads the parts of a raw node for the mapping language, pushing a problem with its place for everything that is not right. */
export type NodeReader = {
  readonly path: string;
  readonly origin: string;
  problem(message: string, at?: RawNode): void;
  /** The entries of a map; refuses keys that are not in `known` (when given) with the nearest. Undefined when it is no map. */
  map(known?: readonly string[]): ReadonlyMap<string, NodeReader> | undefined;
  list(): readonly NodeReader[] | undefined;
  text(expected: string): string | undefined;
  oneOf<const V extends string>(values: readonly V[]): V | undefined;
  readonly raw: RawNode;
};

export function readNode(raw: RawNode, path: string, problems: Problem[]): NodeReader {
  const problem = (message: string, at: RawNode = raw): void => void problems.push({ origin: at.origin, path, message });
  return {
    raw,
    path,
    origin: raw.origin,
    problem,
    map(known) {
      if (raw.kind !== "map") {
        problem(`expected a map, got ${describeRaw(raw)}`);
        return undefined;
      }
      for (const [key, entry] of raw.entries) {
        if (known === undefined || known.includes(key)) continue;
        const near = nearest(key, known);
        problems.push({ origin: entry.keyOrigin, path: joinPath(path, key), message: near === undefined ? `is not a setting; there are ${known.join(", ")}` : `is not a setting; did you mean "${near}"?` });
      }
      return new Map([...raw.entries].map(([key, entry]) => [key, readNode(entry.node, joinPath(path, key), problems)]));
    },
    list() {
      if (raw.kind === "list") return raw.items.map((item, index) => readNode(item, joinPath(path, index), problems));
      problem(`expected a list, got ${describeRaw(raw)}`);
      return undefined;
    },
    text(expected) {
      if (raw.kind === "scalar" && raw.value !== null) return raw.text;
      problem(`expected ${expected}, got ${describeRaw(raw)}`);
      return undefined;
    },
    oneOf(values) {
      const found = raw.kind === "scalar" ? values.find((value) => value === raw.text) : undefined;
      if (found === undefined) {
        const near = raw.kind === "scalar" ? nearest(raw.text, values) : undefined;
        problem(`expected one of ${values.join(", ")}, got ${describeRaw(raw)}${near === undefined ? "" : `; did you mean "${near}"?`}`);
      }
      return found;
    },
  };
}
