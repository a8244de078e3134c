import type { ApiObject, KindDefinition } from "../../orchestrator/api/types/meta.ts";
import { type Connection, withApi } from "../cluster/connect.ts";
import type { Command, CommandContext } from "../command.ts";
import { cliExit } from "../exit-codes.ts";
import { CliFailure } from "../failure.ts";
import { interruptSignal } from "../interrupt.ts";
import { labelSelectorOf } from "../label-selector.ts";
import { objectName } from "../print/kinds.ts";
import { renderObjects } from "../print/object-tables.ts";
import { parseRequests, type Request } from "../resources.ts";

type Found = { readonly kind: KindDefinition<ApiObject>; readonly objects: readonly ApiObject[]; readonly resourceVersion: string };

export const get: Command = async (context) => {
  const requests = parseRequests(context.arguments.positionals);
  const selector = labelSelectorOf(context.arguments);
  return await withApi(context, async (api) => {
    const missing: string[] = [];
    const found = await Promise.all(requests.map((request) => find(context, api, request, { selector, missing })));
    if (context.arguments.on("watch")) await watch(context, api, found, selector);
    else await show(context, found, requests);
    if (missing.length > 0) throw new CliFailure(cliExit.failed, missing.join("; "));
    return cliExit.ok;
  });
};

function scopeOf(context: CommandContext, kind: KindDefinition<ApiObject>, selector: string | undefined): { readonly namespace?: string; readonly labelSelector?: string } {
  const all = !kind.namespaced || context.arguments.on("all-namespaces");
  return { ...(all ? {} : { namespace: context.arguments.text("namespace") ?? "default" }), ...(selector === undefined ? {} : { labelSelector: selector }) };
}

async function find(context: CommandContext, api: Connection, request: Request, { selector, missing }: { readonly selector: string | undefined; readonly missing: string[] }): Promise<Found> {
  const { kind, names } = request;
  if (names.length === 0) {
    const list = await api.list(kind, scopeOf(context, kind, selector));
    return { kind, objects: list.items, resourceVersion: list.resourceVersion };
  }
  const { namespace } = scopeOf(context, kind, selector);
  const objects: ApiObject[] = [];
  for (const name of names) {
    const object = await api.get(kind, namespace === undefined ? { name } : { namespace, name });
    if (object === undefined) missing.push(`${kind.plural} "${name}" not found${namespace === undefined ? "" : ` in the namespace ${namespace}`}`);
    else objects.push(object);
  }
  return { kind, objects, resourceVersion: objects[0]?.metadata.resourceVersion ?? "" };
}

async function show(context: CommandContext, found: readonly Found[], requests: readonly Request[]): Promise<void> {
  const objects = found.flatMap((part) => part.objects);
  const output = context.arguments.text("output");
  if (output === "json" || output === "yaml") {
    const single = requests.length === 1 && requests[0]?.names.length === 1;
    if (single && objects.length === 0) return;
    const value = single ? objects[0] : { apiVersion: "v1", kind: "List", metadata: {}, items: objects };
    context.print(output === "json" ? JSON.stringify(value, undefined, 2) : await toYaml(value));
    return;
  }
  if (output === "name") {
    for (const object of objects) context.print(objectName(object));
    return;
  }
  if (objects.length === 0 && requests.every((request) => request.names.length === 0)) {
    context.remark(context.arguments.on("all-namespaces") ? "No objects found" : `No objects found in the namespace ${context.arguments.text("namespace") ?? "default"}`);
    return;
  }
  const shown = found.filter((part) => part.objects.length > 0);
  for (const [index, part] of shown.entries()) {
    if (index > 0) context.print("");
    for (const line of tableOf(context, part, !context.arguments.on("no-headers"), requests.length > 1)) context.print(line);
  }
}

const tableOf = (context: CommandContext, part: Pick<Found, "kind" | "objects">, headers: boolean, withKind = false): string[] =>
  renderObjects(part.kind, part.objects, { wide: context.arguments.text("output") === "wide", showNamespace: context.arguments.on("all-namespaces"), headers, withKind, nowMs: context.clock.nowMs() });

async function toYaml(value: unknown): Promise<string> {
  const { stringify } = await import("yaml");
  return stringify(value, { lineWidth: 0, aliasDuplicateObjects: false }).trimEnd();
}

/** Lists, then one line per change, with the headers' columns kept as wide as the list needed. */
async function watch(context: CommandContext, api: Connection, found: readonly Found[], selector: string | undefined): Promise<void> {
  const [part] = found;
  if (part === undefined || found.length > 1) throw new CliFailure(cliExit.usage, "Only one kind can be watched at a time");
  const signal = interruptSignal();
  const output = context.arguments.text("output");
  const names = new Set(part.objects.map((object) => object.metadata.name));
  const printOne = async (object: ApiObject, headers: boolean): Promise<void> => {
    if (output === "json") context.print(JSON.stringify(object));
    else if (output === "yaml") context.print(`---\n${await toYaml(object)}`);
    else if (output === "name") context.print(objectName(object));
    else for (const line of tableOf(context, { kind: part.kind, objects: [object] }, headers)) context.print(line);
  };
  if (output === undefined || output === "wide") for (const line of tableOf(context, part, !context.arguments.on("no-headers"))) context.print(line);
  else for (const object of part.objects) await printOne(object, false);
  const wanted = context.arguments.positionals.length > 1 || context.arguments.positionals[0]?.includes("/") === true ? names : undefined;
  try {
    for await (const event of api.watch(part.kind, { ...scopeOf(context, part.kind, selector), resourceVersion: part.resourceVersion, signal })) {
      if (event.type !== "BOOKMARK" && (wanted === undefined || wanted.has(event.object.metadata.name))) await printOne(event.object, false);
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

