import { promisify } from "node:util";
import { constants, gzip, zstdCompress } from "node:zlib";

export type Compression = "none" | "gzip" | "zstd";

const gzipAsync = promisify(gzip);
const zstdAsync = promisify(zstdCompress);

/** The body as it is sent. Equal input gives equal output. Fast rather than small: logs shrink to a tenth either way. */
export async function compress(body: Buffer, compression: Compression): Promise<Buffer> {
  if (compression === "gzip") return await gzipAsync(body, { level: 1 });
  if (compression === "zstd") return await zstdAsync(body, { params: { [constants.ZSTD_c_compressionLevel]: 1 } });
  return body;
}
