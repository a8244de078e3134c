// pure
import { ConversionError } from "../conversion-error.ts";
import { belongsTo, metricTypes, type ExpositionFormat, type MetricType } from "./exposition.ts";
import { countLineEnds } from "./line-ends.ts";
import { readerLimitsDefault, type RecordHandler, type RecordReader } from "./row.ts";
import { numberLeaf, RecordSink, type Tree } from "./tree.ts";

type Described = { name: string; type: MetricType | undefined; help: string | undefined; unit: string | undefined };

/**
 * Reads metrics, one record a sample: `name`, `labels` (an object), `value`, `timestamp`, `type`, `help`, `unit`; what is not said is null. Numbers
 * keep their digits; NaN and infinities are text. Exemplars are passed over. OpenMetrics ends with "# EOF" and is INCOMPLETE without it.
 */
export function createExpositionReader(format: ExpositionFormat, handler: RecordHandler): RecordReader {
  const sink = new RecordSink(handler, readerLimitsDefault);
  const { recordCharsMax } = readerLimitsDefault;
  let family: Described = { name: "", type: undefined, help: undefined, unit: undefined };
  let rest = "";
  let line = 1;
  let hasEnded = false;

  const comment = (text: string): void => {
    const [, word = "", name = "", value = ""] = /^#[ \t]+(HELP|TYPE|UNIT)[ \t]+("(?:[^"\\]|\\.)*"|[^ \t]+)(?:[ \t]+(.*))?$/.exec(text) ?? [];
    if (word === "") return;
    const plain = name.startsWith('"') ? unescape(name.slice(1, -1)) : name;
    if (plain !== family.name) family = { name: plain, type: undefined, help: undefined, unit: undefined };
    if (word === "HELP") family.help = unescape(value);
    else if (word === "UNIT") family.unit = value;
    else family.type = typeOf(value.trim(), line);
  };
  const take = (text: string): void => {
    const content = text.trim();
    if (hasEnded) throw new ConversionError("SYNTAX", "something stands behind # EOF", { line, sample: content });
    if (format === "openmetrics" && content === "# EOF") hasEnded = true;
    else if (content.startsWith("#")) comment(content);
    else if (content !== "") {
      const sample = parseSample(content, line);
      const isOwn = belongsTo(sample.name, family.name, family.type ?? "unknown");
      const told = (value: string | undefined): Tree => (!isOwn || value === undefined ? { kind: "null", text: "null" } : { kind: "text", text: value });
      sink.take({ kind: "map", line, entries: new Map<string, Tree>([
        ["name", { kind: "text", text: sample.name }],
        ["labels", { kind: "map", line, entries: new Map(sample.labels.map(([name, value]) => [name, { kind: "text", text: value }])) }],
        ["value", numberLeaf(sample.value)],
        ["timestamp", sample.timestamp === undefined ? { kind: "null", text: "null" } : numberLeaf(sample.timestamp)],
        ["type", told(family.type)],
        ["help", told(family.help)],
        ["unit", told(family.unit)],
      ]) });
    }
    line += countLineEnds(text);
  };
  return {
    push(text) {
      const lines = (rest + text).split(/(?<=\n)/);
      const last = lines.pop() ?? "";
      if (last.endsWith("\n")) lines.push(last);
      rest = last.endsWith("\n") ? "" : last;
      for (const each of lines) take(each);
      if (rest.length > recordCharsMax) throw new ConversionError("LIMIT", `a line is longer than ${recordCharsMax} characters`, { line, sample: rest });
    },
    end({ takeUnfinished }) {
      if (rest !== "" && !takeUnfinished) throw new ConversionError("INCOMPLETE", "the last line has no end", { line, sample: rest });
      if (rest !== "") take(rest);
      if (format === "openmetrics" && !hasEnded) throw new ConversionError("INCOMPLETE", "# EOF is not there", { line });
    },
  };
}

function typeOf(word: string, line: number): MetricType {
  const type = word === "untyped" ? "unknown" : metricTypes.find((each) => each === word);
  if (type === undefined) throw new ConversionError("SYNTAX", "not a type of metrics", { line, sample: word });
  return type;
}

type ParsedSample = { readonly name: string; readonly labels: readonly (readonly [string, string])[]; readonly value: string; readonly timestamp: string | undefined };

const labelForm = /[ \t]*(?:([a-zA-Z_][a-zA-Z0-9_]*)|"((?:[^"\\]|\\.)*)")[ \t]*(?:=[ \t]*"((?:[^"\\]|\\[^])*)")?[ \t]*(,|\})/y;

function parseSample(text: string, line: number): ParsedSample {
  const fail = (message: string): ConversionError => new ConversionError("SYNTAX", `not a sample: ${message}`, { line, sample: text });
  let name = /^[a-zA-Z_:][a-zA-Z0-9_:]*/.exec(text)?.[0] ?? "";
  let at = name.length + (/^[ \t]*(?=\{)/.exec(text.slice(name.length))?.[0].length ?? 0);
  const labels: [string, string][] = [];
  if (text[at] === "{") {
    const isEmpty = /^\{[ \t]*\}/.exec(text.slice(at));
    at += isEmpty?.[0].length ?? 1;
    for (let isOpen = isEmpty === null; isOpen; ) {
      const behindComma = /^[ \t]*\}/.exec(text.slice(at));
      if (behindComma !== null && labels.length > 0) {
        at += behindComma[0].length;
        break;
      }
      labelForm.lastIndex = at;
      const found = labelForm.exec(text);
      if (found === null) throw fail("its labels are wrong");
      const [whole, plain, quoted, value, next] = found;
      const label = plain ?? unescape(quoted ?? "");
      // A name that is not of letters stands first among the labels.
      if (value === undefined && quoted !== undefined && name === "") name = label;
      else if (value === undefined) throw fail("a label has no value");
      else if (labels.some(([other]) => other === label)) throw new ConversionError("COLUMN", `the label "${label}" appears twice`, { line, column: label });
      else labels.push([label, unescape(value)]);
      at += whole.length;
      isOpen = next === ",";
    }
  }
  if (name === "") throw fail("it has no name");
  const behind = /^[ \t]*([^ \t]+)(?:[ \t]+([+-]?[0-9.]+))?[ \t]*(?:#.*)?$/.exec(text.slice(at));
  const [, value = "", timestamp] = behind ?? [];
  if (!/^(?:[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?|NaN|[+-]?Inf)$/i.test(value)) throw fail("its value is not a number");
  return { name, labels, value, timestamp };
}

function unescape(text: string): string {
  return text.replace(/\\([\\"n])/g, (_, letter: string) => (letter === "n" ? "\n" : letter));
}
