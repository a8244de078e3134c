// pure
import type { ShipperConfig } from "../config.ts";
import type { MsgpackWriter } from "../forward-protocol/msgpack-writer.ts";
import type { TailSourceConfig } from "../sources/tail-config.ts";
import { LineEncoder } from "./line-encoder.ts";
import type { RangeEncoder } from "./range-encoder.ts";

/** The encoder for a source's settings. The writer may be shared by encoders that are never used at the same time. */
export function createEncoder(source: Pick<TailSourceConfig, "format">, { lines }: Pick<ShipperConfig, "lines">, writer: MsgpackWriter): RangeEncoder {
  return new LineEncoder({ format: source.format, lineMax: lines.maxBytes, longLines: lines.tooLong, writer });
}
