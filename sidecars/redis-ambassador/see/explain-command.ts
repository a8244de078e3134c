import { get } from "node:http";
import { exitCode } from "../../../kit/exit-code.ts";
import { systemClock } from "../../../kit/clock.ts";
import type { CommandContext } from "../../../kit/process.ts";
import { Ambassador } from "../ambassador.ts";
import type { Config } from "../config.ts";
import { explain, formatExplanation, type Explanation } from "./explain.ts";

const askTimeoutMs = 1_000, readyTimeoutMs = 5_000, proofTimeoutMs = 1_000, lookAgainMs = 20;

/**
 * `explain [--json] WORD…`: where a command would go and why. Asks the ambassador that runs with this configuration, and
 * the servers themselves when none does. Exit codes: 0, 64 without a command, 69 when no server tells its commands.
 */
export async function explainCommand({ config, log, argv, print }: CommandContext<Config>): Promise<number> {
  const asJson = argv[0] === "--json", words = argv.slice(asJson ? 1 : 0).filter((word, index) => !(index === 0 && word === "--"));
  if (words.length === 0) {
    print("explain: name a command, e.g. explain GET user:1   (--json before it: for programs)\n");
    return exitCode.usage;
  }
  const found = (await askRunning(config, words)) ?? (await askServers({ config, log }, words));
  if (typeof found === "string") {
    print(`explain: ${found}\n`);
    return exitCode.unavailable;
  }
  print(`${asJson ? JSON.stringify(found, undefined, 2) : formatExplanation(found)}\n`);
  return exitCode.ok;
}

/** Asks the running ambassador at its admin port; undefined when none answers there. */
async function askRunning({ admin }: Config, words: readonly string[]): Promise<Explanation | undefined> {
  const { host, port } = admin.address, loopback = host === "0.0.0.0" || host === "::" ? "127.0.0.1" : host;
  const command = words.map((word) => `"${word.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`).join(" ");
  return await new Promise((resolve) => {
    const request = get({ host: loopback, port, path: `/explain?command=${encodeURIComponent(command)}`, timeout: askTimeoutMs }, (response) => {
      const parts: Buffer[] = [];
      response.on("data", (part: Buffer) => parts.push(part));
      response.on("error", () => resolve(undefined));
      response.on("end", () => resolve(response.statusCode === 200 ? readExplanation(Buffer.concat(parts).toString()) : undefined));
    });
    request.on("timeout", () => request.destroy());
    request.on("error", () => resolve(undefined));
  });
}

function readExplanation(text: string): Explanation | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isExplanation(value) ? value : undefined;
  } catch {
    return undefined; // something else listens there
  }
}

function isExplanation(value: unknown): value is Explanation {
  return typeof value === "object" && value !== null && "command" in value && "goesTo" in value && "because" in value && "servers" in value && Array.isArray(value.servers);
}

/** Looks at the servers as a starting ambassador does, without listening. A string: why nothing can be told. */
async function askServers({ config, log }: Pick<CommandContext<Config>, "config" | "log">, words: readonly string[]): Promise<Explanation | string> {
  const ambassador = new Ambassador({ config, log, clock: systemClock, random: Math.random });
  ambassador.lookAround();
  try {
    const until = async (what: () => boolean, timeoutMs: number): Promise<boolean> => {
      for (let leftMs = timeoutMs; leftMs > 0 && !what(); leftMs -= lookAgainMs) await systemClock.sleep(lookAgainMs);
      return what();
    };
    if (!(await until(() => ambassador.notReady() === undefined, readyTimeoutMs))) return ambassador.notReady() ?? "no server answers";
    // A new ambassador trusts no replica before the first proof.
    await until(() => ambassador.hub.topology.owners.every(({ fence, nodes }) => fence.clear && nodes.every((node) => node.facts !== undefined)), proofTimeoutMs);
    return explain(ambassador.hub, words) ?? "the command table is not loaded";
  } finally {
    await ambassador.stop();
  }
}
