import { mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import fluentLogger from "fluent-logger";
import { Redis } from "ioredis";
import { pino } from "pino";
import { openLogFile } from "./log-file.ts";
import { makeOrder, toCsvReport, toJsonReport, type Order } from "./orders.ts";
import { readSettings, type Settings } from "./settings.ts";

/**
 * The demo application: it takes orders, and knows nothing of sidecars. It writes log files, opens Redis on localhost as if it were one plain
 * server, emits events with fluent-logger to localhost, and drops its reports, in their new format, in a folder.
 */
const reportsKept = 20;
const ordersKept = 500;

const stop = new AbortController();
for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => stop.abort());

main(readSettings(process.env)).then(
  () => process.exit(0),
  (error: unknown) => {
    console.error(error);
    process.exit(stop.signal.aborted ? 0 : 1); // while everything ends, Redis may end first
  },
);

async function main(settings: Settings): Promise<void> {
  const file = openLogFile(settings.logFile, settings.logBytesMax);
  const log = pino({ base: {}, formatters: { level: (level) => ({ level }) } }, file);
  const redis = new Redis({ ...settings.redis, maxRetriesPerRequest: 20 });
  redis.on("error", (error: Error) => console.error(`redis: ${error.message}`));
  const events = fluentLogger.createFluentSender("demo", { host: settings.fluent.host, port: settings.fluent.port, eventMode: "PackedForward", requireAckResponse: true, ackResponseTimeout: 30_000, flushInterval: 500, reconnectInterval: 1000, internalLogger: { info: () => undefined, error: (message: unknown) => console.error(`fluent-logger: ${String(message)}`) } });
  const seen = { orders: 0, staleReads: 0, eventsAcked: 0, eventsFailed: 0, reports: 0 };
  serveState(seen);

  const run = `${process.pid}-${Date.now()}`;
  let orders: Order[] = [];
  let nextReportMs = performance.now() + 1000 * settings.reportSeconds;
  while (!stop.signal.aborted) {
    const order = makeOrder(await redis.incr("orders:last"), new Date());
    await placeOrder(redis, order, seen);
    orders = [...orders.slice(-ordersKept + 1), order];
    log.info({ run, seq: ++seen.orders, order: order.id, amount: order.amountCents / 100, customer: order.first }, "order placed");
    events.emit("orders", { id: order.id, status: order.status }, (error) => (error === undefined || error === null ? seen.eventsAcked++ : seen.eventsFailed++));
    if (performance.now() >= nextReportMs) {
      dropReports(settings.reportsDirectory, orders, ++seen.reports);
      nextReportMs += 1000 * settings.reportSeconds;
      console.log(`${seen.orders} orders, ${seen.reports} reports, ${seen.staleReads} stale reads, ${seen.eventsAcked} events acknowledged`);
    }
    await sleep(1000 / settings.ordersPerSecond, undefined, { signal: stop.signal }).catch(() => undefined);
    if (!stop.signal.aborted) await readDashboard(redis, order);
  }
  log.info({ run, seq: ++seen.orders }, "application ended");
  file.close();
  console.log(`ended after ${seen.orders} log lines`);
  redis.disconnect();
}

/** Writes the order in a transaction and reads it back at once: a read that misses its own write is counted. */
async function placeOrder(redis: Redis, order: Order, seen: { staleReads: number }): Promise<void> {
  const key = `order:${order.id % ordersKept}`;
  await redis.multi().hset(key, { id: order.id, amount: order.amountCents, status: order.status }).incrby("revenue:cents", order.amountCents).lpush("recent", order.id).ltrim("recent", 0, 99).exec();
  const [id, recent] = await Promise.all([redis.hget(key, "id"), redis.lindex("recent", 0)]);
  if (id !== String(order.id) || recent !== String(order.id)) seen.staleReads++;
}

/** Reads as a dashboard does them, some time after the write: any node that is up to date may answer. */
async function readDashboard(redis: Redis, order: Order): Promise<void> {
  await Promise.all([redis.get("revenue:cents"), redis.lrange("recent", 0, 9), redis.llen("recent"), redis.hgetall(`order:${Math.max(0, (order.id % ordersKept) - 10)}`)]);
}

/** The report is complete when it gets its name; the adapter never sees half of one. */
function dropReports(directory: string, orders: readonly Order[], number: number): void {
  mkdirSync(directory, { recursive: true });
  const stamp = `${Date.now()}-${String(number).padStart(6, "0")}`;
  for (const [name, text] of [[`orders-${stamp}.csv`, toCsvReport(orders)], [`stock-${stamp}.json`, toJsonReport(orders)]] as const) {
    const temporary = join(directory, `.${name}.tmp`);
    writeFileSync(temporary, text);
    renameSync(temporary, join(directory, name));
  }
  const old = readdirSync(directory).filter((name) => /^(orders|stock)-\d/.test(name)).toSorted((left, right) => Number(left.split("-")[1]) - Number(right.split("-")[1]));
  for (const name of old.slice(0, -2 * reportsKept)) rmSync(join(directory, name));
}

/** For probes and for whoever wants to look: GET /healthz and GET / (the counts). */
function serveState(seen: Readonly<Record<string, number>>): void {
  createServer((request, response) => {
    response.setHeader("Content-Type", "application/json");
    response.end(request.url === "/healthz" ? '"ok"\n' : `${JSON.stringify(seen)}\n`);
  }).listen(8080);
}
