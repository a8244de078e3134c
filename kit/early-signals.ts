/**
 * Counts SIGTERM and SIGINT from the first moment. As PID 1 a process has no default action for them, so one that came while the rest
 * of the program was still loading would be lost. Imported first by kit/process.ts.
 */
type Listener = (signal: NodeJS.Signals) => void;

const seen: NodeJS.Signals[] = [];
let listener: Listener | undefined;

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  process.on(signal, () => {
    if (listener === undefined) seen.push(signal);
    else listener(signal);
  });
}

/** Hands over the signals seen so far and all that follow. */
export function listenForSignals(onSignal: Listener): void {
  listener = onSignal;
  for (const signal of seen.splice(0)) onSignal(signal);
}
