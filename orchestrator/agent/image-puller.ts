import { backoffDelayMs, type Backoff } from "../../kit/backoff.ts";
import type { Clock } from "../../kit/clock.ts";
import type { Container } from "../api/types/pod.ts";
import { RuntimeError, type ImageInfo, type Runtime } from "../runtime/runtime.ts";
import { imageNameFault } from "./image-reference.ts";
import { goElapsed } from "./pod-lifecycle/time-format.ts";

/** An image that cannot be had now. `reason` is the container's waiting reason. */
export class ImageProblem extends Error {
  readonly reason: "ErrImagePull" | "ImagePullBackOff" | "ErrImageNeverPull" | "InvalidImageName";
  readonly retryAtMs: number;
  constructor(reason: ImageProblem["reason"], message: string, retryAtMs: number, cause?: unknown) {
    super(message, { cause });
    this.name = "ImageProblem";
    this.reason = reason;
    this.retryAtMs = retryAtMs;
  }
}

export type PullEvents = (type: "Normal" | "Warning", reason: string, message: string) => void;

const pullBackoff: Backoff = { initialMs: 10_000, maxMs: 300_000, factor: 2, jitter: 0 };
/** How long ErrImagePull is shown before ImagePullBackOff. */
const shownMs = 2000;
/** What only a change of the image store or of the Pod can mend is looked at again so often. */
const incurableRetryMs = 10_000;

/** Provides images by imagePullPolicy. Each image is pulled once at a time, with a back-off of its own after failures, kept in memory only. */
export class ImagePuller {
  readonly #runtime: Runtime;
  readonly #clock: Clock;
  readonly #pulls = new Map<string, Promise<ImageInfo>>();
  readonly #failures = new Map<string, { readonly count: number; readonly retryAtMs: number; readonly message: string }>();

  constructor(options: { readonly runtime: Runtime; readonly clock: Clock }) {
    this.#runtime = options.runtime;
    this.#clock = options.clock;
  }

  /** Throws ImageProblem, or RuntimeError when the engine itself fails. */
  async ensure(container: Container, event: PullEvents): Promise<ImageInfo> {
    const reference = container.image;
    const fault = imageNameFault(reference);
    if (fault !== undefined) {
      const message = `Failed to apply default image tag ${JSON.stringify(reference)}: couldn't parse image name ${JSON.stringify(reference)}: ${fault}`;
      event("Warning", "InspectFailed", message);
      event("Warning", "Failed", "Error: InvalidImageName");
      throw new ImageProblem("InvalidImageName", message, this.#clock.nowMs() + incurableRetryMs);
    }
    const policy = container.imagePullPolicy ?? "IfNotPresent";
    const present = policy === "Always" ? undefined : await this.#runtime.imageStatus(reference);
    if (present !== undefined) {
      event("Normal", "Pulled", `Container image "${reference}" already present on machine`);
      return present;
    }
    if (policy === "Never") {
      const message = `Container image "${reference}" is not present with pull policy of Never`;
      event("Warning", "ErrImageNeverPull", message);
      event("Warning", "Failed", "Error: ErrImageNeverPull");
      throw new ImageProblem("ErrImageNeverPull", message, this.#clock.nowMs() + incurableRetryMs);
    }
    const failed = this.#failures.get(reference);
    if (failed !== undefined && this.#clock.nowMs() < failed.retryAtMs) {
      event("Normal", "BackOff", `Back-off pulling image "${reference}"`);
      event("Warning", "Failed", "Error: ImagePullBackOff");
      throw new ImageProblem("ImagePullBackOff", `Back-off pulling image "${reference}": ${failed.message}`, failed.retryAtMs);
    }
    return await this.#pull(reference, event);
  }

  async #pull(reference: string, event: PullEvents): Promise<ImageInfo> {
    event("Normal", "Pulling", `Pulling image "${reference}"`);
    const startedMs = this.#clock.monotonicMs();
    let pull = this.#pulls.get(reference);
    if (pull === undefined) {
      pull = this.#runtime.pullImage(reference, {}).finally(() => this.#pulls.delete(reference));
      this.#pulls.set(reference, pull);
    }
    try {
      const image = await pull;
      this.#failures.delete(reference);
      event("Normal", "Pulled", `Successfully pulled image "${reference}" in ${goElapsed(this.#clock.monotonicMs() - startedMs)}. Image size: ${image.sizeBytes} bytes.`);
      return image;
    } catch (error) {
      throw this.#noteFailure(reference, error, event);
    }
  }

  #noteFailure(reference: string, error: unknown, event: PullEvents): ImageProblem {
    const count = this.#failures.get(reference)?.count ?? 0;
    const words = error instanceof RuntimeError && error.remedy !== undefined ? `${error.message}. ${error.remedy}` : error instanceof Error ? error.message : String(error);
    const nowMs = this.#clock.nowMs();
    this.#failures.set(reference, { count: count + 1, retryAtMs: nowMs + backoffDelayMs(pullBackoff, count, () => 0), message: `ErrImagePull: ${words}` });
    event("Warning", "Failed", `Failed to pull image "${reference}": ${words}`);
    event("Warning", "Failed", "Error: ErrImagePull");
    return new ImageProblem("ErrImagePull", words, nowMs + shownMs, error);
  }
}
