import { events as eventKind } from "../../orchestrator/api/types/kinds.ts";
import type { Event } from "../../orchestrator/api/types/event.ts";
import type { ApiObject } from "../../orchestrator/api/types/meta.ts";
import { type Connection, withApi } from "../cluster/connect.ts";
import type { Command } from "../command.ts";
import { cliExit } from "../exit-codes.ts";
import { CliFailure } from "../failure.ts";
import { labelSelectorOf } from "../label-selector.ts";
import { renderEntries } from "../print/describe-lines.ts";
import { describeObject } from "../print/describe-object.ts";
import { describeEvents } from "../print/describe-pod.ts";
import { sortObjects } from "../print/object-tables.ts";
import { parseRequests } from "../resources.ts";

export const describe: Command = async (context) => {
  const requests = parseRequests(context.arguments.positionals);
  const selector = labelSelectorOf(context.arguments);
  return await withApi(context, async (api) => {
    const missing: string[] = [];
    let printed = 0;
    for (const { kind, names } of requests) {
      const scope = kind.namespaced ? { namespace: context.arguments.text("namespace") ?? "default" } : {};
      const objects: ApiObject[] = names.length > 0 ? [] : [...sortObjects((await api.list(kind, { ...scope, ...(selector === undefined ? {} : { labelSelector: selector }) })).items)];
      for (const name of names) {
        const object = await api.get(kind, { ...scope, name });
        if (object === undefined) missing.push(`${kind.plural} "${name}" not found`);
        else objects.push(object);
      }
      for (const object of objects) {
        if (printed++ > 0) context.print("\n");
        const nowMs = context.clock.nowMs();
        for (const line of [...renderEntries(describeObject(object, nowMs)), ...describeEvents(await eventsAbout(api, object), nowMs)]) context.print(line);
      }
    }
    if (missing.length > 0) throw new CliFailure(cliExit.failed, missing.join("; "));
    return cliExit.ok;
  });
};

/** Events of the object itself: those of an earlier one of the same name are told apart by uid. */
export async function eventsAbout(api: Connection, object: ApiObject): Promise<readonly Event[]> {
  const { namespace, uid, name } = object.metadata;
  const list = await api.list(eventKind, { ...(namespace === undefined ? {} : { namespace }), fieldSelector: `involvedObject.name=${name}` });
  return list.items.filter((event) => event.involvedObject.kind === object.kind && (event.involvedObject.uid === undefined || event.involvedObject.uid === uid));
}
