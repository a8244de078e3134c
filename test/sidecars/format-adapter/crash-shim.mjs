// Ends the process by SIGKILL before the n-th call that changes a file (CRASH_AT=n; with CRASH_HALF=1 a write is half done first), as a
// machine would between two system calls. Without CRASH_AT it counts the calls and appends their names to CRASH_LOG.
import fs from "node:fs";
import fsPromises from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";

const at = Number(process.env["CRASH_AT"] ?? "0");
const half = process.env["CRASH_HALF"] === "1";
const logFile = process.env["CRASH_LOG"];
const { appendFileSync, writeSync } = fs;
let count = 0;

function step(name, doHalf) {
  count++;
  if (logFile !== undefined) appendFileSync(logFile, `${name}\n`);
  if (count !== at) return;
  if (half) doHalf?.();
  process.kill(process.pid, "SIGKILL");
  for (;;); // the signal comes at once
}

const writes = (flags) => typeof flags === "number" ? (flags & 3) !== 0 : /[wa+]/.test(flags ?? "r");
const halfOf = (fd, bytes) => () => void (typeof bytes === "string" ? writeSync(fd, bytes.slice(0, bytes.length / 2)) : writeSync(fd, bytes, 0, Math.floor(bytes.length / 2)));

for (const name of ["renameSync", "unlinkSync", "mkdirSync", "chmodSync", "fsyncSync", "fdatasyncSync", "rename", "unlink", "fsync", "fdatasync"]) {
  const original = fs[name];
  fs[name] = Object.assign((...args) => (step(name), original(...args)), original);
}
for (const name of ["openSync"]) {
  const original = fs[name];
  fs[name] = (path, flags, ...rest) => (writes(flags) && step(name), original(path, flags, ...rest));
}
for (const name of ["writeSync", "write"]) {
  const original = fs[name];
  fs[name] = Object.assign((fd, bytes, ...rest) => (fd > 2 && step(name, halfOf(fd, bytes)), original(fd, bytes, ...rest)), { [Symbol.for("nodejs.util.promisify.custom")]: original[Symbol.for("nodejs.util.promisify.custom")] });
}
for (const name of ["rename", "unlink", "mkdir", "copyFile"]) {
  const original = fsPromises[name];
  fsPromises[name] = (...args) => (step(`promises.${name}`), original(...args));
}
const open = fsPromises.open;
const probe = await open(import.meta.filename, "r");
const handle = Object.getPrototypeOf(probe);
await probe.close();
fsPromises.open = (path, flags, ...rest) => (writes(flags) && step("promises.open"), open(path, flags, ...rest));
for (const name of ["writeFile", "sync", "datasync", "chmod"]) {
  const original = handle[name];
  handle[name] = function patched(...args) {
    step(`FileHandle.${name}`, name === "writeFile" ? halfOf(this.fd, args[0]) : undefined);
    return original.apply(this, args);
  };
}
syncBuiltinESMExports();
