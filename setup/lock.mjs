import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** Runs `work` while no other set-up of this clone runs. A lock whose owner has died is taken over. */
export async function alone(path, say, work) {
  mkdirSync(dirname(path), { recursive: true });
  let told = false;
  while (!take(path)) {
    const owner = Number(readOwner(path));
    if (!isAlive(owner)) rmSync(path, { force: true });
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

function take(path) {
  try {
    writeFileSync(path, String(process.pid), { flag: "wx" });
    return true;
  } catch (error) {
    if (error.code === "EEXIST") return false;
    throw error;
  }
}

function readOwner(path) {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return ""; // released between two looks
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
