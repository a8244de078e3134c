// pure
import type { Palette } from "../print/palette.ts";
import { printable } from "../print/text.ts";
import type { Activity } from "./targets.ts";

/** A block per Pod, a line per sentence, containers in one column. */
export function renderActivity(activities: readonly Activity[], palette: Palette): string[] {
  const pods = Map.groupBy(activities, (activity) => `${activity.target.namespace}/${activity.target.pod}`);
  const width = Math.max(0, ...activities.map((activity) => activity.target.container.length)) + 2;
  return [...pods].flatMap(([name, members]) => [
    palette.bold(name.replace(/^default\//, "")),
    ...members.flatMap(({ target, sentences, trouble }) => {
      const lines = trouble === undefined ? (sentences.length === 0 ? [palette.dim("nothing counted yet")] : sentences.map(printable)) : [palette.yellow(printable(trouble))];
      return lines.map((line, index) => `  ${(index === 0 ? target.container : "").padEnd(width)}${line}`);
    }),
  ]);
}
