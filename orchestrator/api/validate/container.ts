// pure
import type { Container, ContainerPort, VolumeMount } from "../types/pod.ts";
import { ip } from "./common.ts";
import { envFrom, envVar } from "./env.ts";
import { forbidden, invalid } from "./fault.ts";
import { descendingPath, dns1123Label, noOuterSpace, portName, portNumber } from "./formats.ts";
import { lifecycle, livenessProbe, readinessProbe, startupProbe } from "./probe.ts";
import { resources } from "./resources.ts";
import { choice, flag, integer, list, record, reportDuplicates, required, text, type Check, type Fields, type Rule } from "./schema.ts";
import { securityContext } from "./security.ts";
import { containerUnsupported, volumeMountUnsupported } from "./unsupported.ts";

const port = record<ContainerPort>({
  name: text({ format: portName }),
  containerPort: required(integer({ check: portNumber, zeroIsAbsent: true })),
  hostPort: integer({ check: portNumber, zeroIsAbsent: true }),
  hostIP: ip,
  protocol: choice(["TCP", "UDP", "SCTP"]),
});

const onePathForm: Rule<VolumeMount> = (value, { path, report }) => {
  if (value.subPath !== undefined && value.subPathExpr !== undefined) report(invalid(`${path}.subPathExpr`, value.subPathExpr, "subPathExpr and subPath are mutually exclusive"));
};
const volumeMount: Check<VolumeMount> = record<VolumeMount>(
  {
    name: required(text()),
    mountPath: required(text()),
    subPath: text({ format: descendingPath }),
    subPathExpr: text({ format: descendingPath }),
    readOnly: flag(),
    mountPropagation: choice(["None", "HostToContainer", "Bidirectional"]),
  },
  { unsupported: volumeMountUnsupported, rules: [onePathForm] },
);

const words = list(text({ keepEmpty: true }));

const fields: Fields<Container> = {
  name: required(text({ format: dns1123Label })),
  image: required(text({ format: noOuterSpace })),
  command: words,
  args: words,
  workingDir: text(),
  ports: list(port),
  envFrom: list(envFrom),
  env: list(envVar),
  resources,
  volumeMounts: list(volumeMount),
  livenessProbe,
  readinessProbe,
  startupProbe,
  lifecycle,
  terminationMessagePath: text(),
  terminationMessagePolicy: choice(["File", "FallbackToLogsOnError"]),
  imagePullPolicy: choice(["Always", "IfNotPresent", "Never"]),
  securityContext,
  stdin: flag(),
  stdinOnce: flag(),
  tty: flag(),
  restartPolicy: choice(["Always"]),
};

const distinctPortNames: Rule<Container> = (value, { path, report }) => {
  reportDuplicates(value.ports ?? [], (one) => one?.name, (index) => `${path}.ports[${index}].name`, report);
};

const distinctMountPaths: Rule<Container> = (value, { path, report }) => {
  const seen = new Set<string>();
  for (const [index, mount] of (value.volumeMounts ?? []).entries()) {
    const at = mount?.mountPath;
    if (at === undefined) continue;
    if (seen.has(at)) report(invalid(`${path}.volumeMounts[${index}].mountPath`, at, "must be unique"));
    seen.add(at);
  }
};

const propagationNeedsPrivilege: Rule<Container> = (value, { path, report }) => {
  if (value.securityContext?.privileged === true) return;
  for (const [index, mount] of (value.volumeMounts ?? []).entries())
    if (mount?.mountPropagation === "Bidirectional") report(forbidden(`${path}.volumeMounts[${index}].mountPropagation`, "Bidirectional mount propagation is available only to privileged containers"));
};

const sharedRules = [distinctPortNames, distinctMountPaths, propagationNeedsPrivilege];

const regularHasNoRestartPolicy: Rule<Container> = (_, { path, report, given }) => {
  if (given.has("restartPolicy")) report(forbidden(`${path}.restartPolicy`, "may not be set for non-init containers"));
};
/** What runs to completion has no probes and no hooks; a native sidecar (restartPolicy Always) has them all. */
const completingHasNoProbes: Rule<Container> = (_, { path, report, given }) => {
  if (given.has("restartPolicy")) return;
  for (const key of ["lifecycle", "livenessProbe", "readinessProbe", "startupProbe"]) if (given.has(key)) report(forbidden(`${path}.${key}`, "may not be set for init containers without restartPolicy=Always"));
};

export const container: Check<Container> = record<Container>({ ...fields }, { unsupported: containerUnsupported, rules: [...sharedRules, regularHasNoRestartPolicy] });
export const initContainer: Check<Container> = record<Container>({ ...fields }, { unsupported: containerUnsupported, rules: [...sharedRules, completingHasNoProbes] });
