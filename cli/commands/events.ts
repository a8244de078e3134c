import { events as eventKind } from "../../orchestrator/api/types/kinds.ts";
import type { Event } from "../../orchestrator/api/types/event.ts";
import { withApi } from "../cluster/connect.ts";
import type { Command } from "../command.ts";
import { cliExit } from "../exit-codes.ts";
import { interruptSignal } from "../interrupt.ts";
import { renderObjects } from "../print/object-tables.ts";
import { parseRequests } from "../resources.ts";

export const events: Command = async (context) => {
  const about = context.arguments.text("for");
  const [request] = about === undefined ? [] : parseRequests([about]);
  const type = context.arguments.text("types");
  const all = context.arguments.on("all-namespaces");
  const scope = all ? {} : { namespace: context.arguments.text("namespace") ?? "default" };
  const wanted = (event: Event): boolean =>
    (type === undefined || event.type === type) && (request === undefined || (event.involvedObject.kind === request.kind.kind && (request.names.length === 0 || request.names.includes(event.involvedObject.name ?? ""))));
  return await withApi(context, async (api) => {
    const list = await api.list(eventKind, scope);
    const table = (items: readonly Event[], headers: boolean): string[] => renderObjects(eventKind, items, { wide: false, showNamespace: all, headers, nowMs: context.clock.nowMs() });
    const found = list.items.filter(wanted);
    if (found.length === 0) context.remark("No events found");
    else for (const line of table(found, true)) context.print(line);
    if (!context.arguments.on("watch")) return cliExit.ok;
    const signal = interruptSignal();
    try {
      for await (const change of api.watch(eventKind, { ...scope, resourceVersion: list.resourceVersion, signal })) {
        if (change.type !== "BOOKMARK" && change.type !== "DELETED" && wanted(change.object)) for (const line of table([change.object], false)) context.print(line);
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
    return cliExit.ok;
  });
};
