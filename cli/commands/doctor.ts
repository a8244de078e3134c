import { constants, access, statfs } from "node:fs/promises";
import { dirname } from "node:path";
import process from "node:process";
import type { Runtime } from "../../orchestrator/runtime/runtime.ts";
import { findCluster, folderOf } from "../cluster/connect.ts";
import { connectEngine } from "../cluster/engine.ts";
import type { ClusterFolder } from "../cluster/folder.ts";
import { controlPlaneImages } from "../cluster/images.ts";
import { readStaleLock } from "../cluster/lock.ts";
import { hostPorts, missingImages, missingLocalImages, takenHostPorts } from "../cluster/preflight.ts";
import { hasState } from "../cluster/tear-down.ts";
import type { Command, CommandContext } from "../command.ts";
import { type Finding, renderFindings } from "../doctor/findings.ts";
import { judgeEngine, judgeNode, judgeSpace } from "../doctor/judge.ts";
import { cliExit } from "../exit-codes.ts";
import { CliFailure, messageOf } from "../failure.ts";
import { readManifestFiles } from "../manifest-files.ts";

/** Looks at everything podkit needs, changes nothing, and says of each whether it is well and what to do when not. */
export const doctor: Command = async (context) => {
  const folder = folderOf(context);
  const findings: Finding[] = [judgeNode(process.versions.node)];
  const objects = context.arguments.texts("filename").length === 0 ? [] : await readManifestFiles(context);
  const runtime = await findEngine(context, findings);
  if (runtime !== undefined) {
    try {
      await lookAtEngine(context, runtime, findings);
      for (const lack of await missingLocalImages(runtime, objects)) findings.push({ level: "fail", what: "images", ...lack });
    } finally {
      await runtime.close();
    }
  }
  await lookAtFolder(folder, findings);
  await lookAtControlPlane(context, folder, findings);
  const fresh = !(await hasState(folder));
  if (fresh) for (const lack of await takenHostPorts(hostPorts(objects), [])) findings.push({ level: "fail", what: "ports", ...lack });
  for (const line of renderFindings(findings, context.palette)) context.print(line);
  return findings.some((finding) => finding.level === "fail") ? cliExit.unavailable : cliExit.ok;
};

async function findEngine(context: CommandContext, findings: Finding[]): Promise<Runtime | undefined> {
  try {
    return await connectEngine(context);
  } catch (error) {
    findings.push({ level: "fail", what: "engine", message: messageOf(error), ...(error instanceof CliFailure && error.remedy !== undefined ? { remedy: error.remedy } : {}) });
    return undefined;
  }
}

async function lookAtEngine(context: CommandContext, runtime: Runtime, findings: Finding[]): Promise<void> {
  try {
    const engine = await runtime.version();
    findings.push(...judgeEngine(engine));
    const images = await controlPlaneImages(context.installation);
    const lacks = await missingImages(runtime, images);
    for (const lack of lacks) findings.push({ level: "fail", what: "images", ...lack });
    if (lacks.length === 0) findings.push({ level: "ok", what: "images", message: `${images.pause} and ${images.dns} are there` });
    const space = await freeSpace(engine.rootDir);
    if (space !== undefined) findings.push(judgeSpace("disk", engine.rootDir, space));
  } catch (error) {
    findings.push({ level: "fail", what: "engine", message: messageOf(error) });
  }
}

async function freeSpace(path: string): Promise<{ readonly freeBytes: number; readonly totalBytes: number } | undefined> {
  try {
    const space = await statfs(path);
    return { freeBytes: space.bavail * space.bsize, totalBytes: space.blocks * space.bsize };
  } catch {
    return undefined; // the engine's folder is on another machine, or not ours to see
  }
}

async function lookAtFolder(folder: ClusterFolder, findings: Finding[]): Promise<void> {
  const existing = await nearestExisting(folder.path);
  try {
    await access(existing, constants.W_OK);
    findings.push({ level: "ok", what: "folder", message: `${folder.path}${existing === folder.path ? "" : " (will be made)"}` });
  } catch (error) {
    findings.push({ level: "fail", what: "folder", message: `Cannot write to ${existing}: ${messageOf(error)}`, remedy: "change its owner, or set PODKIT_HOME to a folder of yours" });
  }
  const space = await freeSpace(existing);
  if (space !== undefined) findings.push(judgeSpace("disk", existing, space));
}

async function nearestExisting(path: string): Promise<string> {
  for (let folder = path; ; folder = dirname(folder)) {
    try {
      await access(folder);
      return folder;
    } catch (error) {
      if (folder === dirname(folder)) throw error;
    }
  }
}

async function lookAtControlPlane(context: CommandContext, folder: ClusterFolder, findings: Finding[]): Promise<void> {
  try {
    const cluster = await findCluster(folder);
    if (cluster !== undefined) {
      await cluster.api.close();
      const differs = cluster.holder.version !== context.installation.version;
      findings.push({
        level: differs ? "warn" : "ok", what: "control plane", message: `"${folder.name}" runs (process ${cluster.holder.pid}, podkit ${cluster.holder.version}, started by podkit ${cluster.holder.startedBy})`,
        ...(differs ? { remedy: `this is podkit ${context.installation.version}: \`podkit stop\`, and the next \`podkit up\` starts the new one` } : {}),
      });
    } else if (await readStaleLock(folder.lockPath)) {
      findings.push({ level: "warn", what: "control plane", message: `"${folder.name}" ended without cleaning up: ${folder.lockPath} names a process that is gone`, remedy: "nothing to do: the next `podkit up` or `podkit down` takes over" });
    } else findings.push({ level: "ok", what: "control plane", message: `"${folder.name}" does not run` });
  } catch (error) {
    findings.push({ level: "fail", what: "control plane", message: messageOf(error), ...(error instanceof CliFailure && error.remedy !== undefined ? { remedy: error.remedy } : {}) });
  }
}
