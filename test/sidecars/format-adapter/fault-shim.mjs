// Faults that a real disk or clock does not produce on demand. The file FAULTS names holds one a line, read anew at each call:
//   <call> <code>      the call fails with this code (EIO, EDQUOT) for files in the folder FAULT_FOLDER; calls: open write sync rename sync-folder
//   clock <ms>         the wall clock is so far off
//   signal <name> <n>  once the process has written so many bytes to a file in FAULT_FOLDER it makes the file "signalled" beside FAULTS and sends
//                      itself this signal, one time: SIGSTOP holds it in the middle of its work however fast it is
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { dirname, join } from "node:path";
import { promisify } from "node:util";

const { readFileSync, writeFileSync } = fs;
const folder = process.env["FAULT_FOLDER"];

function wordsOf(call) {
  try {
    return readFileSync(process.env["FAULTS"], "utf8").split("\n").map((line) => line.split(" ")).find(([name]) => name === call) ?? [];
  } catch {
    return []; // no fault now
  }
}
const faultOf = (call) => wordsOf(call)[1];

function check(call, path) {
  const code = path !== undefined && (path === folder || dirname(path) === folder) ? faultOf(call) : undefined;
  if (code !== undefined) throw Object.assign(new Error(`${code}: injected, ${call} '${path}'`), { code, path });
}

const paths = new Map();
const written = new Map();
let isSignalled = false;

function count(fd, bytes) {
  const path = paths.get(fd);
  if (isSignalled || path === undefined || dirname(path) !== folder) return;
  written.set(fd, (written.get(fd) ?? 0) + bytes);
  const [, signal, least] = wordsOf("signal");
  if (signal === undefined || written.get(fd) < Number(least)) return;
  isSignalled = true;
  writeFileSync(join(dirname(process.env["FAULTS"]), "signalled"), "");
  process.kill(process.pid, signal);
}

const { openSync, closeSync, writeSync, write, fdatasync, fsync, renameSync } = fs;
fs.openSync = (path, flags, mode) => {
  if (typeof flags === "number" ? (flags & 3) !== 0 : /[wa]/.test(flags)) check("open", path);
  const fd = openSync(path, flags, mode);
  paths.set(fd, path);
  return fd;
};
fs.closeSync = (fd) => (paths.delete(fd), written.delete(fd), closeSync(fd));
fs.writeSync = (fd, ...rest) => {
  check("write", paths.get(fd));
  const bytes = writeSync(fd, ...rest);
  count(fd, bytes);
  return bytes;
};
const failing = (original, call) => {
  const later = promisify(original);
  const patched = async (fd, ...rest) => {
    check(call, paths.get(fd));
    const result = await later(fd, ...rest);
    if (call === "write") count(fd, result.bytesWritten);
    return result;
  };
  return Object.assign((...args) => original(...args), { [promisify.custom]: patched });
};
fs.write = failing(write, "write");
fs.fdatasync = failing(fdatasync, "sync");
fs.fsync = failing(fsync, "sync-folder");
fs.renameSync = (from, to) => (check("rename", to), renameSync(from, to));
const now = Date.now;
Date.now = () => now() + Number(faultOf("clock") ?? 0);
syncBuiltinESMExports();
