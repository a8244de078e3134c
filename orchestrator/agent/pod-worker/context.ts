import type { Clock, Random } from "../../../kit/clock.ts";
import type { Log } from "../../../kit/log.ts";
import type { ApiClient } from "../../api/client.ts";
import type { EventRecorder } from "../../api/event-recorder.ts";
import type { Runtime } from "../../runtime/runtime.ts";
import type { ImagePuller } from "../image-puller.ts";
import type { Limiter } from "../limiter.ts";
import type { ClusterDns } from "../pod-files.ts";
import type { NodeShape } from "../resources.ts";

/** What every Pod worker of one agent shares. */
export type AgentContext = {
  readonly cluster: string;
  readonly nodeName: string;
  readonly hostIp: string;
  readonly node: NodeShape & { readonly allocatable: { readonly cpu: string; readonly memory: string } };
  readonly client: ApiClient;
  readonly runtime: Runtime;
  readonly recorder: EventRecorder;
  readonly images: ImagePuller;
  /** Creates and starts of containers and sandboxes. */
  readonly limiter: Limiter;
  readonly stateDirectory: string;
  readonly pauseImage: string;
  readonly networkName: string;
  readonly dns: ClusterDns;
  /** Whether the engine takes a cgroup path as parent (the cgroupfs driver). */
  readonly podCgroups: boolean;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Looks at the Pod with this uid again soon. */
  readonly wake: (uid: string) => void;
};
