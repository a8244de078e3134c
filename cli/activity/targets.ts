// pure
import type { Pod } from "../../orchestrator/api/types/pod.ts";

/** A container whose counters can be read: it declares a port whose name begins with "metrics", and the Pod has an address. */
export type MetricsTarget = { readonly namespace: string; readonly pod: string; readonly container: string; readonly url: string };

/** What one target said: sentences, or why there are none. */
export type Activity = {
  readonly target: MetricsTarget;
  readonly sentences: readonly string[];
  /** Whether any of its counters is above zero. */
  readonly busy: boolean;
  readonly trouble: string | undefined;
};

export function metricsTargets(pods: readonly Pod[]): readonly MetricsTarget[] {
  return pods.flatMap((pod) => {
    const ip = pod.status?.podIP;
    if (ip === undefined || pod.metadata.deletionTimestamp !== undefined) return [];
    return [...(pod.spec.initContainers ?? []), ...pod.spec.containers].flatMap((container) => {
      const port = (container.ports ?? []).find((candidate) => candidate.name?.startsWith("metrics") === true);
      return port === undefined ? [] : [{ namespace: pod.metadata.namespace ?? "default", pod: pod.metadata.name, container: container.name, url: `http://${ip}:${port.containerPort}/metrics` }];
    });
  });
}
