// pure
/** What is used of the Parquet libraries. It is a file of its own in the image, loaded on first use: a role that reads no Parquet does not pay for it. */
export { parquetHeader } from "hyparquet/src/column.js";
export { parquetMetadataAsync, parquetRead, parquetSchema } from "hyparquet";
export { ByteWriter, ParquetWriter } from "hyparquet-writer";
