import { ambassadorErrors } from "../errors.ts";
import type { Hub } from "../hub.ts";
import { collectUnanswered, type Outcome } from "./resend.ts";
import type { Run } from "./run.ts";

const attemptsMax = 16;

/** What one client has to send again or to answer itself, because a server refused it or a connection was lost. */
export class Recovery {
  /** Rounds in a row in which nothing was answered as it should be. */
  attempts = 0;
  readonly #hub: Hub;
  #outcomes: Outcome[] = [];
  #pauseMs = 0;

  constructor(hub: Hub) {
    this.#hub = hub;
  }

  /** A reply that came while requests are being collected. `refused`: it was not executed. */
  replied(run: Run, frame: Buffer, refused: boolean): void {
    const [outcome] = collectUnanswered(this.#hub, run, run.replied - 1, run.replied, () => frame);
    const again = outcome !== undefined && (refused || outcome.kind === "again");
    this.#outcomes.push(again ? { kind: "again", request: outcome.request } : { kind: "answered", request: Buffer.alloc(0), reply: frame, thenClose: false });
  }

  /** The connection is gone with these runs unanswered. */
  lost(runs: readonly Run[], reason: string): void {
    for (const run of runs) {
      this.#outcomes.push(...collectUnanswered(this.#hub, run, run.replied, run.count, () => {
        this.#hub.counts.uncertain += 1;
        return ambassadorErrors.uncertain(reason);
      }));
    }
  }

  /** One request that was never sent, or whose repetition harms nobody. */
  again(request: Buffer): void {
    this.#outcomes.push({ kind: "again", request });
  }

  /** The next round is to wait for so long, and each after it for longer, unless others say that it must be longer still. */
  pause(pauseMs: number): void {
    this.#pauseMs = Math.max(this.#pauseMs, pauseMs);
  }

  /** No further attempt will be made for what is unanswered now. */
  giveUp(): void {
    this.attempts = attemptsMax;
  }

  /** What to do in the order of the requests, and how long to wait before. Requests that were tried too often are answered with an error. */
  take(reason: string): { readonly outcomes: readonly Outcome[]; readonly pauseMs: number } {
    this.attempts += 1;
    const outcomes = this.#outcomes, pauseMs = this.#pauseMs * this.attempts;
    this.#outcomes = [];
    this.#pauseMs = 0;
    this.#hub.counts.reissued += outcomes.filter((outcome) => outcome.kind === "again").length;
    return { outcomes: this.attempts <= attemptsMax ? outcomes : outcomes.map((outcome) => endOf(outcome, reason)), pauseMs };
  }
}

function endOf(outcome: Outcome, reason: string): Outcome {
  return outcome.kind === "again" ? { ...outcome, kind: "answered", reply: ambassadorErrors.tooManyAttempts(reason), thenClose: false } : outcome;
}
