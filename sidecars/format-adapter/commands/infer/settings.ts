// pure
type Settings = Readonly<Record<string, unknown>>;
/** How a sample is read (`in:`), and how reports of its form are written (`out:`, but for the file). */
export type FormatSettings = { readonly input: Settings; readonly output: Settings };

/** What the beginning of a sample tells of its format; `named` is the format when it is known. Undefined when nothing is recognised. */
export function settingsOf(named: string, start: string): FormatSettings | undefined {
  const format = named === "" ? formatOf(start) : named;
  if (format === undefined) return undefined;
  if (format === "csv" || format === "tsv") return csvSettings(format, start);
  if (format === "xml") return xmlSettings(start);
  return { input: { format }, output: { format } };
}

function formatOf(start: string): string | undefined {
  const text = start.replace(/^\ufeff/, "").trimStart();
  if (text.startsWith("PAR1")) return "parquet";
  if (text.startsWith("<")) return "xml";
  if (text.startsWith("[") && !/^\[[^"\]{[]*\]\s*\n/.test(text)) return "json";
  if (text.startsWith("{")) return "ndjson";
  return /^[^\n]*[,;\t|]/.test(text) ? "csv" : undefined;
}

const delimiters = [",", ";", "\t", "|"];

function csvSettings(format: "csv" | "tsv", start: string): FormatSettings {
  const text = start.replace(/^\ufeff/, "");
  const header = text.slice(0, Math.max(0, text.search(/\r?\n|\r|$/))).replaceAll(/"(?:[^"]|"")*"/g, '""');
  const counts = delimiters.map((delimiter) => ({ delimiter, count: header.split(delimiter).length })).toSorted((left, right) => right.count - left.count);
  const usual = format === "tsv" ? "\t" : ",";
  const delimiter = (counts[0]?.count ?? 1) > 1 ? (counts[0]?.delimiter ?? usual) : usual;
  const input = { format, ...(delimiter === usual ? {} : { delimiter }) };
  const quotesAll = header !== "" && header.split(delimiter).every((name) => name === '""');
  return { input, output: { ...input, ...(/^[^\n]*\r\n/.test(text) ? { eol: "crlf" } : {}), ...(start.startsWith("\ufeff") ? { bom: true } : {}), ...(quotesAll ? { quote: "all" } : {}) } };
}

const token = /<!--[^]*?-->|<!\[CDATA\[[^]*?\]\]>|<[?!][^>]*>|<(\/?)([^\s/>]+)(?:"[^"]*"|'[^']*'|[^>"'])*?(\/?)>/g;

/** The records are the first elements that come more than once beside each other, else those right below the root. */
function xmlSettings(start: string): FormatSettings | undefined {
  const path: string[] = [];
  const counts = new Map<string, number>();
  for (const [, close, name, empty] of start.matchAll(token)) {
    if (name === undefined) continue;
    if (close === "/") {
      path.pop();
      continue;
    }
    path.push(name);
    const key = path.join("/");
    counts.set(key, (counts.get(key) ?? 0) + 1);
    if (empty === "/") path.pop();
  }
  const below = [...counts].filter(([key]) => key.includes("/")).map(([key, count]) => ({ key, count, depth: key.split("/").length }));
  const records = below.filter(({ count }) => count > 1).toSorted((left, right) => left.depth - right.depth)[0] ?? below[0];
  if (records === undefined) return undefined;
  const [root = "records", ...rest] = records.key.split("/");
  return { input: { format: "xml", records: `/${records.key}` }, output: { format: "xml", root, record: rest.at(-1) ?? "record" } };
}
