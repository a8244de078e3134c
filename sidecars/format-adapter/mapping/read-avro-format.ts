// pure
import { isAvroName, isAvroNamespace } from "../formats/avro/avro-layout.ts";
import { bytesForms } from "../formats/avro/avro-values.ts";
import { writeCodecs } from "../formats/avro/avro-writer.ts";
import type { InputOptions, OutputOptions } from "../formats/options.ts";
import type { Parts, Settings } from "./read-format.ts";

export const avroInput: Settings<InputOptions> = {
  keys: ["bytes"],
  read: (_, parts) => ({ format: "avro", bytes: parts.get("bytes")?.oneOf(bytesForms) ?? "utf8" }),
};

export const avroOutput: Settings<OutputOptions> = {
  keys: ["codec", "name", "namespace", "doc"],
  read: (_, parts) => ({
    format: "avro",
    codec: parts.get("codec")?.oneOf(writeCodecs) ?? "deflate",
    name: named(parts, "name", isAvroName, "a name of letters, digits and _, no digit first") ?? "Record",
    namespace: named(parts, "namespace", isAvroNamespace, "names with points between them, such as com.example"),
    doc: parts.get("doc")?.text("a text"),
  }),
};

function named(parts: Parts, key: string, isRight: (text: string) => boolean, what: string): string | undefined {
  const place = parts.get(key);
  const text = place?.text(what);
  if (text !== undefined && !isRight(text)) place?.problem(`expected ${what}, got "${text}"`);
  return text;
}
