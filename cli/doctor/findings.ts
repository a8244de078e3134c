// pure
import type { Palette } from "../print/palette.ts";
import { plural } from "../print/text.ts";

/** One thing looked at. "fail" means that podkit cannot work; "warn", that something will surprise. */
export type Finding = { readonly level: "ok" | "warn" | "fail"; readonly what: string; readonly message: string; readonly remedy?: string };

export function renderFindings(findings: readonly Finding[], palette: Palette): string[] {
  const paint = { ok: palette.green, warn: palette.yellow, fail: palette.red } as const;
  const width = Math.max(0, ...findings.map((finding) => finding.what.length)) + 2;
  const lines = findings.flatMap(({ level, what, message, remedy }) => [`${paint[level](level.padEnd(6))}${what.padEnd(width)}${message}`, ...(remedy === undefined ? [] : [`${" ".repeat(width + 6)}-> ${remedy}`])]);
  const failed = findings.filter((finding) => finding.level === "fail").length;
  const warned = findings.filter((finding) => finding.level === "warn").length;
  const verdict = failed > 0 ? palette.red(`podkit cannot work here: ${plural(failed, "thing")} to mend`) : warned > 0 ? `podkit can work here, with ${plural(warned, "warning")}` : palette.green("podkit can work here");
  return [...lines, "", verdict];
}
