import { backoffDelayMs, type Backoff } from "../../kit/backoff.ts";
import { BoundedQueue } from "../../kit/bounded-queue.ts";
import type { Clock, Random } from "../../kit/clock.ts";
import type { ApiClient } from "./client.ts";
import { EventCorrelation, touch } from "./event-correlation.ts";
import { ApiError } from "./errors.ts";
import { apiTime } from "./types/api-time.ts";
import type { Event } from "./types/event.ts";
import { events } from "./types/kinds.ts";
import type { ApiObject } from "./types/meta.ts";

export type RecorderOptions = {
  readonly client: ApiClient;
  /** Who speaks: `kubelet`, `default-scheduler`. */
  readonly component: string;
  /** The node it speaks of. */
  readonly host?: string;
  readonly clock: Clock;
  readonly random?: Random;
  /** An event that was given up: the API refused it or could not be reached. */
  readonly onError?: (error: unknown) => void;
};

export interface EventRecorder {
  /** Never waits and never throws. `fieldPath` points into the object: `spec.containers{web}`. */
  event(about: ApiObject, type: "Normal" | "Warning", reason: string, message: string, options?: { readonly fieldPath?: string }): void;
  /** Resolves when everything told so far was written or given up. */
  flush(): Promise<void>;
}

type Told = { readonly about: ApiObject; readonly type: "Normal" | "Warning"; readonly reason: string; readonly message: string; readonly fieldPath: string | undefined; readonly atMs: number };

const capacity = 1000;
const messageMax = 1024;
const attempts = 4;
const retry: Backoff = { initialMs: 100, maxMs: 5_000, factor: 4, jitter: 0.5 };

/**
 * Writes Events for people, as client-go does: a repetition counts up the event that exists, similar ones are combined, one object cannot
 * flood. Best effort by nature: when a thousand wait, or the API stays out of reach over four attempts, events are lost.
 */
export function createRecorder(options: RecorderOptions): EventRecorder {
  return new Recorder(options);
}

class Recorder implements EventRecorder {
  readonly #options: RecorderOptions;
  readonly #queue = new BoundedQueue<Told>({ capacity });
  readonly #correlation = new EventCorrelation();
  readonly #written = new Map<string, { event: Event | undefined }>();
  #working: Promise<void> | undefined;
  #sequence = 0;

  constructor(options: RecorderOptions) {
    this.#options = options;
  }

  event(about: ApiObject, type: "Normal" | "Warning", reason: string, message: string, options: { readonly fieldPath?: string } = {}): void {
    const cut = message.length > messageMax ? `${message.slice(0, messageMax - 3)}...` : message;
    this.#queue.tryPush({ about, type, reason, message: cut, fieldPath: options.fieldPath, atMs: this.#options.clock.nowMs() });
    this.#working ??= this.#work();
  }

  async flush(): Promise<void> {
    while (this.#working !== undefined) await this.#working;
  }

  /** Runs while there is something to write, so that an idle recorder holds nothing. */
  async #work(): Promise<void> {
    await Promise.resolve();
    while (this.#queue.length > 0) {
      const told = await this.#queue.take();
      if (told !== undefined) await this.#record(told);
    }
    this.#working = undefined;
  }

  async #record(told: Told): Promise<void> {
    const { component, host, clock, random = Math.random, onError } = this.#options;
    const { namespace, name, uid } = told.about.metadata;
    const correlated = this.#correlation.correlate({
      about: `${told.about.kind}/${namespace ?? ""}/${name}/${uid ?? ""}/${told.fieldPath ?? ""}`, source: `${component}/${host ?? ""}`, type: told.type, reason: told.reason, message: told.message, atMs: told.atMs,
    });
    if (correlated.kind === "drop") return;
    const slot = touch<{ event: Event | undefined }>(this.#written, correlated.key, () => ({ event: undefined }));
    for (let attempt = 0; attempt < attempts; attempt++) {
      try {
        slot.event = await this.#write(slot.event, { ...told, message: correlated.message });
        return;
      } catch (error) {
        const refused = error instanceof ApiError && error.code >= 400 && error.code < 500 && error.code !== 429;
        if (refused || attempt === attempts - 1) { onError?.(error); return; }
        await clock.sleep(backoffDelayMs(retry, attempt, random));
      }
    }
  }

  async #write(known: Event | undefined, told: Told): Promise<Event> {
    const lastTimestamp = apiTime(told.atMs);
    if (known !== undefined) {
      const { resourceVersion: _r, ...metadata } = known.metadata;
      const outcome = await this.#options.client.update(events, { ...known, metadata, count: (known.count ?? 1) + 1, lastTimestamp, message: told.message });
      // It outlived its time to live, or somebody deleted it: begin a new one.
      if (outcome.kind === "updated") return outcome.object;
    }
    return await this.#options.client.create(events, this.#newEvent(told, lastTimestamp));
  }

  #newEvent(told: Told, timestamp: string): Event {
    const { component, host } = this.#options;
    const { namespace, name, uid, resourceVersion } = told.about.metadata;
    // As client-go: the object's name and a unique number, here the time and a sequence instead of nanoseconds.
    const unique = (BigInt(told.atMs) * 1_000_000n + BigInt(this.#sequence++ % 1_000_000)).toString(16);
    return {
      apiVersion: "v1", kind: "Event", metadata: { name: `${name}.${unique}`, namespace: namespace ?? "default" },
      involvedObject: {
        apiVersion: told.about.apiVersion, kind: told.about.kind, name, ...(namespace === undefined ? {} : { namespace }), ...(uid === undefined ? {} : { uid }),
        ...(resourceVersion === undefined ? {} : { resourceVersion }), ...(told.fieldPath === undefined ? {} : { fieldPath: told.fieldPath }),
      },
      type: told.type, reason: told.reason, message: told.message, count: 1, firstTimestamp: timestamp, lastTimestamp: timestamp,
      source: { component, ...(host === undefined ? {} : { host }) }, reportingComponent: component, reportingInstance: host ?? "",
    };
  }
}
