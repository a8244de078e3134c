import { RuntimeError } from "../runtime.ts";
import type { ImageInfo } from "../runtime.ts";
import { classifyAnswer } from "./classify-failure.ts";
import { imageInfoOf } from "./container-status.ts";
import type { EngineHttp } from "./engine-http.ts";
import { text } from "./engine-json.ts";
import type { Json } from "./engine-json.ts";
import { parseImageReference } from "./image-reference.ts";
import { jsonLines } from "./json-lines.ts";
import { registryAuth } from "./registry-auth.ts";

/** Undefined also for what is no reference at all: the pull that follows says so in the engine's words. */
export async function inspectImage(http: EngineHttp, reference: string): Promise<ImageInfo | undefined> {
  if (!/^[\w.:/@-]+$/.test(reference)) return undefined;
  const { status, json } = await http.call({ method: "GET", path: `/images/${reference}/json`, doing: `inspect image "${reference}"`, accept: [301, 400, 404] });
  return status === 200 ? imageInfoOf(json) : undefined;
}

/** A registry that sends nothing for this long has stalled. */
const stallMs = 300_000;

export async function pullImage(http: EngineHttp, o: { reference: string; configDirectory: string; onProgress?: (line: string) => void; signal?: AbortSignal }): Promise<ImageInfo> {
  const doing = `pull image "${o.reference}"`;
  const { registry, repository, tagOrDigest } = parseImageReference(o.reference);
  const auth = await registryAuth(o.configDirectory, registry).catch((error: unknown) => {
    throw new RuntimeError("InvalidConfig", `Cannot ${doing}: ${error instanceof Error ? error.message : String(error)}`, { cause: error, remedy: "Correct the docker client's config.json, or run `docker login` again." });
  });
  const stalled = new AbortController();
  const signal = o.signal === undefined ? stalled.signal : AbortSignal.any([o.signal, stalled.signal]);
  let timer = setTimeout(() => stalled.abort(), stallMs);
  try {
    const body = await http.stream({
      method: "POST", path: "/images/create", query: { fromImage: repository, tag: tagOrDigest }, doing, kind: "pull", signal,
      ...(auth === undefined ? {} : { headers: { "x-registry-auth": auth } }),
    });
    const said = new Map<string, string>();
    for await (const line of jsonLines(body)) {
      clearTimeout(timer);
      timer = setTimeout(() => stalled.abort(), stallMs);
      report(line, said, doing, o.onProgress);
    }
  } catch (error) {
    if (stalled.signal.aborted) throw new RuntimeError("Timeout", `Cannot ${doing}: the registry sent nothing for ${stallMs / 1000} s`, { cause: error });
    throw error;
  } finally {
    clearTimeout(timer);
  }
  const image = await inspectImage(http, o.reference);
  if (image === undefined) throw new RuntimeError("Internal", `Cannot ${doing}: the engine pulled it, but does not have it`);
  return image;
}

/** One line per layer and step; the engine repeats a step for every bit of progress. Throws when the line is the pull's failure. */
function report(line: Json, said: Map<string, string>, doing: string, onProgress: ((line: string) => void) | undefined): void {
  const failure = text(line, "errorDetail", "message") || text(line, "error");
  if (failure !== "") {
    const { code, message, remedy } = classifyAnswer({ doing, kind: "pull", status: 500, words: failure });
    throw new RuntimeError(code, message, remedy === undefined ? {} : { remedy });
  }
  const layer = text(line, "id"), step = text(line, "status");
  if (step === "" || said.get(layer) === step) return;
  said.set(layer, step);
  onProgress?.(layer === "" ? step : `${layer}: ${step}`);
}
