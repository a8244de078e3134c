import { pods as podKind } from "../orchestrator/api/types/kinds.ts";
import type { Pod } from "../orchestrator/api/types/pod.ts";
import type { Connection } from "./cluster/connect.ts";
import type { CommandContext } from "./command.ts";
import { cliExit } from "./exit-codes.ts";
import { CliFailure } from "./failure.ts";
import { podNameOf } from "./resources.ts";
import { nearest } from "../kit/nearest.ts";

/** The Pod of that name. Throws CliFailure (1) when there is none, with the nearest name there is. */
export async function requirePod(context: CommandContext, api: Connection, word: string): Promise<Pod> {
  const namespace = context.arguments.text("namespace") ?? "default";
  const name = podNameOf(word);
  const pod = await api.get(podKind, { namespace, name });
  if (pod !== undefined) return pod;
  const others = (await api.list(podKind, { namespace })).items.map((other) => other.metadata.name);
  const meant = nearest(name, others);
  throw new CliFailure(cliExit.failed, `pods "${name}" not found in the namespace ${namespace}`, { remedy: meant === undefined ? "`podkit get pods -A` lists them" : `Did you mean "${meant}"?` });
}

export const containerNames = (pod: Pod): readonly string[] => [...(pod.spec.initContainers ?? []), ...pod.spec.containers].map((container) => container.name);

/** The container asked for, checked; without one the annotated or first one, saying so when there is a choice. */
export function chooseContainer(context: CommandContext, pod: Pod, given: string | undefined): string {
  const names = containerNames(pod);
  if (given !== undefined) {
    if (names.includes(given)) return given;
    const meant = nearest(given, names);
    throw new CliFailure(cliExit.failed, `container "${given}" is not in pod "${pod.metadata.name}", which has ${names.join(", ")}`, { remedy: meant === undefined ? undefined : `Did you mean "${meant}"?` });
  }
  const annotated = pod.metadata.annotations?.["kubectl.kubernetes.io/default-container"];
  if (annotated !== undefined && names.includes(annotated)) return annotated;
  const [first] = pod.spec.containers;
  if (names.length > 1) context.remark(context.stderrPalette.dim(`Defaulted container "${first?.name ?? ""}" out of: ${names.join(", ")}`));
  return first?.name ?? "";
}
