// pure
import type { ShipperConfig } from "../config.ts";
import type { LineConfig } from "../sources/line-config.ts";
import { headBytesMax } from "../tail/tail-state.ts";
import { Core, coreIsAvailable, extraBytesMax } from "./core.ts";

type Lines = ShipperConfig["lines"];

/** Whether the hot core does what the source needs, for UTF-8. */
export function fitsCore(source: Pick<LineConfig, "format" | "container" | "multiline">, lines: Pick<Lines, "tooLong">): source is Pick<LineConfig, "container" | "multiline"> & { readonly format: "raw" | "json" } {
  return (source.format === "raw" || source.format === "json") && source.container === "none" && source.multiline === undefined && lines.tooLong !== "drop";
}

/** Container runtimes divide lines at 16 KiB; the longest that they write then, each byte escaped, is kept whole whatever the limit. */
const containerLineMax = 131_072;

/** The longest line of the file that is kept whole. */
export function fileLineMax({ container }: Pick<LineConfig, "container">, lines: Pick<Lines, "maxBytes">): number {
  return container === "none" ? lines.maxBytes : Math.max(lines.maxBytes, containerLineMax);
}

/** How much the reader puts before an encoder at most. */
export function readBytesMax({ chunk, lines }: Pick<ShipperConfig, "chunk" | "lines">, sources: readonly Pick<LineConfig, "container">[]): number {
  return headBytesMax + chunk.maxBytes + Math.max(lines.maxBytes, ...sources.map((source) => fileLineMax(source, lines))) + 8;
}

/** The core for these settings, or undefined when neither a source nor a filter has a use for it. */
export function createCore(config: Pick<ShipperConfig, "chunk" | "lines" | "core" | "filters">, sources: readonly LineConfig[]): Core | undefined {
  if (config.core !== "wasm" || !coreIsAvailable() || (config.filters.length === 0 && !sources.some((source) => fitsCore(source, config.lines)))) return undefined;
  // The reader stops a range at twice the chunk's size; JSON grows threefold at most.
  return new Core({ inputBytes: readBytesMax(config, sources), outputBytes: config.chunk.maxBytes * 2 + config.lines.maxBytes * 3 + extraBytesMax + 1_024 });
}
