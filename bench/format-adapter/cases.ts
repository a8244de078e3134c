// What is measured: a conversion, what should come of it, and how each candidate is told to do it.
import type { DataFiles } from "./data.ts";

export type Case = {
  readonly id: string;
  readonly title: string;
  readonly input: keyof DataFiles;
  /** The file that holds what should come out. */
  readonly expected: keyof DataFiles;
  /** `in`, `out` and `fields` of the adapter's mapping; `out` without its file. */
  readonly mapping: { readonly in: string; readonly out: string; readonly fields: string };
  readonly peers: Readonly<Record<string, (input: string, output: string) => readonly string[]>>;
  /** How many times less processor time than each peer the adapter is to take. */
  readonly goals: Readonly<Record<string, number>>;
};

const types = "id: 'BIGINT', created_at: 'VARCHAR', customer_name: 'VARCHAR', email: 'VARCHAR', amount: 'DECIMAL(12,2)', qty: 'BIGINT', status: 'VARCHAR', country: 'VARCHAR', active: 'VARCHAR', note: 'VARCHAR', ratio: 'DECIMAL(9,6)', ref: 'VARCHAR'";
const columns = "{id: int64, amount: decimal(2), qty: int64, ratio: decimal(6)}";
const all = "{id: id, created_at: created_at, customer_name: customer_name, email: email, amount: amount, qty: qty, status: status, country: country, active: active, note: note, ratio: ratio, ref: ref}";
const readCsv = (input: string): string => `read_csv('${input}', auto_detect=false, header=true, delim=',', quote='"', escape='"', columns={${types}})`;
const duckdb = (select: (input: string) => string, format: string) => (input: string, output: string): readonly string[] => [process.execPath, `${import.meta.dirname}/duckdb.ts`, `COPY (${select(input)}) TO '${output}' (${format})`];
const miller = (...words: readonly string[]) => (input: string, output: string): readonly string[] => ["sh", "-c", 'output="$1"; shift; exec mlr "$@" > "$output"', "sh", output, ...words, input];

export const cases: readonly Case[] = [
  {
    id: "csv-ndjson", title: "CSV to NDJSON", input: "csv", expected: "ndjson",
    mapping: { in: `{format: csv, columns: ${columns}}`, out: "ndjson", fields: all },
    peers: { miller: miller("--icsv", "--ojsonl", "cat"), duckdb: duckdb((input) => `SELECT * FROM ${readCsv(input)}`, "FORMAT json") },
    goals: { miller: 6, duckdb: 2.5 },
  },
  {
    id: "csv-csv", title: "CSV to CSV, renamed and a product computed", input: "csv", expected: "renamed",
    mapping: { in: "{format: csv, strict: false, columns: {id: int64, amount: decimal(2), qty: int64}}", out: "csv", fields: "{order_id: id, created: created_at, customer: customer_name, total: {expr: amount * qty, type: decimal(2)}, status: status, country: country, note: note}" },
    peers: {
      miller: miller("--icsv", "--ocsv", "put", '$total = fmtnum($amount * $qty, "%.2f")', "then", "rename", "id,order_id,created_at,created,customer_name,customer", "then", "cut", "-o", "-f", "order_id,created,customer,total,status,country,note"),
      duckdb: duckdb((input) => `SELECT id AS order_id, created_at AS created, customer_name AS customer, CAST(amount * qty AS DECIMAL(18,2)) AS total, status, country, note FROM ${readCsv(input)}`, "FORMAT csv, HEADER"),
    },
    goals: { miller: 6, duckdb: 2.5 },
  },
  {
    id: "ndjson-csv", title: "NDJSON to CSV", input: "ndjson", expected: "csv",
    mapping: { in: `{format: ndjson, columns: ${columns}}`, out: "csv", fields: all },
    peers: { miller: miller("--ijsonl", "--ocsv", "cat"), duckdb: duckdb((input) => `SELECT * FROM read_json('${input}', format='newline_delimited', columns={${types}})`, "FORMAT csv, HEADER") },
    goals: { miller: 15, duckdb: 3 },
  },
  {
    id: "json-csv", title: "JSON array to CSV", input: "json", expected: "csv",
    mapping: { in: `{format: json, columns: ${columns}}`, out: "csv", fields: all },
    peers: { miller: miller("--ijson", "--ocsv", "cat"), duckdb: duckdb((input) => `SELECT * FROM read_json('${input}', format='array', columns={${types}})`, "FORMAT csv, HEADER") },
    goals: { miller: 18, duckdb: 5 },
  },
];
