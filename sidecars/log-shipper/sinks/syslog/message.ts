// pure
import { recordId, type Chunk } from "../../delivery/chunk.ts";
import { EntryTime } from "../entry.ts";
import { IsoTimes } from "../iso-time.ts";
import { JsonText } from "../json-text.ts";
import { LineText } from "../line-text.ts";
import { severityNumber } from "../severity.ts";
import { FieldFinder, fillTemplate, parseTemplate, type Template } from "../template.ts";

/** In the order of their codes (RFC 5424, table 1). */
export const facilities = ["kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp", "ntp", "audit", "alert", "clock", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7"] as const;
/** In the order of their codes (RFC 5424, table 2). */
export const severities = ["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"] as const;

export type SyslogMessageOptions = {
  readonly facility: (typeof facilities)[number];
  readonly severity: (typeof severities)[number];
  readonly severityFields: readonly string[];
  readonly hostname: string;
  readonly appName: string;
  readonly procId: string;
  readonly msgId: string;
  readonly structuredData: Readonly<Record<string, string>>;
  readonly structuredDataId: string;
  readonly omit: readonly string[];
  readonly lineField: string;
};

/** What is wrong with an SD-NAME, or undefined. */
export function structuredNameFault(name: string): string | undefined {
  return /^[!#-<>-\\^-~]{1,32}$/.test(name) ? undefined : "1 to 32 printable characters without space, =, ] and quotes";
}

/** The header's fields with the longest that RFC 5424 allows. */
const headerFields = [["hostname", 255], ["appName", 48], ["procId", 128], ["msgId", 32]] as const;

/**
 * Records as messages of RFC 5424, each after its length in bytes and a space (RFC 6587, octet counting): the text of a record may
 * have line breaks. Times are to the microsecond, in UTC. The text is UTF-8 without a byte order mark, which many receivers would
 * take for a part of it. The same chunk always gives the same bytes.
 */
export class SyslogMessages {
  readonly #options: SyslogMessageOptions;
  readonly #out = new JsonText();
  readonly #message = new JsonText(4_096);
  readonly #time = new EntryTime();
  readonly #times = new IsoTimes();
  readonly #line: LineText;
  readonly #header: readonly { readonly template: Template; readonly charactersMax: number }[];
  readonly #parameters: readonly { readonly name: string; readonly template: Template }[];
  readonly #finder: FieldFinder;
  readonly #idWanted: boolean;
  #tag: string | undefined;
  #priority = "";
  /** From the host name to the message id. */
  #names = "";

  constructor(options: SyslogMessageOptions) {
    this.#options = options;
    this.#line = new LineText(options);
    this.#header = headerFields.map(([field, charactersMax]) => ({ template: parseTemplate(options[field]), charactersMax }));
    this.#parameters = Object.entries(options.structuredData).map(([name, source]) => ({ name, template: parseTemplate(source) }));
    const templates = [...this.#header, ...this.#parameters].map(({ template }) => template);
    this.#finder = new FieldFinder([...templates, ...options.severityFields.map((field) => parseTemplate(`{${field}}`))]);
    this.#idWanted = templates.some(({ parts }) => parts.some(({ kind }) => kind === "id"));
  }

  /** All records of the chunk; the caller's own bytes. */
  encode(chunk: Chunk): Buffer {
    const out = this.#out, message = this.#message;
    out.reset();
    for (let at = 0, index = 0; at < chunk.entries.length; index++) {
      const mapAt = this.#time.read(chunk.entries, at);
      const same = this.#finder.find(chunk.entries, mapAt) && chunk.tag === this.#tag;
      if (!same || this.#idWanted) this.#prepare(chunk, index);
      message.reset();
      message.ascii(this.#priority);
      message.ascii(this.#times.upToSecond(this.#time.seconds));
      message.ascii(String(Math.floor(this.#time.nanoseconds / 1_000)).padStart(6, "0"));
      message.utf8(this.#names);
      this.#line.read(chunk.entries, mapAt);
      message.raw(this.#line.plain());
      out.ascii(`${message.length} `);
      out.raw(message.bytes());
      at = this.#finder.end;
    }
    return out.copy();
  }

  #prepare(chunk: Chunk, index: number): void {
    const { facility, severity, severityFields } = this.#options;
    this.#tag = chunk.tag;
    const level = severityFields.map((field) => this.#finder.text([field])).find((text) => text !== undefined);
    const code = (level === undefined ? undefined : severityCode(level)) ?? severities.indexOf(severity);
    this.#priority = `<${facilities.indexOf(facility) * 8 + code}>1 `;
    const fill = (template: Template): string => fillTemplate(template, { tag: chunk.tag, id: () => recordId(chunk.origin, index), field: (path) => this.#finder.text(path) }) ?? "";
    const header = this.#header.map(({ template, charactersMax }) => headerText(fill(template), charactersMax)).join(" ");
    const parameters = this.#parameters.map(({ name, template }) => ({ name, value: fill(template) })).filter(({ value }) => value !== "");
    const data = parameters.map(({ name, value }) => ` ${name}="${value.replaceAll(/["\\\]]/g, String.raw`\$&`)}"`).join("");
    this.#names = `Z ${header} ${data === "" ? "-" : `[${this.#options.structuredDataId}${data}]`} `;
  }
}

/** A level's severity, or undefined when nobody knows the level. */
function severityCode(level: string): number | undefined {
  const number = severityNumber(level);
  if (number === 0) return undefined;
  return codeBySeverityNumber.find(([least]) => number >= least)?.[1];
}

/** From which of OpenTelemetry's severity numbers on which code of syslog. */
const codeBySeverityNumber = [[22, 0], [21, 2], [19, 1], [18, 2], [17, 3], [13, 4], [10, 5], [9, 6], [1, 7]] as const;

/** Printable ASCII without spaces; "-" stands for nothing. */
function headerText(text: string, charactersMax: number): string {
  return text.slice(0, charactersMax).replaceAll(/[^!-~]/g, "_") || "-";
}
