// Removes what a test run left on the engine when it died without doing so: it stands in for the reaper of testcontainers, which
// comes from a registry that may be out of reach.
//
// Contract (of testcontainers): listens on 8080, prints "Started", takes lines `label=key=value[&label=…]` on connections that
// stay open, answers ACK. When no client has been connected for RYUK_RECONNECTION_TIMEOUT (seconds or "10s", default 10), or
// none ever came within 60 s, it removes the containers, networks, volumes and images that carry all labels of a line, and ends.
// Only what was made before the removal began is removed: a test run that comes at that moment keeps its own.
import { request } from "node:http";
import { createServer } from "node:net";

const firstClientMs = 60_000;
const reconnectionMs = Number.parseFloat(process.env["RYUK_RECONNECTION_TIMEOUT"] ?? "10") * 1000;
const filters = new Set<string>();
let clients = 0;
let timer = setTimeout(reapAndEnd, firstClientMs);

const server = createServer((socket) => {
  clients += 1;
  clearTimeout(timer);
  let rest = "";
  socket.setEncoding("utf8");
  socket.on("data", (text: string) => {
    const lines = (rest + text).split("\n");
    rest = (lines.pop() ?? "").slice(-4_096);
    for (const line of lines.map((each) => each.trim()).filter((each) => each !== "")) {
      filters.add(line);
      socket.write("ACK\n");
    }
  });
  socket.on("error", () => undefined); // a client that was killed; "close" follows
  socket.on("close", () => {
    clients -= 1;
    if (clients === 0) timer = setTimeout(reapAndEnd, reconnectionMs);
  });
});
server.listen(8080, () => console.log("Started"));
process.once("SIGTERM", () => process.exit(0));

function reapAndEnd(): void {
  server.close();
  const beginSeconds = Date.now() / 1000;
  (async () => {
    for (const filter of filters) await reap(filter, beginSeconds);
  })().then(() => process.exit(0), (error: unknown) => { console.error(error); process.exit(1); });
}

async function reap(filter: string, beginSeconds: number): Promise<void> {
  const labels = filter.split("&").map((pair) => pair.replace(/^label=/, ""));
  const query = `filters=${encodeURIComponent(JSON.stringify({ label: labels }))}`;
  const isOurs = (item: Item): boolean => item.labels.get("org.testcontainers.ryuk") !== "true" && item.createdSeconds < beginSeconds;
  for (const item of items(await ask("GET", `/containers/json?all=1&${query}`)).filter(isOurs)) await remove(`/containers/${item.id}?force=1&v=1`);
  for (const item of items(await ask("GET", `/networks?${query}`)).filter(isOurs)) await remove(`/networks/${item.id}`);
  for (const item of items(await ask("GET", `/volumes?${query}`)).filter(isOurs)) await remove(`/volumes/${item.id}?force=1`);
  for (const item of items(await ask("GET", `/images/json?${query}`)).filter(isOurs)) await remove(`/images/${item.id}?force=1`);
}

type Item = { readonly id: string; readonly labels: ReadonlyMap<string, unknown>; readonly createdSeconds: number };

/** Containers and images tell seconds, networks and volumes a date; volumes have a name alone and stand in a list of their own. */
function items(value: unknown): readonly Item[] {
  const list = Array.isArray(value) ? value : fieldsOf(value).get("Volumes");
  return (Array.isArray(list) ? list : []).map((entry): Item => {
    const fields = fieldsOf(entry);
    const created = fields.get("Created") ?? fields.get("CreatedAt");
    const id = fields.get("Id") ?? fields.get("Name");
    return { id: typeof id === "string" ? id : "", labels: fieldsOf(fields.get("Labels")), createdSeconds: typeof created === "number" ? created : Date.parse(String(created)) / 1000 };
  });
}

function fieldsOf(value: unknown): ReadonlyMap<string, unknown> {
  return new Map<string, unknown>(typeof value === "object" && value !== null ? Object.entries(value) : []);
}

async function remove(path: string): Promise<void> {
  await ask("DELETE", path).catch((error: unknown) => console.error(error)); // the others are removed all the same
}

async function ask(method: "GET" | "DELETE", path: string): Promise<unknown> {
  return await new Promise((resolve, reject) => {
    const call = request({ socketPath: "/var/run/docker.sock", method, path: `/v1.41${path}`, timeout: 30_000 }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => { text += chunk; });
      response.on("end", () => {
        console.log(method, path, response.statusCode ?? 0);
        if ((response.statusCode ?? 500) >= 400 && response.statusCode !== 404) reject(new Error(`Cannot ${method} ${path}: ${text.trim()}`));
        else resolve(text === "" ? undefined : JSON.parse(text));
      });
    });
    call.on("timeout", () => call.destroy(new Error(`Cannot ${method} ${path}: no answer within 30 s`)));
    call.on("error", reject);
    call.end();
  });
}
