import type { CommandContext } from "../command.ts";
import { LiveLines } from "../live-lines.ts";
import { placedName } from "../print/kinds.ts";
import { printable } from "../print/text.ts";
import type { Palette } from "../print/palette.ts";
import type { ContainerProgress } from "./progress.ts";
import type { PodView } from "./wait.ts";

/** Shows how Pods come up: a table redrawn in place on a terminal; otherwise a line whenever a container or a Pod changes. */
export class ProgressDisplay {
  readonly #context: CommandContext;
  readonly #live: LiveLines;
  readonly #startedMs: number;
  readonly #said = new Map<string, string>();

  constructor(context: CommandContext) {
    this.#context = context;
    this.#live = new LiveLines(context.stderr);
    this.#startedMs = context.clock.monotonicMs();
  }

  show(views: readonly PodView[]): void {
    if (this.#context.stderr.isTTY) {
      const seconds = Math.floor((this.#context.clock.monotonicMs() - this.#startedMs) / 1000);
      const done = views.filter(({ progress }) => progress.state === "ready" || progress.state === "finished").length;
      this.#live.draw([...progressTable(views, this.#context.stderrPalette), this.#context.stderrPalette.dim(`${done} of ${views.length} Pods ready, ${seconds} s`)]);
      return;
    }
    const over = views.every(({ progress }) => progress.state === "ready" || progress.state === "finished");
    if (over && this.#said.size === 0) return; // all was ready at the first look: there is no progress to tell
    for (const { pod, progress } of views) {
      const name = placedName(pod);
      for (const container of progress.containers) if (container.mark !== "waiting") this.#say(`${pod.metadata.uid ?? ""}/${container.name}`, `${name} ${container.name}: ${printable(container.words)}`);
      this.#say(pod.metadata.uid ?? "", `${name}: ${printable(progress.words)}`);
    }
  }

  /** Ends the table; what comes next is printed below its last state. */
  finish(): void {
    this.#live.finish();
  }

  #say(key: string, line: string): void {
    if (this.#said.get(key) === line) return;
    this.#said.set(key, line);
    this.#context.remark(line);
  }
}

const marks: Readonly<Record<ContainerProgress["mark"], string>> = { waiting: "○", working: "●", done: "✔", trouble: "✖" };

const paints: Readonly<Record<ContainerProgress["mark"], keyof Palette>> = { waiting: "dim", working: "cyan", done: "green", trouble: "yellow" };

export function progressTable(views: readonly PodView[], palette: Palette): string[] {
  const width = Math.max(0, ...views.flatMap(({ progress }) => progress.containers.map((container) => container.name.length))) + 2;
  return views.flatMap(({ pod, progress }) => {
    const over = progress.state === "ready" || progress.state === "finished";
    const state = over ? palette.green(progress.words) : progress.state === "hopeless" ? palette.red("failed") : printable(progress.words);
    return [
      `${palette.bold(placedName(pod))}  ${state}`,
      ...progress.containers.map((container) => {
        const paint = palette[paints[container.mark]];
        return `  ${paint(marks[container.mark])} ${container.name.padEnd(width)}${palette.dim((container.role === "app" ? "" : container.role).padEnd(9))}${paint(printable(container.words))}`;
      }),
    ];
  });
}
