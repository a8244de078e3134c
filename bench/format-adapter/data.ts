// The same records as CSV, NDJSON and a JSON array, and what is to become of them, each written by itself: no converter makes its own yardstick.
import { closeSync, copyFileSync, mkdirSync, openSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";

export const columns = ["id", "created_at", "customer_name", "email", "amount", "qty", "status", "country", "active", "note", "ratio", "ref"] as const;

const names = ["Anna Müller", "José García", "李小龙", "O'Brien, Pat", 'Smith "Bob" Jr.', "Zoë Ångström", "Иван Петров", "محمد", "Plain Name", "John Doe", "Jane Roe", "Grace 🎉 Hopper"];
const states = ["NEW", "PAID", "SHIPPED", "RETURNED", "CANCELLED"];
const countries = ["DE", "US", "FR", "CN", "BR", "RU", "SE", "JP"];
const words = "lorem ipsum dolor sit amet consectetur adipiscing elit sed do eiusmod tempor incididunt ut labore".split(" ");

export type DataFiles = Readonly<Record<"csv" | "ndjson" | "json" | "renamed", string>>;

const quoted = (value: string): string => (/[",\n\r]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value);

/** Pseudo-random numbers, the same at every run. */
function createRandom(): () => number {
  let state = 123_456_789;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 4_294_967_296;
  };
}

function makeNote(random: () => number): string {
  const text = Array.from({ length: 1 + Math.floor(random() * 8) }, () => words[Math.floor(random() * words.length)] ?? "").join(" ");
  const turn = random();
  return turn < 0.05 ? `${text}, said "yes"` : turn < 0.07 ? `${text}\nsecond line` : turn < 0.1 ? `${text} \\ tab\there` : text;
}

/** Writes `records` records of about 150 bytes of CSV each. */
export function writeData(directory: string, records: number): DataFiles {
  mkdirSync(directory, { recursive: true });
  const files: DataFiles = { csv: join(directory, "orders.csv"), ndjson: join(directory, "orders.ndjson"), json: join(directory, "orders.json"), renamed: join(directory, "renamed.csv") };
  const [csv, ndjson, json, renamed] = [files.csv, files.ndjson, files.json, files.renamed].map((path) => openSync(path, "w"));
  const random = createRandom();
  const pick = (choices: readonly string[]): string => choices[Math.floor(random() * choices.length)] ?? "";
  let texts = { csv: `${columns.join(",")}\n`, ndjson: "", json: "[", renamed: "order_id,created,customer,total,status,country,note\n" };
  const flush = (): void => {
    for (const [file, text] of [[csv, texts.csv], [ndjson, texts.ndjson], [json, texts.json], [renamed, texts.renamed]] as const) writeSync(file ?? 0, text);
    texts = { csv: "", ndjson: "", json: "", renamed: "" };
  };
  for (let index = 0; index < records; index++) {
    const id = String(9_007_199_254_740_993n + BigInt(index) * 7n);
    const created = new Date(Date.UTC(2025, 0, 1) + index * 1371).toISOString();
    const cents = Math.floor(random() * 1_000_000);
    const money = (value: number): string => `${Math.floor(value / 100)}.${String(value % 100).padStart(2, "0")}`;
    const qty = Math.floor(random() * 100);
    const [name, status, country, active, note] = [pick(names), pick(states), pick(countries), random() < 0.5 ? "true" : "false", makeNote(random)];
    const [ratio, ref] = [(random() * 2).toFixed(6), `R-${Math.floor(random() * 1e9).toString(36).toUpperCase()}`];
    texts.csv += `${id},${created},${quoted(name)},user${index}@example.com,${money(cents)},${qty},${status},${country},${active},${quoted(note)},${ratio},${ref}\n`;
    const record = `{"id":${id},"created_at":"${created}","customer_name":${JSON.stringify(name)},"email":"user${index}@example.com","amount":${money(cents)},"qty":${qty},"status":"${status}","country":"${country}","active":"${active}","note":${JSON.stringify(note)},"ratio":${ratio},"ref":"${ref}"}`;
    texts.ndjson += `${record}\n`;
    texts.json += `${index === 0 ? "\n" : ",\n"}${record}`;
    texts.renamed += `${id},${created},${quoted(name)},${money(cents * qty)},${status},${country},${quoted(note)}\n`;
    if (texts.ndjson.length > 4e6) flush();
  }
  texts.json += "\n]\n";
  flush();
  for (const file of [csv, ndjson, json, renamed]) closeSync(file ?? 0);
  return files;
}

/** The CSV over and over with one header, until it has at least so many bytes. */
export function repeatCsv(source: string, target: string, bytes: number): void {
  const content = readFileSync(source);
  copyFileSync(source, target);
  const body = content.subarray(content.indexOf(10) + 1);
  const file = openSync(target, "a");
  for (let written = content.length; written < bytes; written += body.length) writeSync(file, body);
  closeSync(file);
}
