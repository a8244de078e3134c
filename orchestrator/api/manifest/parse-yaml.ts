// pure
import { isNode, isScalar, LineCounter, parseAllDocuments, visit, type Document, type ScalarTag, type Tags } from "yaml";

/** One document of a manifest file, as JSON. */
export type ParsedDocument = { readonly kind: "ok"; readonly value: unknown; readonly document: Document; readonly index: number } | { readonly kind: "broken"; readonly index: number; readonly faults: readonly SyntaxFault[] };
export type SyntaxFault = { readonly offset: number; readonly message: string };

const aliasesMax = 100;
/** After the first faults of a document the rest are mostly their consequences. */
const faultsMax = 10;
const tooDeep = "is nested too deeply to be read";

/**
 * Parses YAML or JSON as Kubernetes' tools do: YAML 1.1, where 0644 is octal and `yes` a boolean, but with texts like 12:30 and
 * 2026-01-31 left as texts. Stricter than they are in refusing duplicate keys, unknown tags and keys that are no scalars.
 */
export function parseDocuments(text: string): { readonly documents: readonly ParsedDocument[]; readonly lines: LineCounter } {
  const lines = new LineCounter();
  try {
    const parsed = parseAllDocuments(text, { version: "1.1", customTags: kubernetesTags, strict: true, uniqueKeys: true, stringKeys: false, prettyErrors: false, lineCounter: lines, logLevel: "silent" });
    const documents = (Array.isArray(parsed) ? parsed : []).map((document, index) => readDocument(document, index));
    return { documents: documents.filter((one) => one.kind === "broken" || one.value !== null), lines };
  } catch (error) {
    // The parser recurses: only nesting without any sense exhausts the stack.
    if (error instanceof RangeError) return { documents: [{ kind: "broken", index: 0, faults: [{ offset: 0, message: tooDeep }] }], lines };
    throw error;
  }
}

function readDocument(document: Document.Parsed, index: number): ParsedDocument {
  const broken = [...document.errors, ...document.warnings];
  if (broken.some((error) => error.message.startsWith("Maximum call stack"))) return { kind: "broken", index, faults: [{ offset: document.range[0], message: tooDeep }] };
  const faults: SyntaxFault[] = [];
  for (const error of broken.slice(0, faultsMax)) {
    const fault = { offset: error.pos[0], message: plainMessage(error.message) };
    if (!faults.some((other) => other.offset === fault.offset && other.message === fault.message)) faults.push(fault);
  }
  visit(document, {
    Pair: (_, pair) => {
      if (!isScalar(pair.key)) faults.push({ offset: (isNode(pair.key) ? pair.key.range?.[0] : undefined) ?? document.range[0], message: "has a key that is not a plain text" });
    },
  });
  if (faults.length > 0) return { kind: "broken", index, faults };
  try {
    const value: unknown = document.toJS({ maxAliasCount: aliasesMax });
    return { kind: "ok", value, document, index };
  } catch (error) {
    // Too many aliases, an anchor that does not exist, a merge of something that is no map. The stack's end is the caller's affair.
    if (error instanceof Error && !(error instanceof RangeError)) return { kind: "broken", index, faults: [{ offset: document.range[0], message: plainMessage(error.message) }] };
    throw error;
  }
}

function plainMessage(message: string): string {
  if (message === "Map keys must be unique") return "this key stands twice in one map";
  return `is not YAML: ${message}`;
}

const int = "tag:yaml.org,2002:int";
const float = "tag:yaml.org,2002:float";
const octal: ScalarTag = { tag: int, default: true, format: "OCT", test: /^0o[0-7]+$/, resolve: (text) => Number.parseInt(text.slice(2), 8) };
/** YAML 1.1 proper would also read `.` as a number. */
const decimal: ScalarTag = { tag: float, default: true, test: /^[-+]?(?:\.\d+|\d+(?:\.\d*)?)(?:[eE][-+]?\d+)?$/, resolve: Number };
const unknownToKubernetes = new Set(["timestamp", "binary", "omap", "pairs", "set"].map((name) => `tag:yaml.org,2002:${name}`));

/** The YAML 1.1 tags that sigs.k8s.io/yaml (go-yaml v2) resolves, in its forms. */
function kubernetesTags(tags: Tags): Tags {
  const kept = tags.filter((tag) => {
    if (typeof tag === "string") return true;
    const format = "format" in tag ? tag.format : undefined;
    const isPlainFloat = tag.tag === float && "test" in tag && !tag.test?.test(".nan");
    return !unknownToKubernetes.has(tag.tag) && format !== "TIME" && !isPlainFloat;
  });
  return [octal, ...kept, decimal];
}
