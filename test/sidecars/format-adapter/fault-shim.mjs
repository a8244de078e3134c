// Faults that a real disk or clock does not produce on demand. The file FAULTS names holds one a line, read anew at each call:
//   <call> <code>      the call fails with this code (EIO, EDQUOT) for files in the folder FAULT_FOLDER; calls: open write sync rename sync-folder
//   clock <ms>         the wall clock is so far off
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { dirname } from "node:path";
import { promisify } from "node:util";

const { readFileSync } = fs;
const folder = process.env["FAULT_FOLDER"];

function faultOf(call) {
  try {
    return readFileSync(process.env["FAULTS"], "utf8").split("\n").map((line) => line.split(" ")).find(([name]) => name === call)?.[1];
  } catch {
    return undefined; // no fault now
  }
}

function check(call, path) {
  const code = path !== undefined && (path === folder || dirname(path) === folder) ? faultOf(call) : undefined;
  if (code !== undefined) throw Object.assign(new Error(`${code}: injected, ${call} '${path}'`), { code, path });
}

const paths = new Map();
const { openSync, closeSync, writeSync, write, fdatasync, fsync, renameSync } = fs;
fs.openSync = (path, flags, mode) => {
  if (typeof flags === "number" ? (flags & 3) !== 0 : /[wa]/.test(flags)) check("open", path);
  const fd = openSync(path, flags, mode);
  paths.set(fd, path);
  return fd;
};
fs.closeSync = (fd) => (paths.delete(fd), closeSync(fd));
fs.writeSync = (fd, ...rest) => (check("write", paths.get(fd)), writeSync(fd, ...rest));
const failing = (original, call) => {
  const later = promisify(original);
  const patched = async (fd, ...rest) => (check(call, paths.get(fd)), await later(fd, ...rest));
  return Object.assign((...args) => original(...args), { [promisify.custom]: patched });
};
fs.write = failing(write, "write");
fs.fdatasync = failing(fdatasync, "sync");
fs.fsync = failing(fsync, "sync-folder");
fs.renameSync = (from, to) => (check("rename", to), renameSync(from, to));
const now = Date.now;
Date.now = () => now() + Number(faultOf("clock") ?? 0);
syncBuiltinESMExports();
