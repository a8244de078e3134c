import { readFileSync } from "node:fs";

/** What the images' labels say of the package: its version and where its source is published ("unpublished" when nowhere yet). */
export function packageDescription(path: string): { readonly version: string; readonly source: string } {
  const fields = fieldsOf(JSON.parse(readFileSync(path, "utf8")));
  const version = fields.get("version");
  if (typeof version !== "string") throw new Error(`Cannot read ${path}: "version" is not a string`);
  const repository = fields.get("repository");
  const url = typeof repository === "string" ? repository : fieldsOf(repository).get("url");
  return { version, source: typeof url === "string" ? url : "unpublished" };
}

function fieldsOf(value: unknown): ReadonlyMap<string, unknown> {
  return new Map<string, unknown>(typeof value === "object" && value !== null ? Object.entries(value) : []);
}
