import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { Readable } from "node:stream";
import { Client } from "undici";

/** What the image builder asks of a Docker Engine. Version 1.41 of the API (Engine 20.10) suffices. */
export interface ImageEngine {
  /** What `docker version` calls Version of the server, and the architecture in Go's words (amd64, arm64). */
  version(): Promise<{ readonly version: string; readonly architecture: string }>;
  inspect(reference: string): Promise<EngineImage | undefined>;
  /** Makes a one-layer image of an archive. `changes` are Dockerfile lines such as `USER 65532`. */
  importArchive(o: { readonly archive: AsyncIterable<Uint8Array>; readonly repository: string; readonly tag: string; readonly changes: readonly string[] }): Promise<void>;
  /** The engine's own (classic) builder: the context's Dockerfile may use ARG in FROM, COPY and metadata only. Throws with the failing step's words. */
  build(o: { readonly context: AsyncIterable<Uint8Array>; readonly reference: string; readonly buildArguments: Readonly<Record<string, string>> }): Promise<void>;
  /** Throws with the registry's words. */
  pull(reference: string): Promise<void>;
  /**
   * Runs a command to its end in a container of an image and hands out a folder that it left, as an archive. The files of
   * `archive` are put under `into` first. Throws when the command fails or takes longer than five minutes.
   */
  runAndCollect(o: { readonly image: string; readonly archive: AsyncIterable<Uint8Array>; readonly into: string; readonly command: readonly string[]; readonly env: readonly string[]; readonly collect: string }): Promise<Uint8Array>;
  /** Removes an image by id when nothing uses it and no name is left on it; otherwise does nothing. */
  removeIfUnused(id: string): Promise<void>;
  close(): Promise<void>;
}

export type EngineImage = {
  readonly id: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly names: readonly string[];
  readonly repoDigests: readonly string[];
  readonly env: readonly string[];
  readonly sizeBytes: number;
};

/** Where the engine listens: DOCKER_HOST, else the first usual socket that exists, else the usual one (whose absence is then reported). */
export function engineAddress(env: Readonly<Record<string, string | undefined>>): { readonly origin: string; readonly socketPath: string | undefined } {
  const host = env["DOCKER_HOST"];
  if (host !== undefined && host !== "") {
    const url = new URL(host);
    if (url.protocol === "unix:") return { origin: "http://localhost", socketPath: url.pathname };
    if (url.protocol === "tcp:" || url.protocol === "http:") return { origin: `http://${url.host}`, socketPath: undefined };
    throw new Error(`Cannot use DOCKER_HOST=${host}: expected unix:///path or tcp://host:port`);
  }
  const usual = ["/var/run/docker.sock", `${env["XDG_RUNTIME_DIR"] ?? "/nonexistent"}/docker.sock`, `${homedir()}/.docker/run/docker.sock`];
  return { origin: "http://localhost", socketPath: usual.find((path) => existsSync(path)) ?? "/var/run/docker.sock" };
}

/** Does not connect yet; the first call does and fails with the socket's error when no engine answers. */
export function connectEngine(env: Readonly<Record<string, string | undefined>>): ImageEngine {
  const { origin, socketPath } = engineAddress(env);
  // A build or an import may be silent for minutes on a slow disk; headers come with the first line of progress.
  const client = new Client(origin, { ...(socketPath === undefined ? {} : { socketPath }), headersTimeout: 600_000, bodyTimeout: 600_000 });
  const call = async (method: "GET" | "POST" | "DELETE", path: string, body?: AsyncIterable<Uint8Array>): Promise<{ status: number; text: string }> => {
    const answer = await client.request({ method, path: `/v1.41${path}`, ...(body === undefined ? {} : { body: Readable.from(body), headers: { "content-type": "application/x-tar" } }) });
    return { status: answer.statusCode, text: await answer.body.text() };
  };
  const expectProgress = (what: string, answer: { status: number; text: string }): void => {
    const failure = answer.status >= 300 ? (stringField(parse(answer.text), "message") ?? answer.text) : progressFailure(answer.text);
    if (failure !== undefined) throw new Error(`Cannot ${what}: ${failure.trim()}`);
  };
  return {
    async version() {
      const answer = await call("GET", "/version");
      const value = parse(answer.text);
      const version = stringField(value, "Version");
      const architecture = stringField(value, "Arch");
      if (version === undefined || architecture === undefined) throw new Error(`Cannot read the engine's version: ${answer.text.slice(0, 200)}`);
      return { version, architecture };
    },
    async inspect(reference) {
      const answer = await call("GET", `/images/${encodeURI(reference)}/json`);
      if (answer.status === 404) return undefined;
      if (answer.status !== 200) throw new Error(`Cannot inspect image ${reference}: ${answer.text.trim()}`);
      return imageOf(parse(answer.text));
    },
    async importArchive({ archive, repository, tag, changes }) {
      const query = new URLSearchParams({ fromSrc: "-", repo: repository, tag });
      for (const change of changes) query.append("changes", change);
      expectProgress(`import image ${repository}:${tag}`, await call("POST", `/images/create?${query.toString()}`, archive));
    },
    async build({ context, reference, buildArguments }) {
      const query = new URLSearchParams({ t: reference, version: "1", rm: "1", forcerm: "1", buildargs: JSON.stringify(buildArguments) });
      expectProgress(`build image ${reference}`, await call("POST", `/build?${query.toString()}`, context));
    },
    async pull(reference) {
      expectProgress(`pull image ${reference}`, await call("POST", `/images/create?${new URLSearchParams({ fromImage: reference }).toString()}`));
    },
    async runAndCollect({ image, archive, into, command, env, collect }) {
      const json = async (method: "POST" | "DELETE" | "GET", path: string, body?: unknown): Promise<unknown> => {
        const answer = await client.request({ method, path: `/v1.41${path}`, headersTimeout: 300_000, ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { "content-type": "application/json" } }) });
        const text = await answer.body.text();
        if (answer.statusCode >= 300 && answer.statusCode !== 304) throw new Error(`Cannot run ${command.join(" ")} in ${image}: ${stringField(parse(text), "message") ?? text}`);
        return parse(text);
      };
      const made = await json("POST", "/containers/create", { Image: image, Entrypoint: command.slice(0, 1), Cmd: command.slice(1), Env: env, NetworkDisabled: true });
      const id = stringField(made, "Id") ?? "";
      try {
        const put = await client.request({ method: "PUT", path: `/v1.41/containers/${id}/archive?path=${encodeURIComponent(into)}`, body: Readable.from(archive), headers: { "content-type": "application/x-tar" } });
        const refusal = await put.body.text();
        if (put.statusCode !== 200) throw new Error(`Cannot put files into ${image}: ${refusal.trim()}`);
        await json("POST", `/containers/${id}/start`);
        const status = field(await json("POST", `/containers/${id}/wait`), "StatusCode");
        if (status !== 0) throw new Error(`Cannot run ${command.join(" ")} in ${image}: exit code ${String(status)}`);
        const got = await client.request({ method: "GET", path: `/v1.41/containers/${id}/archive?path=${encodeURIComponent(collect)}` });
        if (got.statusCode !== 200) throw new Error(`Cannot read ${collect} of ${image}: ${(await got.body.text()).trim()}`);
        return new Uint8Array(await got.body.arrayBuffer());
      } finally {
        await json("DELETE", `/containers/${id}?force=1&v=1`);
      }
    },
    async removeIfUnused(id) {
      const image = await this.inspect(id);
      if (image !== undefined && image.names.length === 0) await call("DELETE", `/images/${encodeURIComponent(id)}`); // refused by the engine while in use
    },
    async close() {
      await client.close();
    },
  };
}

function imageOf(value: unknown): EngineImage {
  const config = field(value, "Config");
  const labels = field(config, "Labels");
  const size = field(value, "Size");
  return {
    id: stringField(value, "Id") ?? "",
    labels: typeof labels === "object" && labels !== null ? Object.fromEntries(Object.entries(labels).filter((pair): pair is [string, string] => typeof pair[1] === "string")) : {},
    names: strings(field(value, "RepoTags")),
    repoDigests: strings(field(value, "RepoDigests")),
    env: strings(field(config, "Env")),
    sizeBytes: typeof size === "number" ? size : 0,
  };
}

/** Progress comes as one JSON object per line under status 200; a failure is one of them. */
function progressFailure(text: string): string | undefined {
  for (const line of text.split("\n")) {
    if (line.trim() === "") continue;
    const failure = stringField(parse(line), "error");
    if (failure !== undefined) return failure;
  }
  return undefined;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // a proxy's page, a cut answer: the callers report the text itself
  }
}

function field(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? Object.entries(value).find(([key]) => key === name)?.[1] : undefined;
}

function strings(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === "string") : [];
}

function stringField(value: unknown, name: string): string | undefined {
  const found = field(value, name);
  return typeof found === "string" ? found : undefined;
}
