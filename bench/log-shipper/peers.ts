// What the log shipper is measured against. rsyslog runs in a container of ours with the network of the machine and without a
// seccomp filter, which would cost at every system call; the others must be on the PATH.
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { imageRecords } from "../../test/support/images.ts";
import type { Case } from "./cases.ts";
import { docker, pause } from "./host.ts";
import type { Peer, Place, RunningPeer } from "./peer.ts";
import type { Receiver } from "./receiver-process.ts";

/** Those that this machine has. */
export function foundPeers(): readonly Peer[] {
  return [naive, ...rsyslogs(), syslogNg(), fluentBit(), vector()].filter((peer) => peer !== undefined);
}

function versionOf(words: readonly [string, ...string[]]): string | undefined {
  const answer = spawnSync(words[0], words.slice(1), { encoding: "utf8", timeout: 30_000 });
  return answer.status === 0 ? (/\d+\.\d+(\.\d+)?/.exec(`${answer.stdout}${answer.stderr}`)?.[0] ?? "unknown") : undefined;
}

function start(words: readonly [string, ...string[]], env: Readonly<Record<string, string>> = {}): RunningPeer {
  const child = spawn(words[0], words.slice(1), { env: { PATH: process.env["PATH"] ?? "", ...env }, stdio: ["ignore", "ignore", "inherit"] });
  if (child.pid === undefined) throw new Error(`Cannot start ${words[0]}`);
  return { pid: child.pid, died: once(child, "exit").then(([code]) => Promise.reject(new Error(`${words.join(" ")} has ended with ${String(code)}`))), stop: async () => await kill(child) };
}

/** How they end is not measured here. */
async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  child.kill("SIGKILL");
  await exited;
}

const naive: Peer = {
  name: "naive", version: "fluent-logger 3.4.1", cases: ["json"], lines: { json: 100_000 }, wrongSizes: true,
  start: async (_spec, place, receiver) => await Promise.resolve(start([process.execPath, join(import.meta.dirname, "naive.ts"), join(place.logs, "warm.log"), join(place.logs, "main.log")], { PORT: String(receiver.forwardPort) })),
};

type RsyslogQueue = "memory" | "disk";

/** `disk`: what it has read and not sent survives a crash, as its positions do. */
function rsyslogConfig(o: { readonly spec: Case; readonly queue: RsyslogQueue; readonly logs: string; readonly spool: string; readonly port: number }): string {
  const parsed = o.spec.id === "json";
  const queue = o.queue === "memory" ? "" : 'queue.type="Disk" queue.filename="out" queue.saveOnShutdown="on" action.resumeRetryCount="-1"';
  return [
    `global(workDirectory="${o.spool}" maxMessageSize="128k")`,
    'module(load="imfile" mode="inotify")',
    ...(parsed ? ['module(load="mmjsonparse")', 'template(name="out" type="string" string="%$!%\n")'] : ['template(name="out" type="string" string="%msg%\n")']),
    `input(type="imfile" File="${o.logs}/*.log" Tag="app" PersistStateInterval="5000" addMetadata="off")`,
    ...(parsed ? ['action(type="mmjsonparse" cookie="")'] : []),
    `action(type="omfwd" target="127.0.0.1" port="${o.port}" protocol="tcp" template="out" ${queue})`,
    "",
  ].join("\n");
}

/** It gets no acknowledgement: TCP has none to give. */
function rsyslogs(): readonly Peer[] {
  const image = imageRecords().get("rsyslog")?.reference;
  const version = versionOf(image === undefined ? ["rsyslogd", "-v"] : ["docker", "run", "--rm", image, "-v"]);
  if (version === undefined) return [];
  const startWith = (queue: RsyslogQueue): Peer["start"] => async (spec, place, receiver) => await (image === undefined ? startRsyslog(spec, queue, place, receiver) : containRsyslog(image, { spec, queue, place, receiver }));
  return [
    { name: "rsyslog", version, cases: ["raw", "json"], lines: { raw: 400_000, json: 120_000 }, start: startWith("memory") },
    { name: "rsyslog-disk", version, cases: ["raw", "json"], lines: { raw: 80_000, json: 40_000 }, start: startWith("disk") },
  ];
}

async function startRsyslog(spec: Case, queue: RsyslogQueue, place: Place, receiver: Receiver): Promise<RunningPeer> {
  const file = join(place.folder, "rsyslog.conf");
  writeFileSync(file, rsyslogConfig({ spec, queue, logs: place.logs, spool: place.folder, port: receiver.linesPort }));
  return await Promise.resolve(start(["rsyslogd", "-n", "-i", "NONE", "-f", file]));
}

async function containRsyslog(image: string, o: { readonly spec: Case; readonly queue: RsyslogQueue; readonly place: Place; readonly receiver: Receiver }): Promise<RunningPeer> {
  const name = `podkit-bench-rsyslog-${process.pid}`, { folder, logs } = o.place;
  writeFileSync(join(folder, "rsyslog.conf"), rsyslogConfig({ ...o, logs, spool: "/tmp", port: o.receiver.linesPort }));
  docker(["run", "-d", "--name", name, "--network", "host", "--security-opt", "seccomp=unconfined", "--tmpfs", "/tmp:mode=1777", "-v", `${folder}:${folder}:ro`, image, "-f", join(folder, "rsyslog.conf")]);
  await pause(1_000);
  const stop = async (): Promise<void> => await Promise.resolve(void docker(["rm", "-f", name]));
  const pid = Number(docker(["inspect", "--format", "{{.State.Pid}}", name]));
  if (pid > 0) return { pid, died: new Promise(() => undefined), stop };
  const words = docker(["logs", name]);
  await stop();
  throw new Error(`rsyslog has ended: ${words}`);
}

/** No acknowledgements either. Raw lines only: it parses JSON, but makes all values text when it sends them on. */
function syslogNg(): Peer | undefined {
  const version = versionOf(["syslog-ng", "--version"]);
  if (version === undefined) return undefined;
  return {
    name: "syslog-ng", version, cases: ["raw"], lines: { raw: 200_000 },
    start: async (_spec, place, receiver) => {
      const file = join(place.folder, "syslog-ng.conf");
      const short = /^\d+\.\d+/.exec(version)?.[0] ?? version;
      writeFileSync(file, [
        `@version: ${short}`,
        `source s { wildcard-file(base-dir("${place.logs}") filename-pattern("*.log") flags(no-parse)); };`,
        `destination d { network("127.0.0.1" port(${receiver.linesPort}) transport("tcp") template("$MESSAGE\\n")); };`,
        "log { source(s); destination(d); flags(flow-control); };",
        "",
      ].join("\n"));
      return await Promise.resolve(start(["syslog-ng", "-F", "-f", file, "-R", join(place.folder, "persist"), "-p", join(place.folder, "pid"), "-c", join(place.folder, "control")]));
    },
  };
}

/** Acknowledgements on; positions in its database. Not run where this was written: there was no Fluent Bit. */
function fluentBit(): Peer | undefined {
  const version = versionOf(["fluent-bit", "--version"]);
  if (version === undefined) return undefined;
  return {
    name: "fluent-bit", version, cases: ["raw", "json", "gzip"], lines: { raw: 478_469, json: 240_000, gzip: 240_000 },
    start: async (spec, place, receiver) => {
      const file = join(place.folder, "fluent-bit.yaml"), parsers = join(place.folder, "parsers.conf");
      writeFileSync(parsers, "[PARSER]\n    Name json\n    Format json\n");
      writeFileSync(file, JSON.stringify({
        service: { flush: 0.2, grace: 5, log_level: "error", parsers_file: parsers },
        pipeline: {
          inputs: [{ name: "tail", path: join(place.logs, "*.log"), tag: "app", read_from_head: true, refresh_interval: 1, db: join(place.folder, "positions.db"), mem_buf_limit: "50M", ...(spec.id === "json" ? { parser: "json" } : {}) }],
          outputs: [{ name: "forward", match: "*", host: "127.0.0.1", port: receiver.forwardPort, require_ack_response: true, ...(spec.id === "gzip" ? { compress: "gzip" } : {}) }],
        },
      }));
      return await Promise.resolve(start(["fluent-bit", "-c", file]));
    },
  };
}

/** Acknowledgements end to end, as far as TCP has any. Not run where this was written: there was no Vector. */
function vector(): Peer | undefined {
  const version = versionOf(["vector", "--version"]);
  if (version === undefined) return undefined;
  return {
    name: "vector", version, cases: ["raw", "json"], lines: { raw: 240_000, json: 120_000 },
    start: async (spec, place, receiver) => {
      const file = join(place.folder, "vector.json"), data = join(place.folder, "vector");
      mkdirSync(data);
      writeFileSync(file, JSON.stringify({
        data_dir: data,
        sources: { files: { type: "file", include: [join(place.logs, "*.log")], read_from: "beginning", glob_minimum_cooldown_ms: 200 } },
        ...(spec.id === "json" ? { transforms: { parse: { type: "remap", inputs: ["files"], source: ". = parse_json!(.message)" } } } : {}),
        sinks: { out: { type: "socket", inputs: [spec.id === "json" ? "parse" : "files"], mode: "tcp", address: `127.0.0.1:${receiver.linesPort}`, encoding: { codec: spec.id === "json" ? "json" : "text" }, acknowledgements: { enabled: true } } },
      }));
      return await Promise.resolve(start(["vector", "--quiet", "--config", file]));
    },
  };
}
