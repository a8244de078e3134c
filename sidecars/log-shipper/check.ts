import { exitCode } from "../../kit/exit-code.ts";
import type { CommandContext } from "../../kit/process.ts";
import type { ShipperConfig } from "./config.ts";
import { Discovery } from "./discover.ts";

/** `check`: which files each tail source matches now, and which rotated forms of them it sees. Changes nothing. */
export function runCheck({ config, print }: CommandContext<ShipperConfig>): Promise<number> {
  let matched = 0;
  for (const [index, source] of config.sources.entries()) {
    if (source.type !== "tail") continue;
    const look = new Discovery({ patterns: source.paths, exclude: source.exclude }).look();
    matched += look.matches.length;
    print(`sources[${index}] tail ${source.paths.join(" ")} (${source.format}, tag ${source.tag}): ${look.matches.length} files\n`);
    for (const found of look.matches) print(`  ${found.path}  ${found.size} bytes\n`);
    for (const found of look.siblings) print(`  ${found.path}  ${found.size} bytes, a rotated ${found.formerPath}: read only if it was rotated while the shipper knew it\n`);
    if (look.directories.length === 0) print("  none of the directories exists yet\n");
    for (const directory of look.unlisted) print(`  ${directory} cannot be listed: check its permissions\n`);
  }
  return Promise.resolve(matched > 0 ? exitCode.ok : exitCode.unavailable);
}
