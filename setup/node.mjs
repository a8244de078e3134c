import { existsSync } from "node:fs";
import { join } from "node:path";
import { SetupError } from "./progress.mjs";

export const nodeMajorMin = 24;

/** The Node that podkit's programs run on: the running one when it is new enough, else the one that the dependencies carry. */
export function rightNode(root) {
  if (Number(process.versions.node.split(".")[0]) >= nodeMajorMin) return process.execPath;
  const carried = join(root, `node_modules/node-linux-${process.arch}/bin/node`);
  if (process.platform === "linux" && existsSync(carried)) return carried;
  throw new SetupError(`podkit needs Node ${nodeMajorMin} or newer, this is ${process.versions.node}, and for ${process.platform} ${process.arch} none comes with the dependencies. Remedy: install Node ${nodeMajorMin} (https://nodejs.org)`, 78);
}
