// pure
import type { ShipperConfig } from "../config.ts";
import type { TailSourceConfig } from "../sources/tail-config.ts";
import { tailBytesMax } from "../tail-state.ts";
import { Core, coreIsAvailable, extraBytesMax } from "./core.ts";

/** Whether the hot core does what the source needs. */
export function fitsCore(source: Pick<TailSourceConfig, "format">): source is { readonly format: "raw" | "json" } {
  return source.format === "raw" || source.format === "json";
}

/** How much the reader puts before an encoder at most. */
export function readBytesMax({ chunk, lines }: Pick<ShipperConfig, "chunk" | "lines">): number {
  return tailBytesMax + chunk.maxBytes + lines.maxBytes + 8;
}

/** The core for these settings, or undefined when no source has a use for it. */
export function createCore(config: Pick<ShipperConfig, "chunk" | "lines" | "core">, sources: readonly Pick<TailSourceConfig, "format">[]): Core | undefined {
  if (config.core !== "wasm" || !coreIsAvailable() || !sources.some(fitsCore)) return undefined;
  // The reader stops a range at twice the chunk's size; JSON grows threefold at most.
  return new Core({ inputBytes: readBytesMax(config), outputBytes: config.chunk.maxBytes * 2 + config.lines.maxBytes * 3 + extraBytesMax + 1_024 });
}
