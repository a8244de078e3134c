import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { at, text } from "./engine-json.ts";
import type { Json } from "./engine-json.ts";

/**
 * The value of the X-Registry-Auth header for a registry, from the docker client's config.json: a credential helper when one is named for
 * the registry, else `auths`. Undefined when the user never logged in there. The value is a secret: never log it.
 * Throws Error with the file's name when config.json is not JSON, or with the helper's name when it fails.
 */
export async function registryAuth(configDirectory: string, registry: string): Promise<string | undefined> {
  const file = join(configDirectory, "config.json");
  const config = parseConfig(file, await readOptional(file));
  const server = registry === "docker.io" ? "https://index.docker.io/v1/" : registry;
  const helper = text(config, "credHelpers", registry) || text(config, "credHelpers", server) || text(config, "credsStore");
  if (helper !== "") return await fromHelper(helper, server);
  const entry = at(config, "auths", server) ?? at(config, "auths", `https://${registry}`);
  const identityToken = text(entry, "identitytoken");
  if (identityToken !== "") return encode({ identitytoken: identityToken, serveraddress: server });
  const [username, ...password] = Buffer.from(text(entry, "auth"), "base64").toString("utf8").split(":");
  if (username === undefined || username === "") return undefined;
  return encode({ username, password: password.join(":").replaceAll("\0", ""), serveraddress: server });
}

async function readOptional(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ENOTDIR")) return "{}";
    throw new Error(`Cannot read registry credentials from ${file}`, { cause: error });
  }
}

function parseConfig(file: string, contents: string): Json {
  try {
    const config: Json = JSON.parse(contents);
    return config;
  } catch {
    // The cause would quote the file, and the file holds passwords.
    // oxlint-disable-next-line preserve-caught-error
    throw new Error(`Cannot read registry credentials from ${file}: it is not JSON`);
  }
}

/** The docker client's protocol: the server's address on stdin, JSON with Username and Secret on stdout. */
async function fromHelper(helper: string, server: string): Promise<string | undefined> {
  const program = `docker-credential-${helper}`;
  return await new Promise((resolve, reject) => {
    const child = execFile(program, ["get"], { timeout: 20_000, maxBuffer: 65_536 }, (error, stdout) => {
      if (error !== null && /credentials not found/i.test(stdout)) resolve(undefined);
      else if (error !== null) reject(new Error(`Cannot get registry credentials for ${server}: ${program} failed (code ${String(error.code)})`));
      else {
        const answer = parseConfig(`the answer of ${program}`, stdout);
        const username = text(answer, "Username"), secret = text(answer, "Secret");
        resolve(encode(username === "<token>" ? { identitytoken: secret, serveraddress: server } : { username, password: secret, serveraddress: server }));
      }
    });
    child.stdin?.on("error", () => {
      // A helper that is absent or ends early closes its stdin; its exit, handled above, says why.
    });
    child.stdin?.end(server);
  });
}

function encode(auth: Readonly<Record<string, string>>): string {
  return Buffer.from(JSON.stringify(auth)).toString("base64url");
}
