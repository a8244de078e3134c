import process from "node:process";

/** Aborted by SIGINT or SIGTERM: the usual end of a command that follows something. A second one ends the process at once, as without us. */
export function interruptSignal(): AbortSignal {
  const controller = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => controller.abort(new Error(`got ${name}`)));
  return controller.signal;
}
