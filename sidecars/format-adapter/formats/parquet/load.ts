// pure
import type * as parquet from "./library.ts";

type ParquetLibrary = typeof parquet;

let library: ParquetLibrary | undefined;

/** Loads the libraries once. */
export async function loadParquet(): Promise<ParquetLibrary> {
  library ??= await import("./library.ts");
  return library;
}

/** The libraries, which were loaded before. */
export function parquetLibrary(): ParquetLibrary {
  if (library === undefined) throw new Error("The Parquet libraries were not loaded");
  return library;
}
