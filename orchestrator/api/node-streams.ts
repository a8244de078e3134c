import type { Readable, Writable } from "node:stream";

/**
 * What the API server dials on a node for the log and exec subresources (kubelet's streaming endpoint). In process an interface; the
 * agent implements it. Throws ApiError: NotFound for an unknown Pod or container, BadRequest with the list of container names when
 * `container` is needed and absent, BadRequest "container … is waiting to start: …" as the kubelet words it.
 */
export interface NodeStreams {
  logs(options: PodLogOptions): AsyncIterable<Uint8Array>;
  exec(options: PodExecOptions): Promise<PodExecSession>;
}

export type PodLogOptions = {
  readonly namespace: string; readonly pod: string; readonly container?: string;
  readonly follow: boolean; readonly previous: boolean; readonly timestamps: boolean;
  readonly tailLines?: number; readonly sinceSeconds?: number; readonly limitBytes?: number; readonly signal?: AbortSignal;
};
export type PodExecOptions = {
  readonly namespace: string; readonly pod: string; readonly container?: string;
  readonly command: readonly string[]; readonly tty: boolean; readonly stdin: boolean; readonly signal?: AbortSignal;
};

/** The same shape as the runtime's ExecSession; declared here because the API side knows no runtime. */
export type PodExecSession = {
  readonly stdin: Writable | undefined;
  readonly stdout: Readable;
  readonly stderr: Readable;
  resize(size: { readonly columns: number; readonly rows: number }): Promise<void>;
  readonly exitCode: Promise<number>;
};
