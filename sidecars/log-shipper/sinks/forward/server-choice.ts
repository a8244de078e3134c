// pure
/** What the choice between servers goes by. */
export type ServerState = { readonly weight: number; /** In a row; 0 after an acknowledgement. */ readonly failures: number };
export type Load = { readonly inFlightBytes: number; /** All that was ever given to it. */ readonly givenBytes: number; readonly weight: number };

/** Which server to try next: the one that failed least often, the first among equals. */
export function nextServer<S extends ServerState>(servers: readonly S[]): S | undefined {
  return least(servers, (left, right) => left.failures - right.failures);
}

/**
 * Which connection gets the next chunk: the one with the least in flight for its weight, so that a server which is slow gets less,
 * then the one that got least so far for its weight, so that equally fast ones share by weight.
 */
export function leastLoaded<L extends Load>(connections: readonly L[]): L | undefined {
  return least(connections, (left, right) => left.inFlightBytes / left.weight - right.inFlightBytes / right.weight || left.givenBytes / left.weight - right.givenBytes / right.weight);
}

function least<T>(items: readonly T[], compare: (left: T, right: T) => number): T | undefined {
  let best: T | undefined;
  for (const item of items) if (best === undefined || compare(item, best) < 0) best = item;
  return best;
}
