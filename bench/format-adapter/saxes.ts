// XML records to NDJSON by saxes, as one would write it by hand: node saxes.ts INPUT OUTPUT
import { closeSync, openSync, readSync, writeSync } from "node:fs";
import { StringDecoder } from "node:string_decoder";
import { SaxesParser } from "saxes";

const bare: ReadonlySet<string> = new Set(["amount", "qty", "ratio"]);
const [input = "", output = ""] = process.argv.slice(2);
const target = openSync(output, "w");
const parser = new SaxesParser();
let out = "";
let record = "";
let text = "";
let depth = 0;
parser.on("opentag", ({ attributes }) => {
  depth++;
  text = "";
  if (depth === 2) record = `{"id":${attributes["id"] ?? ""}`;
});
parser.on("text", (part) => (text += part));
parser.on("cdata", (part) => (text += part));
parser.on("closetag", ({ name }) => {
  if (depth === 3) record += `,"${name}":${bare.has(name) ? text : JSON.stringify(text)}`;
  else if (depth === 2) out += `${record}}\n`;
  depth--;
  if (out.length > 1_000_000) {
    writeSync(target, out);
    out = "";
  }
});
const source = openSync(input, "r");
const block = Buffer.allocUnsafe(1_048_576);
const decoder = new StringDecoder("utf8");
for (let count = readSync(source, block); count > 0; count = readSync(source, block)) parser.write(decoder.write(block.subarray(0, count)));
parser.close();
writeSync(target, out);
closeSync(source);
closeSync(target);
