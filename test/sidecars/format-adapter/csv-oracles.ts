import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { parse as csvParse } from "csv-parse/sync";
import Papa from "papaparse";

/** The records below the header, or why there are none. */
export type Read = { readonly rows: readonly (readonly string[])[] } | { readonly refused: string };

/** Another program's or library's reading of reports whose header is c0,c1,…; all of one batch at once. */
export type Oracle = { read(texts: readonly string[], width: number): Promise<readonly Read[]>; close(): void };

const lineEnds = ["\r\n", "\n", "\r"];

export const csvParseOracle: Oracle = {
  read: (texts) => Promise.resolve(texts.map((text) => attempt(() => csvParse(text, { bom: true, record_delimiter: lineEnds }).slice(1)))),
  close: () => undefined,
};

/** It takes a line end for a separator, so that the last one would begin a record; and it has one kind of line end for each report. */
export const papaOracle: Oracle = {
  read: (texts, width) => Promise.resolve(texts.map((text) => {
    const newline = /\r\n|\n|\r/.exec(text)?.[0] as "\r\n" | "\n" | "\r";
    const { data, errors } = Papa.parse<Record<string, string>>(text.endsWith(newline) ? text.slice(0, -newline.length) : text, { header: true, delimiter: ",", newline });
    const [error] = errors;
    return error === undefined ? { rows: data.map((record) => columns(width).map((column) => record[column] ?? "")) } : { refused: error.message };
  })),
  close: () => undefined,
};

export const hasMiller = spawnSync("mlr", ["--version"]).status === 0;

/** Types are not inferred (-S). All reports of a batch are read by one process, and by one each when one of them is refused. */
export function millerOracle(): Oracle {
  const directory = mkdtempSync(join(tmpdir(), "podkit-csv-miller-"));
  const run = (texts: readonly string[], width: number): readonly Read[] | undefined => {
    const paths = texts.map((text, index) => {
      const path = join(directory, `${index}.csv`);
      writeFileSync(path, text);
      return path;
    });
    const { status, stdout, stderr } = spawnSync("mlr", ["-S", "--icsv", "--ojsonl", "put", "$file = FILENAME", ...paths], { encoding: "utf8", maxBuffer: 1e9 });
    if (status !== 0) return texts.length > 1 ? undefined : [{ refused: stderr.split("\n")[0] ?? "" }];
    const rows = new Map<string, string[][]>(paths.map((path) => [path, []]));
    for (const line of stdout.split("\n").filter((each) => each !== "")) {
      const record = new Map(Object.entries(JSON.parse(line) as Record<string, string>));
      rows.get(record.get("file") ?? "")?.push(columns(width).map((column) => record.get(column) ?? ""));
    }
    return paths.map((path) => ({ rows: rows.get(path) ?? [] }));
  };
  return {
    read: (texts, width) => Promise.resolve(run(texts, width) ?? texts.flatMap((text) => run([text], width) ?? [])),
    close: () => rmSync(directory, { recursive: true }),
  };
}

/** Strict, nothing guessed, all columns text. An empty value is NULL to it. */
export async function duckdbOracle(): Promise<Oracle> {
  const directory = mkdtempSync(join(tmpdir(), "podkit-csv-duckdb-"));
  const instance = await DuckDBInstance.create(":memory:", { threads: "1", memory_limit: "256MB" });
  const connection = await instance.connect();
  const path = join(directory, "report.csv");
  const readOne = async (text: string, width: number): Promise<Read> => {
    writeFileSync(path, text);
    const types = columns(width).map((column) => `'${column}': 'VARCHAR'`).join(", ");
    try {
      const reader = await connection.runAndReadAll(`SELECT * FROM read_csv('${path}', auto_detect = false, header = true, delim = ',', quote = '"', escape = '"', strict_mode = true, null_padding = false, columns = {${types}})`);
      return { rows: reader.getRows().map((row) => row.map((value) => (typeof value === "string" ? value : ""))) };
    } catch (error) {
      return { refused: error instanceof Error ? (error.message.split("\n")[0] ?? "") : "" };
    }
  };
  return {
    async read(texts, width) {
      const found: Read[] = [];
      for (const text of texts) found.push(await readOne(text, width));
      return found;
    },
    close() {
      connection.closeSync();
      instance.closeSync();
      rmSync(directory, { recursive: true });
    },
  };
}

export function columns(width: number): readonly string[] {
  return Array.from({ length: width }, (_, index) => `c${index}`);
}

function attempt(read: () => readonly (readonly string[])[]): Read {
  try {
    return { rows: read() };
  } catch (error) {
    return { refused: error instanceof Error ? error.message : "" };
  }
}
