// pure
import { isMap, type UnsupportedFields } from "./schema.ts";

/**
 * Fields of the Kubernetes API that podkit knows and refuses by name. A field is here, and not quietly accepted, unless what it
 * asks for holds on a single node without podkit doing anything; `harmless` names the values for which it does, and why.
 */
const isEmptyMap = (value: unknown): boolean => isMap(value) && Object.keys(value).length === 0;
const isEmptyText = (value: unknown): boolean => value === "";
const isZero = (value: unknown): boolean => value === 0;
const isFalse = (value: unknown): boolean => value === false;

export const podSpecUnsupported: UnsupportedFields = {
  affinity: { hint: "there is one node, so use nodeSelector or leave it out", harmless: isEmptyMap },
  topologySpreadConstraints: { hint: "there is one node, so there is nothing to spread over" },
  ephemeralContainers: { hint: "use exec in a running container" },
  imagePullSecrets: { hint: "log the container engine in and pull the image beforehand, with imagePullPolicy IfNotPresent" },
  priorityClassName: { hint: "there are no priority classes", harmless: isEmptyText },
  readinessGates: { hint: "only a Pod's own containers decide its readiness" },
  runtimeClassName: { hint: "every container runs with the engine's default runtime", harmless: isEmptyText },
  overhead: { hint: "it belongs to runtimeClassName", harmless: isEmptyMap },
  schedulingGates: { hint: "" },
  resourceClaims: { hint: "" },
  resources: { hint: "set resources on the containers", harmless: isEmptyMap },
  hostnameOverride: { hint: "use hostname", harmless: isEmptyText },
  workloadRef: { hint: "" },
};

export const containerUnsupported: UnsupportedFields = {
  // Restarting in place on a resize is what the field tunes, and a Pod's resources never change here.
  resizePolicy: { hint: "a Pod's resources cannot be changed in place" },
  restartPolicyRules: { hint: "use the Pod's restartPolicy" },
  volumeDevices: { hint: "use volumeMounts" },
};

export const resourcesUnsupported: UnsupportedFields = { claims: { hint: "" } };

export const volumeMountUnsupported: UnsupportedFields = {
  // "Disabled" is the default and asks for nothing.
  recursiveReadOnly: { hint: "use readOnly", harmless: (value) => value === "Disabled" || value === "" },
};

const claimHint = "use hostPath or emptyDir";
export const volumeUnsupported: UnsupportedFields = {
  persistentVolumeClaim: { hint: claimHint },
  ephemeral: { hint: "use emptyDir" },
  csi: { hint: claimHint },
  nfs: { hint: "mount it on the node and use hostPath" },
  iscsi: { hint: "mount it on the node and use hostPath" },
  fc: { hint: "mount it on the node and use hostPath" },
  cephfs: { hint: "mount it on the node and use hostPath" },
  rbd: { hint: "mount it on the node and use hostPath" },
  glusterfs: { hint: "mount it on the node and use hostPath" },
  image: { hint: "copy the files into an emptyDir with an init container" },
  gitRepo: { hint: "clone into an emptyDir with an init container" },
  flexVolume: { hint: claimHint },
  flocker: { hint: claimHint },
  cinder: { hint: claimHint },
  quobyte: { hint: claimHint },
  scaleIO: { hint: claimHint },
  storageos: { hint: claimHint },
  portworxVolume: { hint: claimHint },
  photonPersistentDisk: { hint: claimHint },
  vsphereVolume: { hint: claimHint },
  awsElasticBlockStore: { hint: claimHint },
  gcePersistentDisk: { hint: claimHint },
  azureDisk: { hint: claimHint },
  azureFile: { hint: claimHint },
};

export const projectionUnsupported: UnsupportedFields = {
  serviceAccountToken: { hint: "there are no service accounts" },
  clusterTrustBundle: { hint: "use a ConfigMap" },
  podCertificate: { hint: "use a Secret" },
};

export const envSourceUnsupported: UnsupportedFields = { fileKeyRef: { hint: "use a ConfigMap or Secret" } };

export const lifecycleUnsupported: UnsupportedFields = { stopSignal: { hint: "set STOPSIGNAL in the image", harmless: isEmptyText } };
export const handlerUnsupported: UnsupportedFields = { tcpSocket: { hint: "in Kubernetes such a hook always fails; use exec or httpGet" } };

const linuxSecurityHint = "the engine's own settings apply";
const seLinuxAndWindows: UnsupportedFields = {
  seLinuxOptions: { hint: linuxSecurityHint, harmless: isEmptyMap },
  appArmorProfile: { hint: linuxSecurityHint },
  windowsOptions: { hint: "containers are Linux containers", harmless: isEmptyMap },
};
export const securityContextUnsupported: UnsupportedFields = {
  ...seLinuxAndWindows,
  // "Default" masks /proc as every container engine does anyway.
  procMount: { hint: "use privileged", harmless: (value) => value === "Default" || value === "" },
};
export const podSecurityContextUnsupported: UnsupportedFields = {
  ...seLinuxAndWindows,
  seLinuxChangePolicy: { hint: linuxSecurityHint },
  // "Merge" adds the groups that the image's /etc/group gives the user, as the engine does.
  supplementalGroupsPolicy: { hint: "groups of the image's /etc/group are always added", harmless: (value) => value === "Merge" || value === "" },
};

const noBalancer = "there is no load balancer; use hostPort in a Pod";
export const serviceSpecUnsupported: UnsupportedFields = {
  externalIPs: { hint: "use hostPort in a Pod" },
  externalTrafficPolicy: { hint: "there is no traffic from outside", harmless: isEmptyText },
  healthCheckNodePort: { hint: "there are no node ports", harmless: isZero },
  loadBalancerIP: { hint: noBalancer, harmless: isEmptyText },
  loadBalancerSourceRanges: { hint: noBalancer },
  loadBalancerClass: { hint: noBalancer, harmless: isEmptyText },
  allocateLoadBalancerNodePorts: { hint: noBalancer, harmless: isFalse },
  sessionAffinityConfig: { hint: "connections go to the addresses that the client picks", harmless: isEmptyMap },
  // On one node every end point is in the same zone and on the same node, so each preference holds.
  trafficDistribution: { hint: "", harmless: (value) => value === "PreferClose" || value === "PreferSameZone" || value === "PreferSameNode" || value === "" },
};
export const servicePortUnsupported: UnsupportedFields = { nodePort: { hint: "use hostPort in a Pod", harmless: isZero } };
export const serviceTypesUnsupported: UnsupportedFields = {
  NodePort: { hint: "use hostPort in a Pod" },
  LoadBalancer: { hint: noBalancer },
};
export const sessionAffinityUnsupported: UnsupportedFields = { ClientIP: { hint: "connections go to the addresses that the client picks" } };
export const ipFamilyUnsupported: UnsupportedFields = { IPv6: { hint: "Pods have IPv4 addresses" } };
export const ipFamilyPolicyUnsupported: UnsupportedFields = { RequireDualStack: { hint: "Pods have IPv4 addresses" } };

export const podStatusUnsupported: UnsupportedFields = {
  ephemeralContainerStatuses: { hint: "" },
  // What kubelets report of in-place resizes and device claims has no meaning here; only the node agent writes a status.
  resize: { hint: "", harmless: isEmptyText },
  resourceClaimStatuses: { hint: "" },
};
export const containerStatusUnsupported: UnsupportedFields = {
  allocatedResources: { hint: "" },
  allocatedResourcesStatus: { hint: "" },
  resources: { hint: "", harmless: isEmptyMap },
  volumeMounts: { hint: "" },
  user: { hint: "" },
  stopSignal: { hint: "", harmless: isEmptyText },
};

/** Kubernetes kinds that podkit does not serve yet, with what to use meanwhile. */
export const unsupportedKinds: Readonly<Record<string, string>> = {
  Deployment: "apply its Pods directly",
  ReplicaSet: "apply its Pods directly",
  ReplicationController: "apply its Pods directly",
  StatefulSet: "apply its Pods directly",
  DaemonSet: "apply its Pod directly, as there is one node",
  Job: "apply a Pod with restartPolicy OnFailure or Never",
  CronJob: "",
  HorizontalPodAutoscaler: "",
  PodDisruptionBudget: "",
  PersistentVolume: "use hostPath volumes",
  PersistentVolumeClaim: "use hostPath or emptyDir volumes",
  StorageClass: "use hostPath or emptyDir volumes",
  ServiceAccount: "",
  Role: "",
  RoleBinding: "",
  ClusterRole: "",
  ClusterRoleBinding: "",
  Ingress: "use hostPort in a Pod",
  IngressClass: "",
  NetworkPolicy: "",
  Endpoints: "EndpointSlices are served",
  ResourceQuota: "",
  LimitRange: "",
  PriorityClass: "",
  RuntimeClass: "",
  Lease: "",
  PodTemplate: "",
  CustomResourceDefinition: "",
  MutatingWebhookConfiguration: "",
  ValidatingWebhookConfiguration: "",
};
