// pure
/** RFC 3339 in UTC to the second, as metadata and status times are written. */
export const apiTime = (atMs: number): string => new Date(atMs).toISOString().replace(/\.\d{3}Z$/, "Z");
