// pure
import { MsgpackWriter, type MsgpackValue } from "../forward-protocol/msgpack-writer.ts";
import type { ExtraPairs } from "../encode/range-encoder.ts";
import { matchesTag } from "../shape/tags.ts";

/**
 * What Kubernetes tells a container about its Pod, from the downward API alone (no API server). The names inside the record are
 * those that Fluent Bit's and fluentd's Kubernetes filters use, so that dashboards keep working.
 */
export type PodMetadata = { readonly [name: string]: MsgpackValue };

const fileFields: ReadonlyMap<string, string> = new Map([
  ["name", "pod_name"],
  ["pod", "pod_name"],
  ["podname", "pod_name"],
  ["pod-name", "pod_name"],
  ["namespace", "namespace_name"],
  ["uid", "pod_id"],
  ["poduid", "pod_id"],
  ["pod-uid", "pod_id"],
  ["nodename", "host"],
  ["node-name", "host"],
  ["node", "host"],
]);

/** Which labels and annotations are wanted: patterns of their keys, in which * stands for any characters. */
export type WantedPairs = { readonly labels: readonly string[]; readonly annotations: readonly string[] };

/** Fields from the files of a downward-API volume (name -> content). `labels` and `annotations` have the volume's own `key="value"` lines. */
export function metadataFromFiles(files: ReadonlyMap<string, string>, wanted: WantedPairs): PodMetadata {
  const fields: Record<string, MsgpackValue> = {};
  for (const [name, content] of files) {
    const lower = name.toLowerCase();
    if (lower === "labels" || lower === "annotations") {
      const pairs = Object.entries(parseQuotedPairs(content)).filter(([key]) => matchesTag(key, wanted[lower]));
      if (pairs.length > 0) fields[lower] = Object.fromEntries(pairs);
      continue;
    }
    const field = fileFields.get(lower);
    if (field !== undefined && content.trim() !== "") fields[field] = content.trim();
  }
  return fields;
}

/** Reads `key="value"` lines; the value is quoted as Go's %q does it. Lines of another form are passed over. */
export function parseQuotedPairs(text: string): Readonly<Record<string, string>> {
  const pairs: [string, string][] = [];
  for (const line of text.split("\n")) {
    const match = /^([^=]+)="(.*)"$/.exec(line.trim());
    if (match?.[1] === undefined || match[2] === undefined) continue;
    pairs.push([match[1], unquoted(match[2])]);
  }
  return Object.fromEntries(pairs);
}

const controls: ReadonlyMap<string, string> = new Map([["a", "\u0007"], ["b", "\b"], ["f", "\f"], ["n", "\n"], ["r", "\r"], ["t", "\t"], ["v", "\v"]]);

function unquoted(text: string): string {
  return text.replaceAll(/\\(?:x([0-9a-f]{2})|u([0-9a-f]{4})|U([0-9a-f]{8})|(.))/g, (_, byte?: string, unit?: string, point?: string, character: string = "") => {
    const code = byte ?? unit ?? point;
    if (code === undefined) return controls.get(character) ?? character;
    return String.fromCodePoint(Math.min(Number.parseInt(code, 16), 0x10_ffff));
  });
}

/** Encodes the pairs that every record gets, once. */
export function encodeExtraPairs(pairs: Readonly<Record<string, MsgpackValue>>): ExtraPairs {
  const writer = new MsgpackWriter(256);
  const entries = Object.entries(pairs);
  for (const [key, value] of entries) {
    writer.string(key);
    writer.value(value);
  }
  return { count: entries.length, bytes: writer.copy() };
}
