// pure
import type { Container, ContainerPort, EnvVar, HTTPGetAction, Lifecycle, LifecycleHandler, Pod, PodSpec, Probe, ResourceRequirements } from "../types/pod.ts";
import { fieldRefWithDefaults, resourceFieldRefWithDefaults } from "./references.ts";
import { volumeWithDefaults } from "./volume.ts";

export function podWithDefaults(pod: Pod): Pod {
  return { ...pod, spec: specWithDefaults(pod.spec) };
}

function specWithDefaults(spec: PodSpec): PodSpec {
  const options: ContainerOptions = { hostNetwork: spec.hostNetwork === true };
  const account = spec.serviceAccountName ?? spec.serviceAccount ?? "default";
  return {
    ...spec,
    containers: spec.containers.map((container) => containerWithDefaults(container, options)),
    ...(spec.initContainers === undefined ? {} : { initContainers: spec.initContainers.map((container) => containerWithDefaults(container, options)) }),
    ...(spec.volumes === undefined ? {} : { volumes: spec.volumes.map(volumeWithDefaults) }),
    restartPolicy: spec.restartPolicy ?? "Always",
    terminationGracePeriodSeconds: spec.terminationGracePeriodSeconds ?? 30,
    dnsPolicy: spec.dnsPolicy ?? "ClusterFirst",
    securityContext: spec.securityContext ?? {},
    schedulerName: spec.schedulerName ?? "default-scheduler",
    enableServiceLinks: spec.enableServiceLinks ?? true,
    serviceAccountName: account,
    serviceAccount: account,
    priority: spec.priority ?? 0,
    preemptionPolicy: spec.preemptionPolicy ?? "PreemptLowerPriority",
  };
}

type ContainerOptions = { readonly hostNetwork: boolean };

function containerWithDefaults(container: Container, options: ContainerOptions): Container {
  const { livenessProbe, readinessProbe, startupProbe, lifecycle } = container;
  return {
    ...container,
    imagePullPolicy: container.imagePullPolicy ?? (isLatest(container.image) ? "Always" : "IfNotPresent"),
    terminationMessagePath: container.terminationMessagePath ?? "/dev/termination-log",
    terminationMessagePolicy: container.terminationMessagePolicy ?? "File",
    resources: resourcesWithDefaults(container.resources),
    ...(container.ports === undefined ? {} : { ports: container.ports.map((port) => portWithDefaults(port, options)) }),
    ...(container.env === undefined ? {} : { env: container.env.map(envWithDefaults) }),
    ...(livenessProbe === undefined ? {} : { livenessProbe: probeWithDefaults(livenessProbe) }),
    ...(readinessProbe === undefined ? {} : { readinessProbe: probeWithDefaults(readinessProbe) }),
    ...(startupProbe === undefined ? {} : { startupProbe: probeWithDefaults(startupProbe) }),
    ...(lifecycle === undefined ? {} : { lifecycle: lifecycleWithDefaults(lifecycle) }),
  };
}

/** The tag is `latest`, written or implied. A digest pins the image whatever the tag says. */
export function isLatest(image: string): boolean {
  if (image.includes("@")) return false;
  const name = image.slice(image.lastIndexOf("/") + 1);
  return !name.includes(":") || name.endsWith(":latest");
}

function resourcesWithDefaults(resources: ResourceRequirements = {}): ResourceRequirements {
  if (resources.limits === undefined) return resources;
  return { ...resources, requests: { ...resources.limits, ...resources.requests } };
}

function portWithDefaults(port: ContainerPort, { hostNetwork }: ContainerOptions): ContainerPort {
  const onHost = hostNetwork && port.hostPort === undefined ? { hostPort: port.containerPort } : {};
  return { ...port, ...onHost, protocol: port.protocol ?? "TCP" };
}

function envWithDefaults(variable: EnvVar): EnvVar {
  const { valueFrom } = variable;
  if (valueFrom === undefined) return variable;
  const { fieldRef, resourceFieldRef } = valueFrom;
  return {
    ...variable,
    valueFrom: { ...valueFrom, ...(fieldRef === undefined ? {} : { fieldRef: fieldRefWithDefaults(fieldRef) }), ...(resourceFieldRef === undefined ? {} : { resourceFieldRef: resourceFieldRefWithDefaults(resourceFieldRef) }) },
  };
}

function probeWithDefaults(probe: Probe): Probe {
  const { httpGet, grpc } = probe;
  return {
    ...probe,
    ...(httpGet === undefined ? {} : { httpGet: httpGetWithDefaults(httpGet) }),
    ...(grpc === undefined ? {} : { grpc: { ...grpc, service: grpc.service ?? "" } }),
    timeoutSeconds: probe.timeoutSeconds ?? 1,
    periodSeconds: probe.periodSeconds ?? 10,
    successThreshold: probe.successThreshold ?? 1,
    failureThreshold: probe.failureThreshold ?? 3,
  };
}

function httpGetWithDefaults(action: HTTPGetAction): HTTPGetAction {
  return { ...action, path: action.path ?? "/", scheme: action.scheme ?? "HTTP" };
}

function lifecycleWithDefaults(lifecycle: Lifecycle): Lifecycle {
  const { postStart, preStop } = lifecycle;
  return { ...lifecycle, ...(postStart === undefined ? {} : { postStart: handlerWithDefaults(postStart) }), ...(preStop === undefined ? {} : { preStop: handlerWithDefaults(preStop) }) };
}

function handlerWithDefaults(handler: LifecycleHandler): LifecycleHandler {
  return handler.httpGet === undefined ? handler : { ...handler, httpGet: httpGetWithDefaults(handler.httpGet) };
}
