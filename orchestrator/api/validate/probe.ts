// pure
import type { ExecAction, GRPCAction, HTTPGetAction, HTTPHeader, Lifecycle, LifecycleHandler, Probe, SleepAction, TCPSocketAction } from "../types/pod.ts";
import { exactlyOne, portOrName } from "./common.ts";
import { invalid, type FieldCause } from "./fault.ts";
import { atLeastZero, httpHeaderName, portNumber } from "./formats.ts";
import { choice, integer, list, record, required, text, type Check, type Loose, type Rule } from "./schema.ts";
import { handlerUnsupported, lifecycleUnsupported } from "./unsupported.ts";

const exec = record<ExecAction>({ command: required(list(text({ keepEmpty: true }))) });

const httpHeader = record<HTTPHeader>({ name: required(text({ format: httpHeaderName })), value: required(text({ keepEmpty: true })) });

const httpGet = record<HTTPGetAction>({
  path: text(),
  port: required(portOrName),
  host: text(),
  scheme: choice(["HTTP", "HTTPS"]),
  httpHeaders: list(httpHeader),
});

const tcpSocket = record<TCPSocketAction>({ port: required(portOrName), host: text() });
const grpc = record<GRPCAction>({ port: required(integer({ check: portNumber })), service: text({ keepEmpty: true }) });
const sleep = record<SleepAction>({ seconds: required(integer()) });

const numbers = ["initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold", "terminationGracePeriodSeconds"];
const oneHandler: Rule<unknown> = (_, context) => exactlyOne(["exec", "httpGet", "tcpSocket", "grpc", "sleep"], context, { none: "must specify a handler type", many: "may not specify more than 1 handler type", others: numbers });

const zeroMeansDefault = { check: atLeastZero, zeroIsAbsent: true } as const;

function probe(rules: readonly Rule<Probe>[]): Check<Probe> {
  return record<Probe>(
    {
      exec,
      httpGet,
      tcpSocket,
      grpc,
      initialDelaySeconds: integer(zeroMeansDefault),
      timeoutSeconds: integer(zeroMeansDefault),
      periodSeconds: integer(zeroMeansDefault),
      successThreshold: integer(zeroMeansDefault),
      failureThreshold: integer(zeroMeansDefault),
      terminationGracePeriodSeconds: integer({ check: (value) => (value > 0 ? undefined : "must be greater than 0") }),
    },
    { rules: [oneHandler, ...rules] },
  );
}

const succeedsOnce: Rule<Probe> = (value, { path, report }) => {
  if ((value.successThreshold ?? 1) !== 1) report(invalid(`${path}.successThreshold`, value.successThreshold, "must be 1"));
};
const noGraceOfItsOwn: Rule<Probe> = (value, { path, report }) => {
  if (value.terminationGracePeriodSeconds !== undefined) report(invalid(`${path}.terminationGracePeriodSeconds`, value.terminationGracePeriodSeconds, "must not be set for readinessProbes"));
};

export const livenessProbe: Check<Probe> = probe([succeedsOnce]);
export const startupProbe: Check<Probe> = probe([succeedsOnce]);
export const readinessProbe: Check<Probe> = probe([noGraceOfItsOwn]);

const handler = record<LifecycleHandler>({ exec, httpGet, sleep }, { unsupported: handlerUnsupported, rules: [oneHandler] });
export const lifecycle: Check<Lifecycle> = record<Lifecycle>({ postStart: handler, preStop: handler }, { unsupported: lifecycleUnsupported });

/** A sleep hook must end within the Pod's grace. Newer releases than 1.29 also take 0. */
export function sleepFault(handler: Loose<LifecycleHandler> | undefined, graceSeconds: number, path: string): FieldCause | undefined {
  const seconds = handler?.sleep?.seconds;
  return seconds === undefined || (seconds > 0 && seconds <= graceSeconds) ? undefined : invalid(`${path}.sleep`, seconds, `must be greater than 0 and less than terminationGracePeriodSeconds (${graceSeconds})`);
}
