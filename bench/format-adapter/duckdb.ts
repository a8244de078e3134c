// One conversion by DuckDB's npm package: node duckdb.ts STATEMENT
import { DuckDBInstance } from "@duckdb/node-api";

const instance = await DuckDBInstance.create(":memory:");
const connection = await instance.connect();
await connection.run(process.argv[2] ?? "");
