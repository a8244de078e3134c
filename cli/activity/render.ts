// pure
import type { Palette } from "../print/palette.ts";
import { printable, wrap } from "../print/text.ts";
import type { Activity } from "./targets.ts";

/** A block per Pod, containers in one column; a sentence that is longer than the line goes on below itself. */
export function renderActivity(activities: readonly Activity[], palette: Palette, columns: number): string[] {
  const pods = Map.groupBy(activities, (activity) => `${activity.target.namespace}/${activity.target.pod}`);
  const width = Math.max(0, ...activities.map((activity) => activity.target.container.length)) + 2;
  return [...pods].flatMap(([name, members]) => [
    palette.bold(name.replace(/^default\//, "")),
    ...members.flatMap(({ target, sentences, trouble }) => {
      const room = Math.max(30, columns - width - 3);
      const lines = trouble === undefined ? (sentences.length === 0 ? [palette.dim("nothing counted yet")] : sentences.flatMap((sentence) => folded(printable(sentence), room))) : folded(printable(trouble), room).map(palette.yellow);
      return lines.map((line, index) => `  ${(index === 0 ? target.container : "").padEnd(width)}${line}`);
    }),
  ]);
}

/** Wrapped, with what goes on indented by two more than the sentence. */
function folded(sentence: string, room: number): string[] {
  const indent = sentence.length - sentence.trimStart().length;
  return wrap(sentence.trimStart(), room - indent - 2).map((line, index) => `${" ".repeat(index === 0 ? indent : indent + 2)}${line}`);
}
