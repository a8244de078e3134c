import { request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import { connect } from "node:net";
import type { Container, HTTPGetAction, IntOrString, ProbeHandler } from "../../api/types/pod.ts";
import type { Runtime } from "../../runtime/runtime.ts";
import { probeGrpc } from "./grpc-health.ts";
import type { ProbeOutcome } from "./probe-state.ts";

export type ProbeTarget = { readonly runtime: Runtime; readonly container: Container; readonly containerId: string; readonly podIp: string };

/** As much of a body or of an exec's output as the kubelet looks at. */
const outputBytesMax = 10 * 1024;
const redirectsMax = 10;

/** Carries a probe out once. Never throws: what goes wrong on our side is an "error" outcome. Takes about `timeoutMs` at most. */
export async function runProbe(handler: ProbeHandler, target: ProbeTarget, timeoutMs: number): Promise<ProbeOutcome> {
  try {
    if (handler.exec !== undefined) return await probeExec(handler.exec.command ?? [], target, timeoutMs);
    if (handler.httpGet !== undefined) return await probeHttp(handler.httpGet, target, timeoutMs);
    if (handler.tcpSocket !== undefined) return await probeTcp(handler.tcpSocket.host ?? target.podIp, resolvePort(handler.tcpSocket.port, target.container), timeoutMs);
    if (handler.grpc !== undefined) return await probeGrpc({ host: target.podIp, port: handler.grpc.port, service: handler.grpc.service ?? "", timeoutMs });
    return { kind: "error", output: "missing probe handler" };
  } catch (error) {
    return { kind: "error", output: error instanceof Error ? error.message : String(error) };
  }
}

/** A number, or the containerPort of the container's port with that name. */
export function resolvePort(port: IntOrString, container: Container): number {
  if (typeof port === "number") return port;
  const named = (container.ports ?? []).find((candidate) => candidate.name === port)?.containerPort;
  const numeric = named ?? (/^\d+$/.test(port) ? Number(port) : undefined);
  if (numeric === undefined) throw new Error(`couldn't find port "${port}" in container ${container.name}`);
  return numeric;
}

async function probeExec(command: readonly string[], target: ProbeTarget, timeoutMs: number): Promise<ProbeOutcome> {
  const result = await target.runtime.execSync(target.containerId, { command, timeoutMs, outputBytesMax });
  if (result.kind === "timeout") return { kind: "failure", output: `command timed out: "${command.join(" ")}" timed out after ${timeoutMs / 1000}s` };
  return result.exitCode === 0 ? { kind: "success" } : { kind: "failure", output: `${result.stdout}${result.stderr}` };
}

async function probeTcp(host: string, port: number, timeoutMs: number): Promise<ProbeOutcome> {
  return await new Promise((resolve) => {
    const socket = connect({ host, port });
    const timer = setTimeout(() => finish({ kind: "failure", output: `dial tcp ${host}:${port}: i/o timeout` }), timeoutMs);
    const finish = (outcome: ProbeOutcome): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(outcome);
    };
    socket.on("connect", () => finish({ kind: "success" }));
    socket.on("error", (error) => finish({ kind: "failure", output: dialError(error, host, port) }));
  });
}

type HttpAnswer = { readonly status: number; readonly location: string | undefined } | { readonly problem: string };
export type HttpCall = { readonly url: URL; readonly headers: Readonly<Record<string, string>>; readonly timeoutMs: number };

/** 200 to 399 is healthy. A redirect to the same host is followed; one to another host counts as healthy, as in the kubelet. */
async function probeHttp(action: HTTPGetAction, target: ProbeTarget, timeoutMs: number): Promise<ProbeOutcome> {
  const call = httpCall(action, target, timeoutMs);
  let { url } = call;
  for (let hop = 0; hop <= redirectsMax; hop += 1) {
    const answer = await httpGet({ ...call, url });
    if ("problem" in answer) return { kind: "failure", output: `Get "${url.href}": ${answer.problem}` };
    if (answer.status < 200 || answer.status >= 400) return { kind: "failure", output: `HTTP probe failed with statuscode: ${answer.status}` };
    if (answer.status < 300 || answer.location === undefined) return { kind: "success" };
    const next = new URL(answer.location, url);
    if (next.hostname !== url.hostname) return { kind: "success" };
    url = next;
  }
  return { kind: "failure", output: `Get "${url.href}": stopped after ${redirectsMax} redirects` };
}

export function httpCall(action: HTTPGetAction, target: Pick<ProbeTarget, "container" | "podIp">, timeoutMs: number): HttpCall {
  const scheme = (action.scheme ?? "HTTP").toLowerCase();
  const path = action.path ?? "/";
  const host = action.host === undefined || action.host === "" ? target.podIp : action.host;
  const url = new URL(`${scheme}://${host}:${resolvePort(action.port, target.container)}${path.startsWith("/") ? path : `/${path}`}`);
  const given = Object.fromEntries((action.httpHeaders ?? []).map((header) => [header.name.toLowerCase(), header.value]));
  return { url, headers: { "user-agent": "kube-probe/podkit", accept: "*/*", connection: "close", ...given }, timeoutMs };
}

/** One GET; certificates are not verified, as for the kubelet's probes. The body is not kept. */
export async function httpGet(call: HttpCall): Promise<HttpAnswer> {
  return await new Promise((resolve) => {
    const send = call.url.protocol === "https:" ? httpsRequest : httpRequest;
    const request = send(call.url, { headers: call.headers, agent: false, ...(call.url.protocol === "https:" ? { rejectUnauthorized: false } : {}) });
    const timer = setTimeout(() => finish({ problem: "context deadline exceeded (Client.Timeout exceeded while awaiting headers)" }), call.timeoutMs);
    const finish = (answer: HttpAnswer): void => {
      clearTimeout(timer);
      request.destroy();
      resolve(answer);
    };
    request.on("response", (response: IncomingMessage) => finish({ status: response.statusCode ?? 0, location: response.headers.location }));
    request.on("error", (error) => finish({ problem: dialError(error, call.url.hostname, Number(call.url.port)) }));
    request.end();
  });
}

/** The error in the words that people know from the kubelet. */
function dialError(error: Error, host: string, port: number): string {
  const code = "code" in error ? error.code : undefined;
  if (code === "ECONNREFUSED") return `dial tcp ${host}:${port}: connect: connection refused`;
  if (code === "EHOSTUNREACH") return `dial tcp ${host}:${port}: connect: no route to host`;
  if (code === "ECONNRESET") return "read: connection reset by peer";
  return error.message;
}
