// pure
/** What a shipper is to do with the lines. `kept`: filters leave a part of them out. */
export type Case = { readonly id: "raw" | "json" | "shaped" | "gzip"; readonly title: string; readonly kept: boolean };

export const cases: readonly Case[] = [
  { id: "raw", title: "raw lines", kept: false },
  { id: "json", title: "JSON parsed", kept: false },
  { id: "shaped", title: "JSON parsed, three filters, Pod metadata", kept: true },
  { id: "gzip", title: "raw lines, gzip", kept: false },
];
