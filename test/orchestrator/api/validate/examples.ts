import { isMap } from "../../../../orchestrator/api/validate/schema.ts";
import { splitPath } from "../../../../orchestrator/api/manifest/locate.ts";

/** A JSON object under construction. */
export type Json = { [key: string]: unknown };

/** The smallest valid Pod. */
export function smallPod(): Json {
  return { apiVersion: "v1", kind: "Pod", metadata: { name: "web", namespace: "default" }, spec: { containers: [{ name: "web", image: "nginx:1.27" }] } };
}

/** The object with values put at Kubernetes-style paths; `undefined` removes a field. Maps and lists on the way are made. */
export function withValues(object: Json, values: Readonly<Record<string, unknown>>): Json {
  const copy = structuredClone(object);
  for (const [path, value] of Object.entries(values)) put(copy, splitPath(path), value);
  return copy;
}

function put(target: Json | unknown[], segments: readonly string[], value: unknown): void {
  const [segment = "", ...rest] = segments;
  if (rest.length === 0) {
    if (Array.isArray(target)) target[Number(segment)] = value;
    else if (value === undefined) delete target[segment];
    else target[segment] = value;
    return;
  }
  const present: unknown = Array.isArray(target) ? target[Number(segment)] : target[segment];
  const next: Json | unknown[] = Array.isArray(present) ? present : isMap(present) ? present : /^\d+$/.test(rest[0] ?? "") ? [] : {};
  if (Array.isArray(target)) target[Number(segment)] = next;
  else target[segment] = next;
  put(next, rest, value);
}

/** All paths of scalar values, list places written `[]`, in the manner of listFields but with map keys written out. */
export function valuePaths(value: unknown, path = ""): readonly string[] {
  if (Array.isArray(value)) return value.flatMap((one) => valuePaths(one, `${path}[]`));
  if (isMap(value)) return Object.entries(value).flatMap(([key, one]) => valuePaths(one, path === "" ? key : `${path}.${key}`));
  return [path];
}

const exec = { command: ["true"] };
const numbers = { initialDelaySeconds: 1, timeoutSeconds: 2, periodSeconds: 3, successThreshold: 1, failureThreshold: 4 };
const httpGet = { path: "/healthz", port: "http", host: "127.0.0.1", scheme: "HTTPS", httpHeaders: [{ name: "X-Probe", value: "" }] };
const items = [{ key: "a.conf", path: "conf/a.conf", mode: 0o400 }];
const files = [
  { path: "labels", fieldRef: { apiVersion: "v1", fieldPath: "metadata.labels" }, mode: 0o444 },
  { path: "tier", fieldRef: { apiVersion: "v1", fieldPath: "metadata.annotations['example.com/tier']" } },
  { path: "cpu", resourceFieldRef: { containerName: "web", resource: "limits.cpu", divisor: "1m" } },
];
const state = { terminated: { exitCode: 1, signal: 9, reason: "Error", message: "m", startedAt: "2026-01-31T12:00:00Z", finishedAt: "2026-01-31T12:00:01Z", containerID: "docker://a" } };
const status = { name: "web", state: { running: { startedAt: "2026-01-31T12:00:00Z" } }, lastState: state, ready: true, restartCount: 1, image: "i", imageID: "docker://i", containerID: "docker://a", started: true };

/** Pods that together use every supported field; each is in the canonical form, so validation returns an equal object. */
export const fullPods: readonly Json[] = [
  {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name: "web-0", generateName: "web-", namespace: "default", uid: "u", resourceVersion: "1", generation: 1, creationTimestamp: "2026-01-31T12:00:00Z", deletionTimestamp: "2026-01-31T12:00:00Z", deletionGracePeriodSeconds: 30,
      labels: { app: "web", "example.com/tier": "" }, annotations: { "example.com/note": "any text: \n✓" },
      ownerReferences: [{ apiVersion: "apps/v1", kind: "ReplicaSet", name: "web", uid: "u", controller: true, blockOwnerDeletion: false }], finalizers: ["example.com/keep"],
    },
    spec: {
      initContainers: [
        { name: "prepare", image: "busybox:1", command: ["sh", "-c", "true"], ports: [{ containerPort: 1, hostPort: 8080 }] },
        { name: "proxy", image: "proxy:1", restartPolicy: "Always", startupProbe: { tcpSocket: { port: 6379, host: "127.0.0.1" }, ...numbers }, lifecycle: { preStop: { sleep: { seconds: 1 } } } },
      ],
      containers: [
        {
          name: "web", image: "registry.example:5000/web@sha256:0", command: ["/web", ""], args: ["--flag", "$(POD_IP)"], workingDir: "/srv",
          ports: [{ name: "http", containerPort: 80, hostPort: 8080, hostIP: "127.0.0.1", protocol: "TCP" }, { containerPort: 80, protocol: "UDP" }, { containerPort: 81, protocol: "SCTP" }],
          envFrom: [{ prefix: "CFG_", configMapRef: { name: "config", optional: true } }, { secretRef: { name: "secret", optional: false } }],
          env: [
            { name: "PLAIN", value: "$(POD_IP)" }, { name: "EMPTY" }, { name: "POD_IP", valueFrom: { fieldRef: { apiVersion: "v1", fieldPath: "status.podIP" } } },
            { name: "APP", valueFrom: { fieldRef: { fieldPath: "metadata.labels['app']" } } },
            { name: "CPU", valueFrom: { resourceFieldRef: { containerName: "web", resource: "requests.cpu", divisor: "1m" } } },
            { name: "A", valueFrom: { configMapKeyRef: { name: "config", key: "a", optional: true } } }, { name: "B", valueFrom: { secretKeyRef: { name: "secret", key: "b", optional: true } } },
          ],
          resources: { limits: { cpu: "1500m", memory: "1536Mi" }, requests: { cpu: "100m", memory: "64Mi" } },
          volumeMounts: [
            { name: "disk", mountPath: "/scratch", subPath: "a/b", readOnly: true, mountPropagation: "HostToContainer" }, { name: "disk", mountPath: "/mine", subPathExpr: "$(POD_IP)" },
          ],
          livenessProbe: { httpGet, ...numbers, terminationGracePeriodSeconds: 5 }, readinessProbe: { exec, ...numbers, successThreshold: 2 }, startupProbe: { grpc: { port: 9000, service: "" }, ...numbers, terminationGracePeriodSeconds: 5 },
          lifecycle: { postStart: { exec }, preStop: { httpGet } },
          terminationMessagePath: "/tmp/message", terminationMessagePolicy: "FallbackToLogsOnError", imagePullPolicy: "Never",
          securityContext: { runAsUser: 0, runAsGroup: 0, runAsNonRoot: false, readOnlyRootFilesystem: true, privileged: false, allowPrivilegeEscalation: false, capabilities: { add: ["NET_ADMIN"], drop: ["ALL"] }, seccompProfile: { type: "Localhost", localhostProfile: "profiles/a.json" } },
          stdin: true, stdinOnce: true, tty: true,
        },
        { name: "other", image: "other", livenessProbe: { exec }, readinessProbe: { grpc: { port: 1 } }, startupProbe: { httpGet: { port: 80 } } },
      ],
      volumes: [
        { name: "scratch", emptyDir: { medium: "Memory", sizeLimit: "64Mi" } }, { name: "disk", emptyDir: {} }, { name: "host", hostPath: { path: "/var/data", type: "DirectoryOrCreate" } },
        { name: "config", configMap: { name: "config", items, defaultMode: 0o600, optional: true } }, { name: "secret", secret: { secretName: "secret", items, defaultMode: 0, optional: true } },
        { name: "info", downwardAPI: { items: files, defaultMode: 0o644 } },
        { name: "all", projected: { sources: [{ configMap: { name: "config", items, optional: true } }, { secret: { name: "secret", items: [{ key: "b", path: "b", mode: 0o400 }], optional: true } }, { downwardAPI: { items: files } }], defaultMode: 0o644 } },
      ],
      restartPolicy: "OnFailure", terminationGracePeriodSeconds: 5, activeDeadlineSeconds: 600, dnsPolicy: "None",
      dnsConfig: { nameservers: ["10.0.0.1", "2001:db8::1"], searches: ["example.com", "."], options: [{ name: "ndots", value: "2" }, { name: "edns0" }] },
      hostAliases: [{ ip: "127.0.0.1", hostnames: ["db.local"] }], hostname: "web", subdomain: "pods", setHostnameAsFQDN: true, hostUsers: true, shareProcessNamespace: true,
      securityContext: { runAsUser: 1000, runAsGroup: 1000, runAsNonRoot: true, fsGroup: 2000, fsGroupChangePolicy: "OnRootMismatch", supplementalGroups: [3000], sysctls: [{ name: "net.core.somaxconn", value: "1024" }], seccompProfile: { type: "RuntimeDefault" } },
      nodeSelector: { "kubernetes.io/os": "linux" }, nodeName: "node-1",
      tolerations: [{ key: "a", operator: "Equal", value: "b", effect: "NoExecute", tolerationSeconds: 300 }, { operator: "Exists" }],
      schedulerName: "default-scheduler", priority: 0, preemptionPolicy: "Never", serviceAccountName: "default", serviceAccount: "default", automountServiceAccountToken: false, enableServiceLinks: false, os: { name: "linux" },
    },
    status: {
      observedGeneration: 1, phase: "Running", message: "m", reason: "r", nominatedNodeName: "n", hostIP: "10.0.0.1", hostIPs: [{ ip: "10.0.0.1" }], podIP: "10.0.0.2", podIPs: [{ ip: "10.0.0.2" }], startTime: "2026-01-31T12:00:00Z", qosClass: "Burstable",
      conditions: [{ type: "Ready", status: "True", observedGeneration: 1, lastProbeTime: "2026-01-31T12:00:00Z", lastTransitionTime: "2026-01-31T12:00:00.000001Z", reason: "r", message: "m" }],
      initContainerStatuses: [{ ...status, state: { waiting: { reason: "PodInitializing", message: "m" } } }], containerStatuses: [status, { ...status, state: { waiting: { reason: "CrashLoopBackOff", message: "m" } } }, { ...status, state, lastState: { running: { startedAt: "2026-01-31T12:00:00Z" } } }, { ...status, lastState: { waiting: { reason: "r", message: "m" } } }],
    },
  },
  {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "host.example", namespace: "kube-system" },
    spec: { containers: [{ name: "agent", image: "agent", ports: [{ containerPort: 80, hostPort: 80 }], securityContext: { privileged: true }, volumeMounts: [{ name: "root", mountPath: "/host", mountPropagation: "Bidirectional" }], startupProbe: { exec }, livenessProbe: { tcpSocket: { port: 1 } }, readinessProbe: { tcpSocket: { port: 1 } } }], volumes: [{ name: "root", hostPath: { path: "/" } }], hostNetwork: true, hostPID: true, hostIPC: true, securityContext: { seccompProfile: { type: "Localhost", localhostProfile: "a.json" } }, dnsPolicy: "ClusterFirstWithHostNet" },
  },
];

/** One full example of every other kind. */
export const fullObjects: readonly Json[] = [
  {
    apiVersion: "v1", kind: "Service", metadata: { name: "web", namespace: "default" },
    spec: {
      type: "ClusterIP", selector: { app: "web" }, ports: [{ name: "http", protocol: "TCP", appProtocol: "kubernetes.io/h2c", port: 80, targetPort: "http" }, { name: "dns", protocol: "UDP", port: 5353, targetPort: 5353 }],
      clusterIP: "None", clusterIPs: ["None"], publishNotReadyAddresses: true, sessionAffinity: "None", ipFamilies: ["IPv4"], ipFamilyPolicy: "SingleStack", internalTrafficPolicy: "Local",
    },
    status: { loadBalancer: { ingress: [{ ip: "10.0.0.1", hostname: "h" }] } },
  },
  { apiVersion: "v1", kind: "Service", metadata: { name: "outside", namespace: "default" }, spec: { type: "ExternalName", externalName: "db.example.com." } },
  { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "c", namespace: "default" }, data: { "a.conf": "x", empty: "" }, binaryData: { b: "AAE=" }, immutable: true },
  { apiVersion: "v1", kind: "Secret", metadata: { name: "s", namespace: "default" }, type: "kubernetes.io/tls", data: { "tls.crt": "YQ==" }, stringData: { "tls.key": "k" }, immutable: false },
  { apiVersion: "v1", kind: "Namespace", metadata: { name: "team" }, spec: { finalizers: ["kubernetes"] }, status: { phase: "Active", conditions: [{ type: "A", status: "True", lastTransitionTime: "2026-01-31T12:00:00Z", reason: "r", message: "m" }] } },
  {
    apiVersion: "v1", kind: "Node", metadata: { name: "node-1" },
    spec: { podCIDR: "10.0.0.0/24", podCIDRs: ["10.0.0.0/24"], providerID: "podkit://n", unschedulable: true, taints: [{ key: "a", value: "b", effect: "NoSchedule", timeAdded: "2026-01-31T12:00:00Z" }] },
    status: {
      capacity: { cpu: "2", "ephemeral-storage": "10Gi" }, allocatable: { cpu: "2" }, conditions: [{ type: "Ready", status: "True", lastHeartbeatTime: "2026-01-31T12:00:00Z", lastTransitionTime: "2026-01-31T12:00:00Z", reason: "r", message: "m" }],
      addresses: [{ type: "InternalIP", address: "10.0.0.1" }], daemonEndpoints: { kubeletEndpoint: { Port: 10250 } }, images: [{ names: ["a"], sizeBytes: 1 }],
      nodeInfo: { machineID: "m", systemUUID: "s", bootID: "b", kernelVersion: "k", osImage: "o", containerRuntimeVersion: "docker://20", kubeletVersion: "v1.30.0", kubeProxyVersion: "", operatingSystem: "linux", architecture: "amd64" },
    },
  },
  {
    apiVersion: "v1", kind: "Event", metadata: { name: "web.1", namespace: "default" },
    involvedObject: { kind: "Pod", namespace: "default", name: "web", uid: "u", apiVersion: "v1", resourceVersion: "1", fieldPath: "spec.containers{web}" }, reason: "Started", message: "m", source: { component: "kubelet", host: "node-1" },
    firstTimestamp: "2026-01-31T12:00:00Z", lastTimestamp: "2026-01-31T12:00:00Z", count: 2, type: "Normal", eventTime: "2026-01-31T12:00:00.123456Z", series: { count: 2, lastObservedTime: "2026-01-31T12:00:00.123456Z" }, action: "Start",
    related: { kind: "Node", namespace: "m", name: "node-1", uid: "u", apiVersion: "v1", resourceVersion: "1", fieldPath: "f" }, reportingComponent: "kubelet", reportingInstance: "node-1",
  },
  {
    apiVersion: "discovery.k8s.io/v1", kind: "EndpointSlice", metadata: { name: "web-a", namespace: "default" }, addressType: "IPv4",
    endpoints: [{ addresses: ["10.0.0.2"], conditions: { ready: true, serving: true, terminating: false }, hostname: "web-0", nodeName: "node-1", zone: "z", targetRef: { kind: "Pod", namespace: "default", name: "web", uid: "u", apiVersion: "v1", resourceVersion: "1", fieldPath: "f" } }],
    ports: [{ name: "http", port: 80, protocol: "TCP", appProtocol: "http" }],
  },
];
