import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** Runs `work` while no other set-up of this clone runs. A lock whose owner has died is taken over. */
export async function alone(path, say, work) {
  mkdirSync(dirname(path), { recursive: true });
  let told = false;
  while (!take(path)) {
    const owner = readOwner(path);
    if (owner === "") continue; // released between two looks
    if (!isAlive(Number(owner))) removeStale(path, owner);
    else {
      if (!told) say(`Waiting for another set-up of this clone (process ${owner})`);
      told = true;
      await sleep(250);
    }
  }
  const release = () => { if (readOwner(path) === String(process.pid)) rmSync(path, { force: true }); };
  process.on("exit", release);
  try {
    return await work();
  } finally {
    release();
    process.off("exit", release);
  }
}

/** The lock appears with its owner in it: one that is empty for a moment would pass for a dead one's. */
function take(path) {
  const own = `${path}.${process.pid}`;
  writeFileSync(own, String(process.pid));
  try {
    linkSync(own, path);
    return true;
  } catch (error) {
    if (error.code === "EEXIST") return false;
    throw error;
  } finally {
    rmSync(own, { force: true });
  }
}

/** Only the one that was looked at: another may have been faster to remove it and to take the lock. */
function removeStale(path, owner) {
  if (readOwner(path) === owner) rmSync(path, { force: true });
}

function readOwner(path) {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return ""; // there is none
  }
}

function isAlive(pid) {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === "EPERM";
  }
}
