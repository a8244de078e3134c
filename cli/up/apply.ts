import type { Clock } from "../../kit/clock.ts";
import type { ApiObject } from "../../orchestrator/api/types/meta.ts";
import { withDefaults } from "../../orchestrator/api/defaults/with-defaults.ts";
import { isAlreadyExists } from "../../orchestrator/api/errors.ts";
import { namespaces } from "../../orchestrator/api/types/kinds.ts";
import type { Connection } from "../cluster/connect.ts";
import { cliExit } from "../exit-codes.ts";
import { CliFailure } from "../failure.ts";
import { keyOf, placedName } from "../print/kinds.ts";
import { applyOrder, kindOfObject, missingNamespaces, planStep, type Step } from "./plan.ts";
import { waitUntilGone } from "./removal.ts";

/** What was done for one object; the object as the server answered it. */
export type Applied = { readonly object: ApiObject; readonly step: Step };

type ApplyOptions = { readonly api: Connection; readonly clock: Clock; readonly signal: AbortSignal; readonly onStep: (applied: Applied) => void; readonly onReplacing: (object: ApiObject, changed: string) => void };

/** Brings the objects into the cluster in order. On a failure what was done so far is in `done`, for the caller to undo. */
export async function applyAll(objects: readonly ApiObject[], done: Applied[], options: ApplyOptions): Promise<void> {
  const existing = new Set((await options.api.list(namespaces)).items.map((namespace) => namespace.metadata.name));
  const missing = missingNamespaces(objects, existing);
  if (missing.length > 0) throw new CliFailure(cliExit.config, `The namespace ${missing.map((name) => `"${name}"`).join(", ")} does not exist; nothing was started`, { remedy: "add a Namespace object to the manifests" });
  for (const object of applyOrder(objects)) {
    options.signal.throwIfAborted();
    const applied = await applyOne(withDefaults(object), options);
    done.push(applied);
    options.onStep(applied);
  }
}

const conflictsMax = 5;

async function applyOne(wanted: ApiObject, options: ApplyOptions): Promise<Applied> {
  const { api } = options;
  const kind = kindOfObject(wanted);
  for (let attempt = 0; attempt < conflictsMax; attempt++) {
    let live = await api.get(kind, keyOf(wanted));
    if (live?.metadata.deletionTimestamp !== undefined) {
      await waitUntilGone([live], options); // it is being removed: wait and make it anew
      live = undefined;
    }
    const step = planStep(wanted, live);
    switch (step.kind) {
      case "unchanged":
        return { object: live ?? wanted, step };
      case "create":
        try {
          return { object: await api.create(kind, step.object), step };
        } catch (error) {
          if (!isAlreadyExists(error)) throw error;
          break; // somebody else made it since we looked
        }
      case "replace": {
        options.onReplacing(wanted, step.changed);
        const { uid } = step.before.metadata;
        await api.delete(kind, keyOf(wanted), uid === undefined ? {} : { preconditions: { uid } });
        await waitUntilGone([step.before], options);
        return { object: await api.create(kind, step.object), step };
      }
      case "update": {
        const outcome = await api.update(kind, step.object);
        if (outcome.kind === "updated") return { object: outcome.object, step };
        break;
      }
    }
  }
  throw new CliFailure(cliExit.retry, `Cannot update ${placedName(wanted)}: somebody else keeps changing it`);
}
