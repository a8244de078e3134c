// pure
import type { ShipperConfig } from "../config.ts";
import { fitsCore } from "../core/create-core.ts";
import type { Core } from "../core/core.ts";
import type { MsgpackWriter } from "../forward-protocol/msgpack-writer.ts";
import type { TailSourceConfig } from "../sources/tail-config.ts";
import { FastEncoder } from "./fast-encoder.ts";
import { LineEncoder } from "./line-encoder.ts";
import type { RangeEncoder } from "./range-encoder.ts";

/** Memory that encoders share: they are never used at the same time. Without a core everything is done in TypeScript. */
export type EncoderMemory = { readonly writer: MsgpackWriter; readonly core: Core | undefined };

/** The encoder for a source's settings. */
export function createEncoder(source: Pick<TailSourceConfig, "format" | "regexp">, { lines }: Pick<ShipperConfig, "lines">, { writer, core }: EncoderMemory): RangeEncoder {
  const options = { lineMax: lines.maxBytes, longLines: lines.tooLong, writer };
  if (core !== undefined && fitsCore(source)) return new FastEncoder({ ...options, core, format: source.format });
  return new LineEncoder({ ...options, format: source.format, regexp: source.regexp });
}
