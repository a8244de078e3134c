import { execFile } from "node:child_process";
import { mkdtemp, open, rm, rmdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** A file system of its own, small enough to be filled. */
export type TinyDisk = AsyncDisposable & {
  readonly path: string;
  /** Takes every byte that is free. */
  fill(): Promise<void>;
  /** Gives back what `fill` took. */
  free(): Promise<void>;
};

/** Why no tiny disk can be made here; undefined when one can. For the `skip` of a test, which shows it. */
export const noTinyDisk: string | undefined = process.platform !== "linux" ? "needs Linux" : process.getuid?.() === 0 ? undefined : "needs root, to mount a small file system";

/** Mounts a tmpfs. Throws where `noTinyDisk` has a reason. */
export async function createTinyDisk(bytes: number): Promise<TinyDisk> {
  const path = await mkdtemp(join(tmpdir(), "pk-disk-"));
  await run("mount", ["-t", "tmpfs", "-o", `size=${bytes}`, "podkit-test", path]);
  const filler = join(path, "filler");
  return {
    path,
    async fill() {
      const file = await open(filler, "a");
      try {
        for (let block = Buffer.alloc(65_536); block.length > 0;) {
          try {
            await file.write(block);
          } catch (error) {
            if (!(error instanceof Error && "code" in error && error.code === "ENOSPC")) throw error;
            // Smaller and smaller pieces, down to the last byte.
            block = block.subarray(0, Math.floor(block.length / 2));
          }
        }
      } finally {
        await file.close();
      }
    },
    async free() {
      await rm(filler, { force: true });
    },
    async [Symbol.asyncDispose]() {
      await run("umount", ["-l", path]);
      await rmdir(path);
    },
  };
}
