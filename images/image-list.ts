import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { dirname } from "node:path";

/** What a built or pulled image is called, what its content hash is and how it was had. */
export type ImageRecord = { readonly reference: string; readonly hash: string; readonly how: string };
export type ImageList = Readonly<Record<string, ImageRecord>>;

/** Reads the list that the last set-up wrote; empty when there was none or it cannot be read (the set-up then writes it anew). */
export async function readImageList(path: string): Promise<ImageList> {
  return parseImageList(await readFile(path, "utf8").catch(() => "{}"));
}

/** The records in the text of a list; empty when it is cut or something else. */
export function parseImageList(text: string): ImageList {
  try {
    return imageListOf(JSON.parse(text));
  } catch {
    return {}; // every image is then looked up and recorded again
  }
}

/** Adds records to the list, replacing those of the same name. */
export async function recordImages(path: string, records: ImageList): Promise<void> {
  const all = { ...(await readImageList(path)), ...records };
  const sorted = Object.fromEntries(Object.entries(all).toSorted(([a], [b]) => (a < b ? -1 : 1)));
  await mkdir(dirname(path), { recursive: true });
  await writeFile(`${path}.next`, `${JSON.stringify(sorted, undefined, 2)}\n`);
  await rename(`${path}.next`, path);
}

function imageListOf(value: unknown): ImageList {
  if (typeof value !== "object" || value === null) return {};
  return Object.fromEntries(Object.entries(value).flatMap(([name, record]): [string, ImageRecord][] => (isRecord(record) ? [[name, record]] : [])));
}

function isRecord(value: unknown): value is ImageRecord {
  if (typeof value !== "object" || value === null) return false;
  const fields = new Map<string, unknown>(Object.entries(value));
  return ["reference", "hash", "how"].every((name) => typeof fields.get(name) === "string");
}
