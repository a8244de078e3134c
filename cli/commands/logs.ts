import { once } from "node:events";
import { pods as podKind } from "../../orchestrator/api/types/kinds.ts";
import type { Pod } from "../../orchestrator/api/types/pod.ts";
import { parseDurationMs } from "../arguments.ts";
import { type Connection, withApi } from "../cluster/connect.ts";
import type { Command, CommandContext } from "../command.ts";
import { cliExit } from "../exit-codes.ts";
import { CliFailure, messageOf, usageFailure } from "../failure.ts";
import { interruptSignal } from "../interrupt.ts";
import { labelSelectorOf } from "../label-selector.ts";
import { splitLines } from "../lines.ts";
import { chooseContainer, containerNames, requirePod } from "../pods.ts";

type Source = { readonly pod: Pod; readonly container: string };

export const logs: Command = async (context) => {
  const options = readOptions(context);
  const selector = labelSelectorOf(context.arguments);
  const signal = interruptSignal();
  return await withApi(context, async (api) => {
    const sources = await findSources(context, api, selector);
    const many = sources.length > 1;
    const troubles: string[] = [];
    const printOne = async (source: Source): Promise<void> => {
      const { pod, container } = source;
      const prefix = context.arguments.on("prefix") ? Buffer.from(`[pod/${pod.metadata.name}/${container}] `) : undefined;
      try {
        const chunks = api.logs({ namespace: pod.metadata.namespace ?? "default", pod: pod.metadata.name, container, ...options, signal });
        // Lines of several sources may mix, their pieces may not; one source alone is passed on as it comes.
        if (prefix === undefined && !many) for await (const chunk of chunks) await write(context, chunk);
        else for await (const line of splitLines(chunks)) await write(context, prefix === undefined ? line : Buffer.concat([prefix, line]));
      } catch (error) {
        if (signal.aborted) return;
        if (!many) throw error;
        troubles.push(`${pod.metadata.name}/${container}: ${messageOf(error)}`);
      }
    };
    if (options.follow) await Promise.all(sources.map(printOne));
    else for (const source of sources) await printOne(source);
    for (const trouble of troubles) context.remark(context.stderrPalette.yellow(trouble));
    if (troubles.length === sources.length && troubles.length > 0) throw new CliFailure(cliExit.failed, "None of the logs could be read");
    return cliExit.ok;
  });
};

async function findSources(context: CommandContext, api: Connection, selector: string | undefined): Promise<readonly Source[]> {
  const [podWord, containerWord] = context.arguments.positionals;
  const wantedContainer = context.arguments.text("container") ?? containerWord;
  if ((podWord === undefined) === (selector === undefined)) throw usageFailure('"podkit logs" needs one Pod, or --selector');
  const namespace = context.arguments.text("namespace") ?? "default";
  const chosen = podWord === undefined ? (await api.list(podKind, { namespace, ...(selector === undefined ? {} : { labelSelector: selector }) })).items : [await requirePod(context, api, podWord)];
  if (chosen.length === 0) context.remark(`No Pod in the namespace ${namespace} matches ${selector ?? ""}`);
  return chosen.flatMap((pod) => (context.arguments.on("all-containers") ? containerNames(pod) : [chooseContainer(context, pod, wantedContainer)]).map((container) => ({ pod, container })));
}

function readOptions(context: CommandContext): { readonly follow: boolean; readonly previous: boolean; readonly timestamps: boolean; readonly tailLines?: number; readonly sinceSeconds?: number } {
  const tail = context.arguments.text("tail") ?? (context.arguments.text("selector") === undefined ? undefined : "10");
  if (tail !== undefined && !/^-1$|^\d+$/.test(tail)) throw usageFailure(`Cannot use "${tail}" for --tail: must be a number of lines`);
  const since = context.arguments.text("since");
  const sinceMs = since === undefined ? undefined : parseDurationMs(since);
  if (since !== undefined && sinceMs === undefined) throw usageFailure(`Cannot use "${since}" for --since: must be a duration, such as 90s, 5m or 2h`);
  return {
    follow: context.arguments.on("follow"), previous: context.arguments.on("previous"), timestamps: context.arguments.on("timestamps"),
    ...(tail === undefined || tail === "-1" ? {} : { tailLines: Number(tail) }),
    ...(sinceMs === undefined ? {} : { sinceSeconds: Math.max(1, Math.ceil(sinceMs / 1000)) }),
  };
}

async function write(context: CommandContext, bytes: Uint8Array): Promise<void> {
  if (!context.stdout.write(bytes)) await once(context.stdout, "drain");
}
