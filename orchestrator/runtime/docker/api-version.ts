// pure
/** The newest Engine API whose changes were read for this driver, and the oldest that has all it uses. */
export const newestKnownApi = "1.51";
export const oldestUsableApi = "1.40";

/** The API version to speak, or a sentence when there is none both sides know. */
export function negotiateApi(engine: { readonly apiVersion: string; readonly minApiVersion: string }): { readonly kind: "ok"; readonly apiVersion: string } | { readonly kind: "none"; readonly why: string } {
  const chosen = compareApi(engine.apiVersion, newestKnownApi) < 0 ? engine.apiVersion : newestKnownApi;
  if (compareApi(chosen, oldestUsableApi) < 0) return { kind: "none", why: `the engine speaks API ${engine.apiVersion} at most, podkit needs ${oldestUsableApi} or newer (Docker 19.03)` };
  if (engine.minApiVersion !== "" && compareApi(chosen, engine.minApiVersion) < 0) return { kind: "none", why: `the engine refuses API versions below ${engine.minApiVersion}, podkit knows ${newestKnownApi} at most` };
  return { kind: "ok", apiVersion: chosen };
}

function compareApi(left: string, right: string): number {
  const [a, b] = [left, right].map((version) => version.split(".").map(Number));
  return (a?.[0] ?? 0) - (b?.[0] ?? 0) || (a?.[1] ?? 0) - (b?.[1] ?? 0);
}
