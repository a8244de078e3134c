// Tells whether a Docker Engine answers. Plain JavaScript without dependencies: it runs before anything is installed.
//
//   node setup/engine-answers.mjs       prints "<version> <api version> <DOCKER_HOST value>" and exits 0; otherwise prints the
//                                       reason and exits 1 (nothing answers), 3 (the socket may not be read) or 4 (too old)
import { existsSync } from "node:fs";
import { request } from "node:http";
import { homedir } from "node:os";
import { pathToFileURL } from "node:url";

/** The oldest API that podkit speaks: Docker Engine 20.10. */
const apiVersionMin = 1.41;
const usualSocket = "/var/run/docker.sock";

/** Where an engine may listen, the usual place first. DOCKER_HOST excludes all others. */
export function candidates(env = process.env) {
  if (env.DOCKER_HOST) return [env.DOCKER_HOST];
  const home = homedir();
  const sockets = [usualSocket, ...(env.XDG_RUNTIME_DIR ? [`${env.XDG_RUNTIME_DIR}/docker.sock`] : []), `${home}/.docker/run/docker.sock`, `${home}/.docker/desktop/docker.sock`, `${home}/.colima/default/docker.sock`, `${home}/.rd/docker.sock`];
  return sockets.filter((path) => existsSync(path)).map((path) => `unix://${path}`);
}

/** @returns {Promise<{kind: "answers", version: string, apiVersion: string, host: string} | {kind: "silent" | "denied" | "old", why: string}>} */
export async function findEngine(env = process.env) {
  let worst = { kind: "silent", why: env.DOCKER_HOST ? `DOCKER_HOST=${env.DOCKER_HOST} does not answer` : `no socket at ${usualSocket}` };
  for (const host of candidates(env)) {
    const answer = await ask(host);
    if (answer.kind === "answers") return answer;
    if (worst.kind === "silent") worst = answer;
  }
  return worst;
}

async function ask(host) {
  let target;
  try {
    const url = new URL(host);
    target = url.protocol === "unix:" ? { socketPath: url.pathname } : { host: url.hostname, port: Number(url.port || 2375) };
    if (!["unix:", "tcp:", "http:"].includes(url.protocol)) return { kind: "silent", why: `${host}: only unix:///path and tcp://host:port are understood` };
  } catch {
    return { kind: "silent", why: `${host}: expected unix:///path or tcp://host:port` };
  }
  return await new Promise((resolve) => {
    const call = request({ ...target, path: "/version", timeout: 5_000 }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk) => { text += chunk; });
      response.on("end", () => resolve(read(host, text)));
    });
    call.on("timeout", () => call.destroy(new Error("no answer within 5 s")));
    call.on("error", (error) => resolve({ kind: error.code === "EACCES" ? "denied" : "silent", why: `${host}: ${error.message}` }));
    call.end();
  });
}

function read(host, text) {
  try {
    const { Version: version, ApiVersion: apiVersion } = JSON.parse(text);
    if (typeof version !== "string" || typeof apiVersion !== "string") return { kind: "silent", why: `${host}: not a Docker Engine` };
    const [major, minor] = apiVersion.split(".").map(Number);
    const [majorMin, minorMin] = String(apiVersionMin).split(".").map(Number);
    if (major < majorMin || (major === majorMin && minor < minorMin)) return { kind: "old", why: `Docker Engine ${version} speaks API ${apiVersion}; podkit needs ${apiVersionMin} (Docker Engine 20.10)` };
    return { kind: "answers", version, apiVersion, host };
  } catch {
    return { kind: "silent", why: `${host}: not a Docker Engine` };
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const found = await findEngine();
  if (found.kind === "answers") console.log(`${found.version} ${found.apiVersion} ${found.host}`);
  else console.log(found.why);
  process.exitCode = { answers: 0, silent: 1, denied: 3, old: 4 }[found.kind];
}
