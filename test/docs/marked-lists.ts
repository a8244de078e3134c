import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { kubernetesLists } from "./kubernetes-lists.ts";
import { podkitLists } from "./podkit-lists.ts";

export const regenerate = "node test/docs/marked-lists.ts";
const docs = join(import.meta.dirname, "../../docs");

export type Lists = ReadonlyMap<string, string>;
export const documents: readonly { readonly name: string; readonly path: string; readonly lists: () => Lists }[] = [
  { name: "docs/kubernetes.md", path: join(docs, "kubernetes.md"), lists: kubernetesLists },
  { name: "docs/podkit.md", path: join(docs, "podkit.md"), lists: podkitLists },
];

/** The text with what lies between the markers of each list replaced by the list. Throws when a marker is missing. */
export function withLists(text: string, lists: Lists): string {
  let result = text;
  for (const [name, list] of lists) {
    const begin = `<!-- list ${name} -->\n`;
    const end = "\n<!-- end -->";
    const from = result.indexOf(begin);
    const to = result.indexOf(end, from);
    if (from === -1 || to === -1) throw new Error(`The document has no "${begin.trim()}" followed by "${end.trim()}"`);
    result = `${result.slice(0, from + begin.length)}${list}${result.slice(to)}`;
  }
  return result;
}

if (process.argv[1] === import.meta.filename) for (const { path, lists } of documents) writeFileSync(path, withLists(readFileSync(path, "utf8"), lists()));
