// Memory of the Redis ambassador under ten thousand clients that do nothing, and under one that asks and never reads.
//
//   node bench/redis-ambassador/memory.ts [--clients=10000]
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { parseArgs } from "node:util";
import { observeCircumstances, writeReport } from "../report.ts";
import { encode, keyName } from "./cases.ts";
import { Scene } from "./scene.ts";

const valueBytes = 65_536;
const batch = 200;

function residentMiB(pid: number | undefined): number {
  const line = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid ?? 0}/status`, "utf8"));
  return Number(line?.[1]) / 1024;
}

const pause = async (delayMs: number): Promise<void> => await new Promise((resolve) => setTimeout(resolve, delayMs));

/** Connects and asks once, so that the client is known to be served; then it is idle. */
function dial(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: "127.0.0.1", port }, () => socket.write(encode(["GET", keyName(3, 0)])));
    socket.once("error", reject);
    socket.once("data", () => resolve(socket));
  });
}

async function idleClients(port: number, pid: number | undefined, count: number): Promise<{ readonly beforeMiB: number; readonly withMiB: number }> {
  const sockets: Socket[] = [];
  const beforeMiB = residentMiB(pid);
  while (sockets.length < count) sockets.push(...await Promise.all(Array.from({ length: Math.min(batch, count - sockets.length) }, async () => await dial(port))));
  await pause(3_000);
  const withMiB = residentMiB(pid);
  for (const socket of sockets) socket.destroy();
  return { beforeMiB, withMiB };
}

/** A client asks for 2 GiB in pipelines and reads nothing of it; another one works meanwhile. Memory by the second. */
async function silentClient(port: number, pid: number | undefined): Promise<readonly number[]> {
  const silent = await dial(port), other = await dial(port), readings = [residentMiB(pid)];
  silent.pause();
  silent.on("error", () => undefined);
  const request = Buffer.concat(Array.from({ length: 32 }, (_, index) => encode(["GET", keyName(valueBytes, index)])));
  for (let sent = 0; sent < 1_000; sent += 1) silent.write(request);
  other.on("data", () => other.write(encode(["GET", keyName(3, 0)])));
  other.write(encode(["GET", keyName(3, 0)]));
  for (let second = 0; second < 10; second += 1) {
    await pause(1_000);
    readings.push(residentMiB(pid));
  }
  silent.destroy();
  other.destroy();
  return readings;
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { clients: { type: "string" } } });
  const clients = Number(values.clients ?? "10000");
  const circumstances = observeCircumstances(`Docker Engine ${spawnSync("docker", ["version", "--format", "{{.Server.Version}}"], { encoding: "utf8" }).stdout.trim()}`);
  const scene = new Scene();
  try {
    await scene.start([3, valueBytes]);
    const { port, pid } = await scene.ambassador("pod", [], { PODKIT_LIMITS_CLIENTS: String(clients + 10) });
    const idle = await idleClients(port, pid, clients), silent = await silentClient(port, pid);
    const perClientKiB = (idle.withMiB - idle.beforeMiB) * 1024 / clients;
    await writeReport("redis-ambassador-memory", {
      title: "Memory of the Redis ambassador under idle and silent clients",
      circumstances: circumstances(Date.now()),
      columns: ["load", "before, MiB", "with it, MiB", "what it means"],
      rows: [
        [`${clients} idle clients, each served once`, idle.beforeMiB.toFixed(0), idle.withMiB.toFixed(0), `${perClientKiB.toFixed(1)} KiB per client`],
        ["a client asks for 2 GiB and never reads", (silent[0] ?? 0).toFixed(0), Math.max(...silent.slice(1)).toFixed(0), `by the second: ${silent.map((each) => each.toFixed(0)).join(", ")}`],
      ],
      remarks: ["Resident memory of the process. The silent client goes on asking for ten seconds, in pipelines of 32 values of 64 KB, while another client works."],
      values: { idle, silent, perClientKiB },
    });
  } finally {
    await scene.stop();
  }
}

await main();
