// pure
import type { ApiObject } from "./meta.ts";

/**
 * core/v1 Pod: the fields podkit supports, named exactly as in the Kubernetes API reference. A field that Kubernetes has and
 * this file has not is refused by validation, by name. Everything the wire format lets a client leave out is optional here;
 * what the API server always fills in is filled by `withDefaults`, not by these types.
 */
export type Pod = ApiObject & { readonly apiVersion: "v1"; readonly kind: "Pod"; readonly spec: PodSpec; readonly status?: PodStatus };

/** A Kubernetes quantity as text ("100m", "1.5Gi"); read it with quantity.ts. */
export type Quantity = string;
/** RFC 3339 in UTC, whole seconds ("2026-01-31T12:00:00Z"); MicroTime has six decimals. */
export type Time = string;
/** A port number or the name of a container's port. */
export type IntOrString = number | string;
export type Protocol = "TCP" | "UDP" | "SCTP";
export type RestartPolicy = "Always" | "OnFailure" | "Never";
export type ConditionStatus = "True" | "False" | "Unknown";

export type PodSpec = {
  readonly containers: readonly Container[];
  readonly initContainers?: readonly Container[];
  readonly volumes?: readonly Volume[];
  readonly restartPolicy?: RestartPolicy;
  readonly terminationGracePeriodSeconds?: number;
  readonly activeDeadlineSeconds?: number;
  readonly dnsPolicy?: "ClusterFirst" | "ClusterFirstWithHostNet" | "Default" | "None";
  readonly dnsConfig?: PodDNSConfig;
  readonly hostAliases?: readonly HostAlias[];
  readonly hostname?: string;
  readonly subdomain?: string;
  readonly setHostnameAsFQDN?: boolean;
  readonly hostNetwork?: boolean;
  readonly hostPID?: boolean;
  readonly hostIPC?: boolean;
  /** Only `true` is accepted: podkit maps no user namespaces. */
  readonly hostUsers?: boolean;
  readonly shareProcessNamespace?: boolean;
  readonly securityContext?: PodSecurityContext;
  readonly nodeSelector?: Readonly<Record<string, string>>;
  readonly nodeName?: string;
  readonly tolerations?: readonly Toleration[];
  /** Only `default-scheduler`. */
  readonly schedulerName?: string;
  /** Only 0: there are no PriorityClasses. */
  readonly priority?: number;
  readonly preemptionPolicy?: "PreemptLowerPriority" | "Never";
  /** Only `default`: there are no ServiceAccounts and no token is mounted. */
  readonly serviceAccountName?: string;
  readonly serviceAccount?: string;
  /** Only `false`, or absent. */
  readonly automountServiceAccountToken?: boolean;
  /** Kept but without effect: it makes variables for Services with a virtual address, and there are none. */
  readonly enableServiceLinks?: boolean;
  /** Only linux. */
  readonly os?: { readonly name: string };
};

export type Container = {
  readonly name: string;
  readonly image: string;
  readonly command?: readonly string[];
  readonly args?: readonly string[];
  readonly workingDir?: string;
  readonly ports?: readonly ContainerPort[];
  readonly envFrom?: readonly EnvFromSource[];
  readonly env?: readonly EnvVar[];
  readonly resources?: ResourceRequirements;
  readonly volumeMounts?: readonly VolumeMount[];
  readonly livenessProbe?: Probe;
  readonly readinessProbe?: Probe;
  readonly startupProbe?: Probe;
  readonly lifecycle?: Lifecycle;
  readonly terminationMessagePath?: string;
  readonly terminationMessagePolicy?: "File" | "FallbackToLogsOnError";
  readonly imagePullPolicy?: "Always" | "IfNotPresent" | "Never";
  readonly securityContext?: SecurityContext;
  readonly stdin?: boolean;
  readonly stdinOnce?: boolean;
  readonly tty?: boolean;
  /** Init containers alone: makes it a native sidecar. */
  readonly restartPolicy?: "Always";
};

export type ContainerPort = { readonly name?: string; readonly containerPort: number; readonly hostPort?: number; readonly hostIP?: string; readonly protocol?: Protocol };

export type EnvVar = { readonly name: string; readonly value?: string; readonly valueFrom?: EnvVarSource };
/** Exactly one field is set. */
export type EnvVarSource = {
  readonly fieldRef?: ObjectFieldSelector;
  readonly resourceFieldRef?: ResourceFieldSelector;
  readonly configMapKeyRef?: KeySelector;
  readonly secretKeyRef?: KeySelector;
};
export type KeySelector = { readonly name: string; readonly key: string; readonly optional?: boolean };
export type ObjectFieldSelector = { readonly apiVersion?: string; readonly fieldPath: string };
/** `containerName` is required in volumes and optional in env. */
export type ResourceFieldSelector = { readonly containerName?: string; readonly resource: string; readonly divisor?: Quantity };
export type EnvFromSource = { readonly prefix?: string; readonly configMapRef?: ReferenceToAll; readonly secretRef?: ReferenceToAll };
export type ReferenceToAll = { readonly name: string; readonly optional?: boolean };

export type ResourceRequirements = { readonly limits?: ResourceList; readonly requests?: ResourceList };
/** Pods may name cpu and memory; Nodes name more. */
export type ResourceList = Readonly<Record<string, Quantity>>;

export type VolumeMount = {
  readonly name: string;
  readonly mountPath: string;
  readonly subPath?: string;
  readonly subPathExpr?: string;
  readonly readOnly?: boolean;
  readonly mountPropagation?: "None" | "HostToContainer" | "Bidirectional";
};

/** Exactly one handler is set. */
export type Probe = ProbeHandler & {
  readonly initialDelaySeconds?: number;
  readonly timeoutSeconds?: number;
  readonly periodSeconds?: number;
  readonly successThreshold?: number;
  readonly failureThreshold?: number;
  readonly terminationGracePeriodSeconds?: number;
};
export type ProbeHandler = { readonly exec?: ExecAction; readonly httpGet?: HTTPGetAction; readonly tcpSocket?: TCPSocketAction; readonly grpc?: GRPCAction };
export type ExecAction = { readonly command?: readonly string[] };
export type HTTPGetAction = {
  readonly path?: string;
  readonly port: IntOrString;
  readonly host?: string;
  readonly scheme?: "HTTP" | "HTTPS";
  readonly httpHeaders?: readonly HTTPHeader[];
};
export type HTTPHeader = { readonly name: string; readonly value: string };
export type TCPSocketAction = { readonly port: IntOrString; readonly host?: string };
export type GRPCAction = { readonly port: number; readonly service?: string };

export type Lifecycle = { readonly postStart?: LifecycleHandler; readonly preStop?: LifecycleHandler };
/** Exactly one is set. Kubernetes' tcpSocket hook has failed at run time in every release, so it is refused here. */
export type LifecycleHandler = { readonly exec?: ExecAction; readonly httpGet?: HTTPGetAction; readonly sleep?: SleepAction };
export type SleepAction = { readonly seconds: number };

export type SecurityContext = {
  readonly runAsUser?: number;
  readonly runAsGroup?: number;
  readonly runAsNonRoot?: boolean;
  readonly readOnlyRootFilesystem?: boolean;
  readonly privileged?: boolean;
  readonly allowPrivilegeEscalation?: boolean;
  readonly capabilities?: Capabilities;
  readonly seccompProfile?: SeccompProfile;
};
export type Capabilities = { readonly add?: readonly string[]; readonly drop?: readonly string[] };
/** `localhostProfile` with type Localhost alone: a path relative to the node's seccomp folder. */
export type SeccompProfile = { readonly type: "RuntimeDefault" | "Unconfined" | "Localhost"; readonly localhostProfile?: string };
export type PodSecurityContext = {
  readonly runAsUser?: number;
  readonly runAsGroup?: number;
  readonly runAsNonRoot?: boolean;
  readonly fsGroup?: number;
  readonly fsGroupChangePolicy?: "OnRootMismatch" | "Always";
  readonly supplementalGroups?: readonly number[];
  readonly sysctls?: readonly Sysctl[];
  readonly seccompProfile?: SeccompProfile;
};
export type Sysctl = { readonly name: string; readonly value: string };

/** Exactly one source is set. */
export type Volume = VolumeSource & { readonly name: string };
export type VolumeSource = {
  readonly emptyDir?: EmptyDirVolumeSource;
  readonly hostPath?: HostPathVolumeSource;
  readonly configMap?: ConfigMapVolumeSource;
  readonly secret?: SecretVolumeSource;
  readonly downwardAPI?: DownwardAPIVolumeSource;
  readonly projected?: ProjectedVolumeSource;
};
export type EmptyDirVolumeSource = { readonly medium?: "" | "Memory"; readonly sizeLimit?: Quantity };
export type HostPathType = "" | "DirectoryOrCreate" | "Directory" | "FileOrCreate" | "File" | "Socket" | "CharDevice" | "BlockDevice";
export type HostPathVolumeSource = { readonly path: string; readonly type?: HostPathType };
export type ConfigMapVolumeSource = { readonly name: string; readonly items?: readonly KeyToPath[]; readonly defaultMode?: number; readonly optional?: boolean };
export type SecretVolumeSource = { readonly secretName: string; readonly items?: readonly KeyToPath[]; readonly defaultMode?: number; readonly optional?: boolean };
/** `mode` and `defaultMode` are permission bits, 0 to 0777. */
export type KeyToPath = { readonly key: string; readonly path: string; readonly mode?: number };
export type DownwardAPIVolumeSource = { readonly items?: readonly DownwardAPIVolumeFile[]; readonly defaultMode?: number };
export type DownwardAPIVolumeFile = { readonly path: string; readonly fieldRef?: ObjectFieldSelector; readonly resourceFieldRef?: ResourceFieldSelector; readonly mode?: number };
export type ProjectedVolumeSource = { readonly sources?: readonly VolumeProjection[]; readonly defaultMode?: number };
/** Exactly one is set. */
export type VolumeProjection = { readonly configMap?: KeyProjection; readonly secret?: KeyProjection; readonly downwardAPI?: { readonly items?: readonly DownwardAPIVolumeFile[] } };
export type KeyProjection = { readonly name: string; readonly items?: readonly KeyToPath[]; readonly optional?: boolean };

export type PodDNSConfig = { readonly nameservers?: readonly string[]; readonly searches?: readonly string[]; readonly options?: readonly PodDNSConfigOption[] };
export type PodDNSConfigOption = { readonly name: string; readonly value?: string };
export type HostAlias = { readonly ip: string; readonly hostnames?: readonly string[] };
export type Toleration = {
  readonly key?: string;
  readonly operator?: "Exists" | "Equal";
  readonly value?: string;
  readonly effect?: TaintEffect;
  readonly tolerationSeconds?: number;
};
export type TaintEffect = "NoSchedule" | "PreferNoSchedule" | "NoExecute";

export type PodPhase = "Pending" | "Running" | "Succeeded" | "Failed" | "Unknown";
export type PodStatus = {
  readonly observedGeneration?: number;
  readonly phase?: PodPhase;
  readonly conditions?: readonly PodCondition[];
  readonly message?: string;
  readonly reason?: string;
  readonly nominatedNodeName?: string;
  readonly hostIP?: string;
  readonly hostIPs?: readonly { readonly ip: string }[];
  readonly podIP?: string;
  readonly podIPs?: readonly { readonly ip: string }[];
  readonly startTime?: Time;
  readonly initContainerStatuses?: readonly ContainerStatus[];
  readonly containerStatuses?: readonly ContainerStatus[];
  readonly qosClass?: "Guaranteed" | "Burstable" | "BestEffort";
};
export type PodConditionType = "PodScheduled" | "PodReadyToStartContainers" | "Initialized" | "ContainersReady" | "Ready" | "DisruptionTarget";
export type PodCondition = {
  /** One of PodConditionType, or a name of somebody else's. */
  readonly type: string;
  readonly status: ConditionStatus;
  readonly observedGeneration?: number;
  /** The wire format writes null for "never". */
  readonly lastProbeTime?: Time | null;
  readonly lastTransitionTime?: Time;
  readonly reason?: string;
  readonly message?: string;
};
export type ContainerStatus = {
  readonly name: string;
  readonly state?: ContainerState;
  readonly lastState?: ContainerState;
  readonly ready: boolean;
  readonly restartCount: number;
  readonly image: string;
  readonly imageID: string;
  readonly containerID?: string;
  readonly started?: boolean;
};
/** At most one is set; none means waiting. */
export type ContainerState = { readonly waiting?: ContainerStateWaiting; readonly running?: ContainerStateRunning; readonly terminated?: ContainerStateTerminated };
export type ContainerStateWaiting = { readonly reason?: string; readonly message?: string };
export type ContainerStateRunning = { readonly startedAt?: Time };
export type ContainerStateTerminated = {
  readonly exitCode: number;
  readonly signal?: number;
  readonly reason?: string;
  readonly message?: string;
  readonly startedAt?: Time;
  readonly finishedAt?: Time;
  readonly containerID?: string;
};
