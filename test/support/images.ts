import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseImageList, type ImageRecord } from "../../images/image-list.ts";

const root = join(import.meta.dirname, "../..");

/**
 * The reference of an image of ours as the last set-up left it on the engine. Throws when it is not there: a test never pulls.
 * The names are those of images/roles.ts and images/kinds.ts.
 */
export function image(name: string): string {
  const record = imageRecords().get(name);
  if (record === undefined) throw new Error(`Cannot find image "${name}" in .podkit/images.json: expected one of ${[...imageRecords().keys()].join(", ") || "none"}. Remedy: npm run images`);
  return record.reference;
}

/** All that the last set-up made: name -> reference and content hash. Empty when there was none; image() says the remedy. */
export function imageRecords(): ReadonlyMap<string, ImageRecord> {
  const path = join(root, ".podkit/images.json");
  return new Map(existsSync(path) ? Object.entries(parseImageList(readFileSync(path, "utf8"))) : []);
}
