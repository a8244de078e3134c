// pure
import type { AdapterConfig } from "../adapter-config.ts";

/** What is allowed in how a folder is watched, and may surprise. */
export function watchHints(adapter: AdapterConfig): readonly string[] {
  const { rename, complete, stable, doneFile, closed, append } = adapter.watch.ready;
  const byLine = adapter.mappings.some((mapping) => mapping.input.format !== "json");
  const tellsEnd = rename || stable !== undefined || doneFile !== undefined || closed !== undefined || append !== undefined;
  const hints: string[] = [];
  if (complete && byLine && !tellsEnd) hints.push('"complete" cannot tell a pause at the end of a line from the end of the report; add "stable", "done-file" or "closed", or have the writer rename');
  if (!complete && !tellsEnd) hints.push("every report counts as finished as soon as it is there; add rules to ready");
  if (stable !== undefined && stable.quietMs < 100) hints.push(`a writer that pauses for ${stable.quietMs}ms counts as finished; a longer quiet is safer`);
  if (closed !== undefined) hints.push('"closed" needs shareProcessNamespace: true in the Pod, and the writer to run as the same user with the same capabilities; until it can see the writer nothing is adapted');
  if (doneFile !== undefined && !/\{file\}|\{name\}/.test(doneFile)) hints.push(`one done-file ${doneFile} for all reports: each report written after it waits for the next one`);
  if (append !== undefined) hints.push('"append" adapts whole lines as they land; what a writer truncates before it was read is lost, and a rotated file is read to its end only while its new name matches too');
  if (adapter.onDelete === "mirror" && adapter.retention.inputs !== undefined) hints.push("reports removed by retention.inputs keep their adapted form; only those that the application removes are mirrored");
  if (adapter.retention.inputs !== undefined) hints.push("retention.inputs removes reports of the application; it needs the folder mounted writable");
  return hints;
}
