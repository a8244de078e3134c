import type { Clock } from "../../kit/clock.ts";
import type { ApiClient } from "../api/client.ts";
import { ApiError, badRequest, notFound } from "../api/errors.ts";
import type { NodeStreams, PodExecOptions, PodExecSession, PodLogOptions } from "../api/node-streams.ts";
import { pods } from "../api/types/kinds.ts";
import type { Pod } from "../api/types/pod.ts";
import { label, RuntimeError, type Runtime, type RuntimeObject } from "../runtime/runtime.ts";

type StreamsOptions = { readonly cluster: string; readonly client: ApiClient; readonly runtime: Runtime; readonly clock: Clock; readonly waitingReason: (uid: string, container: string) => string | undefined };

/** Logs and exec of the Pods of this node, with the kubelet's answers for what cannot be served. Knows only what runtime and API say. */
export function createStreams(o: StreamsOptions): NodeStreams {
  return {
    async *logs(options) {
      const pod = await findPod(o.client, options.namespace, options.pod);
      const container = chooseContainer(pod, options.container);
      const attempts = await attemptsOf(o, pod, container);
      const target = options.previous ? previousAttempt(attempts, o.waitingReason(pod.metadata.uid ?? "", container) !== undefined) : attempts.find((attempt) => attempt.state !== "created");
      if (target === undefined) throw noLogs(o, pod, container, options.previous);
      yield* limited(readLogs(o, target.id, options), options.limitBytes);
    },
    async exec(options) {
      const pod = await findPod(o.client, options.namespace, options.pod);
      const container = chooseContainer(pod, options.container);
      const target = (await attemptsOf(o, pod, container)).find((attempt) => attempt.state === "running");
      if (target === undefined) throw new ApiError({ code: 500, reason: "InternalError", message: `unable to upgrade connection: container not found ("${container}")` });
      return await startExec(o.runtime, target.id, options);
    },
  };
}

async function findPod(client: ApiClient, namespace: string, name: string): Promise<Pod> {
  const pod = await client.get(pods, { namespace, name });
  if (pod === undefined) throw notFound(pods, name);
  return pod;
}

/** As kubectl's server side: the only container, or an error that lists the choice. */
function chooseContainer(pod: Pod, wanted: string | undefined): string {
  const inits = (pod.spec.initContainers ?? []).map((container) => container.name);
  const apps = pod.spec.containers.map((container) => container.name);
  if (wanted !== undefined && wanted !== "") {
    if ([...inits, ...apps].includes(wanted)) return wanted;
    throw badRequest(`container ${wanted} is not valid for pod ${pod.metadata.name}`);
  }
  const [only] = apps;
  if (apps.length === 1 && only !== undefined) return only;
  const more = inits.length === 0 ? "" : ` or one of the init containers: [${inits.join(" ")}]`;
  throw badRequest(`a container name must be specified for pod ${pod.metadata.name}, choose one of: [${apps.join(" ")}]${more}`);
}

/** Newest first. */
async function attemptsOf(o: StreamsOptions, pod: Pod, container: string): Promise<readonly RuntimeObject[]> {
  const objects = await o.runtime.list({ [label.cluster]: o.cluster, [label.podUid]: pod.metadata.uid ?? "", [label.container]: container });
  return objects.toSorted((a, b) => Number(b.labels[label.attempt] ?? 0) - Number(a.labels[label.attempt] ?? 0));
}

/** What lastState tells of: while a container waits for its restart its newest dead attempt, else the dead one before the newest. */
function previousAttempt(attempts: readonly RuntimeObject[], waiting: boolean): RuntimeObject | undefined {
  const [newest, ...older] = attempts;
  return newest?.state === "exited" && waiting ? newest : older.find((attempt) => attempt.state === "exited");
}

function noLogs(o: StreamsOptions, pod: Pod, container: string, previous: boolean): ApiError {
  if (previous) return badRequest(`previous terminated container "${container}" in pod "${pod.metadata.name}" not found`);
  const reason = o.waitingReason(pod.metadata.uid ?? "", container) ?? "ContainerCreating";
  if (reason === "ContainerCreating" || reason === "PodInitializing") return badRequest(`container "${container}" in pod "${pod.metadata.name}" is waiting to start: ${reason}`);
  if (/Image/.test(reason)) return badRequest(`container "${container}" in pod "${pod.metadata.name}" is waiting to start: ${reason === "ErrImagePull" || reason === "ImagePullBackOff" ? "trying and failing to pull image" : reason}`);
  return badRequest(`container "${container}" in pod "${pod.metadata.name}" is waiting to start: ${reason}`);
}

async function* readLogs(o: StreamsOptions, id: string, options: PodLogOptions): AsyncGenerator<Uint8Array> {
  const chunks = o.runtime.logs(id, {
    follow: options.follow, timestamps: options.timestamps,
    ...(options.tailLines === undefined ? {} : { tailLines: options.tailLines }),
    ...(options.sinceSeconds === undefined ? {} : { sinceMs: o.clock.nowMs() - options.sinceSeconds * 1000 }),
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  });
  for await (const chunk of chunks) yield chunk.bytes;
}

async function* limited(chunks: AsyncIterable<Uint8Array>, bytesMax: number | undefined): AsyncGenerator<Uint8Array> {
  let left = bytesMax ?? Number.POSITIVE_INFINITY;
  for await (const chunk of chunks) {
    if (chunk.length >= left) {
      yield chunk.subarray(0, left);
      return;
    }
    left -= chunk.length;
    yield chunk;
  }
}

async function startExec(runtime: Runtime, id: string, options: PodExecOptions): Promise<PodExecSession> {
  try {
    return await runtime.exec(id, { command: options.command, tty: options.tty, stdin: options.stdin, ...(options.signal === undefined ? {} : { signal: options.signal }) });
  } catch (error) {
    if (error instanceof RuntimeError) throw new ApiError({ code: 500, reason: "InternalError", message: error.message, cause: error });
    throw error;
  }
}
