// pure
import { nearest } from "../kit/nearest.ts";
import { allKinds, findResource, pods, services } from "../orchestrator/api/types/kinds.ts";
import type { ApiObject, KindDefinition } from "../orchestrator/api/types/meta.ts";
import { usageFailure } from "./failure.ts";

/** What a command line asks for: whole kinds, or objects by name. */
export type Request = { readonly kind: KindDefinition<ApiObject>; readonly names: readonly string[] };

/** "pods web api", "pods,services", "pod/web svc/web", "all", "all,configmaps"; a kind named twice is asked for once. Throws CliFailure (64) naming the word that is no kind. */
export function parseRequests(words: readonly string[]): readonly Request[] {
  if (words.some((word) => word.includes("/"))) return words.map(parseSlashed);
  const [kindWords = "", ...names] = words;
  const kinds = [...new Set(kindWords.split(",").flatMap((word) => (word === "all" ? [pods, services] : [kindOf(word)])))];
  if (kinds.length > 1 && names.length > 0) throw usageFailure(`Cannot take names for several kinds at once: got ${kindWords} ${names.join(" ")}`, "write them as kind/name");
  return kinds.map((kind) => ({ kind, names }));
}

function parseSlashed(word: string): Request {
  const [kindWord = "", name = "", ...more] = word.split("/");
  if (kindWord === "" || name === "" || more.length > 0) throw usageFailure(`Cannot read "${word}": must be kind/name, and then all of them`);
  return { kind: kindOf(kindWord), names: [name] };
}

export function kindOf(word: string): KindDefinition<ApiObject> {
  const kind = findResource(word);
  if (kind !== undefined) return kind;
  const words = allKinds.flatMap((candidate) => [candidate.plural, candidate.kind.toLowerCase()]);
  const meant = nearest(word, words);
  throw usageFailure(`podkit has no kind "${word}"`, meant === undefined ? `kinds are ${allKinds.map((candidate) => candidate.plural).join(", ")}` : `Did you mean "${meant}"?`);
}

/** The name in "web", "pod/web" or "pods/web". Throws CliFailure (64) for another kind. */
export function podNameOf(word: string): string {
  if (!word.includes("/")) return word;
  const request = parseSlashed(word);
  if (request.kind.kind !== "Pod") throw usageFailure(`"${word}" is no Pod`);
  return request.names[0] ?? "";
}
