// pure
import { isAlias, isMap, isPair, isScalar, isSeq, type Document, type Node, type Pair } from "yaml";

/** Where in a document a path of Kubernetes' writing (`spec.containers[0].resources.limits[cpu]`) is. */
export type Located = {
  /** Offset of the value, or of its key when `atKey`; of the nearest parent there is when the path leads nowhere. */
  readonly offset: number;
  readonly isExact: boolean;
};

/** `atKey` points at the name of the field instead of its value: for fields that should not be there. */
export function locate(document: Document, path: string, options: { readonly atKey: boolean }): Located {
  let node: unknown = resolve(document.contents, document);
  let place = startOf(node) ?? 0;
  for (const segment of splitPath(path)) {
    const step = descend(node, segment, document);
    if (step === undefined) return { offset: place, isExact: false };
    const keyPlace = step.pair === undefined ? undefined : startOf(step.pair.key);
    const valuePlace = startOf(step.value);
    // A map's own start is its first entry, which would point at an innocent neighbour: its key says more.
    const isInside = isMap(step.value) || isSeq(step.value);
    place = ((options.atKey || isInside) && keyPlace !== undefined ? keyPlace : valuePlace) ?? keyPlace ?? place;
    node = resolve(step.value, document);
  }
  return { offset: place, isExact: true };
}

type Step = { readonly value: unknown; readonly pair?: Pair | undefined };

function descend(node: unknown, segment: string, document: Document): Step | undefined {
  if (isSeq(node)) {
    const value = /^\d+$/.test(segment) ? node.items[Number(segment)] : undefined;
    return value === undefined ? undefined : { value };
  }
  if (!isMap(node)) return undefined;
  const pair = node.items.find((one) => keyText(one) === segment);
  return pair === undefined ? descendMerged(node.items, segment, document) : { value: pair.value, pair };
}

/** A key that `<<` brought in from an anchor. */
function descendMerged(pairs: readonly Pair[], segment: string, document: Document): Step | undefined {
  for (const pair of pairs) {
    if (keyText(pair) !== "<<") continue;
    const target = resolve(pair.value, document);
    for (const source of isSeq(target) ? target.items : [target]) {
      const found = descend(resolve(source, document), segment, document);
      if (found !== undefined) return found;
    }
  }
  return undefined;
}

function keyText(pair: unknown): string | undefined {
  if (!isPair(pair)) return undefined;
  if (!isScalar(pair.key)) return undefined;
  const { value } = pair.key;
  // The merge key is a symbol.
  return typeof value === "symbol" ? value.description : String(value);
}

function resolve(node: unknown, document: Document): unknown {
  return isAlias(node) ? node.resolve(document) : node;
}

function startOf(node: unknown): number | undefined {
  return hasRange(node) ? node.range?.[0] : undefined;
}

function hasRange(node: unknown): node is Node {
  return typeof node === "object" && node !== null && "range" in node;
}

/** `a.b[0].c[x.y/z]` -> a, b, 0, c, x.y/z. */
export function splitPath(path: string): readonly string[] {
  return [...path.matchAll(/\[([^\]]*)\]|([^.[\]]+)/g)].map((match) => match[1] ?? match[2] ?? "");
}
