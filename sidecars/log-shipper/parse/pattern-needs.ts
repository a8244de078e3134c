// pure
import { flattened, readPattern, type Part } from "./pattern-parts.ts";

/** The longest text found that every match of the pattern contains; empty when none is seen. Whoever searches much text can look for it first. */
export function requiredText(source: string, flags = ""): string {
  return longestRun(flattened(readPattern(source, flags)));
}

/** Texts of which every match of the pattern contains at least one, as long ones as are found; empty when none are seen. */
export function requiredTexts(source: string, flags = ""): readonly string[] {
  return alternatives(readPattern(source, flags));
}

function longestRun(parts: readonly Part[]): string {
  let longest = "";
  let run = "";
  for (const part of parts) {
    const single = part.kind === "repeat" && part.min > 0 ? part.part : part;
    const literal = single.kind === "characters" ? single.literal : undefined;
    if (part.kind === "nothing") continue;
    run = literal === undefined ? "" : run + literal;
    if (run.length > longest.length) longest = run;
    if (part.kind === "repeat") run = "";
  }
  return longest;
}

function alternatives(whole: Part): readonly string[] {
  const parts = flattened(whole);
  const run = longestRun(parts);
  let best: readonly string[] = run === "" ? [] : [run];
  for (const part of parts) {
    const found = part.kind === "repeat" && part.min > 0 ? alternatives(part.part) : part.kind === "choice" ? ofEach(part.options) : [];
    if (shortestOf(found) > shortestOf(best)) best = found;
  }
  return best;
}

function ofEach(options: readonly Part[]): readonly string[] {
  const texts = options.map(alternatives);
  return texts.some((each) => each.length === 0) ? [] : texts.flat();
}

function shortestOf(texts: readonly string[]): number {
  return texts.length === 0 ? 0 : Math.min(...texts.map((text) => text.length));
}

/** How many characters every match has at least. */
export function shortestMatch(source: string, flags = ""): number {
  return shortest(readPattern(source, flags));
}

function shortest(part: Part): number {
  switch (part.kind) {
    case "characters":
      return 1;
    case "sequence":
      return part.parts.reduce((sum, each) => sum + shortest(each), 0);
    case "choice":
      return Math.min(...part.options.map(shortest));
    case "repeat":
      return shortest(part.part) * part.min;
    default:
      return 0;
  }
}
