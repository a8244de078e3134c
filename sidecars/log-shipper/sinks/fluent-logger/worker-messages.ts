// pure
/** What the worker needs to make its sender. */
export type WorkerSettings = {
  readonly host: string;
  readonly port: number;
  readonly mode: string;
  readonly ack: boolean;
  readonly security: { readonly clientHostname: string; readonly sharedKey: string; readonly username: string; readonly password: string } | undefined;
  readonly tls: Readonly<Record<string, unknown>> | undefined;
  readonly beatMs: number;
};

/** One chunk, to the worker. The entries are its own copy. */
export type ToWorker = { readonly id: number; readonly tag: string; readonly entries: Uint8Array };

/** `beat` says that its event loop turns. */
export type FromWorker = { readonly kind: "beat" } | { readonly kind: "sent"; readonly id: number } | { readonly kind: "failed"; readonly reason: string };
