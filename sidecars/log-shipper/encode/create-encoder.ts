// pure
import type { ShipperConfig } from "../config.ts";
import { fileLineMax, fitsCore } from "../core/create-core.ts";
import type { Core } from "../core/core.ts";
import type { MsgpackWriter } from "../forward-protocol/msgpack-writer.ts";
import type { LineConfig } from "../sources/line-config.ts";
import type { Encoding } from "./encoding.ts";
import { FastEncoder } from "./fast-encoder.ts";
import { GroupEncoder } from "./group-encoder.ts";
import { LineEncoder } from "./line-encoder.ts";
import type { EncodedRange, EncodeRequest, RangeEncoder } from "./range-encoder.ts";

/** Memory that encoders share: they are never used at the same time. Without a core everything is done in TypeScript. */
export type EncoderMemory = { readonly writer: MsgpackWriter; readonly core: Core | undefined };

type Lines = Pick<ShipperConfig, "lines">;

/** The encoder for a source's settings. */
export function createEncoder(source: LineConfig, config: Lines, memory: EncoderMemory): RangeEncoder {
  if (source.encoding !== "auto") return encoderOf(source, source.encoding, config, memory);
  return new EncoderByContent((encoding) => encoderOf(source, encoding, config, memory));
}

function encoderOf(source: LineConfig, encoding: Encoding, config: Lines, { writer, core }: EncoderMemory): RangeEncoder {
  const { lines } = config;
  const { format, regexp, container, multiline, streamField } = source;
  const options = { lineMax: lines.maxBytes, longLines: lines.tooLong, writer };
  if (core !== undefined && encoding === "utf-8" && fitsCore(source, lines)) return new FastEncoder({ ...options, core, format: source.format });
  if (encoding === "utf-8" && container === "none" && multiline === undefined) return new LineEncoder({ ...options, format, regexp });
  return new GroupEncoder({
    ...options,
    encoding,
    container: container === "none" ? undefined : container,
    streamField: streamField === "" ? undefined : streamField,
    multiLine: multiline === undefined ? undefined : { ...multiline, waitMs: multiline.flushMs },
    parser: { format, regexp },
    fileLineMax: fileLineMax(source, lines),
  });
}

/** Leaves the encoding to each content: the request tells it. */
class EncoderByContent implements RangeEncoder {
  readonly #create: (encoding: Encoding) => RangeEncoder;
  readonly #utf8: RangeEncoder;
  readonly #others = new Map<Encoding, RangeEncoder>();

  constructor(create: (encoding: Encoding) => RangeEncoder) {
    this.#create = create;
    this.#utf8 = create("utf-8");
  }

  encode(bytes: Buffer, request: EncodeRequest): EncodedRange {
    const { encoding = "utf-8" } = request;
    if (encoding === "utf-8") return this.#utf8.encode(bytes, request);
    let other = this.#others.get(encoding);
    if (other === undefined) {
      other = this.#create(encoding);
      this.#others.set(encoding, other);
    }
    return other.encode(bytes, request);
  }
}
