// pure
/**
 * What the bench tells its receiver, one message each. `count`: counts lines, by the size that a chunk says of itself or, with `decode`, one by one. `check`: decodes every record and compares it with the
 * line of its number; with `kept`, records may have been changed on purpose and only their numbers are checked. `latency`: notes how old each record is.
 * `stall`: accepts and reads nothing, until `go`. `down`: refuses connections, until `up`.
 */
export type Order =
  | { readonly do: "count"; readonly lines: number; readonly decode: boolean }
  | { readonly do: "check"; readonly from: number; readonly lines: number; readonly kept: boolean }
  | { readonly do: "latency"; readonly lines: number }
  | { readonly do: "stall" | "go" | "down" | "up" | "total" };

/** `atNs` is of the machine's monotonic clock, and is the moment after the last ack. */
export type Answer =
  | { readonly kind: "listening"; readonly forwardPort: number; readonly linesPort: number }
  | { readonly kind: "done"; readonly atNs: string; readonly bytes: number; readonly faults: readonly string[]; readonly ages: readonly number[] }
  | { readonly kind: "total"; readonly lines: number; readonly bytes: number };
