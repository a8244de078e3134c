import { connect, constants } from "node:http2";
import type { ProbeOutcome } from "./probe-state.ts";

/** grpc.health.v1.HealthCheckResponse.ServingStatus by number. */
const servingStatus = ["UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"] as const;
const unimplemented = 12;

/** HealthCheckRequest { string service = 1 } as a length-prefixed gRPC message. */
export function encodeHealthRequest(service: string): Buffer {
  const name = Buffer.from(service, "utf8");
  const message = name.length === 0 ? Buffer.alloc(0) : Buffer.concat([Buffer.from([0x0a]), varint(name.length), name]);
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 0x7f; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80);
  return Buffer.from([...bytes, rest]);
}

/** HealthCheckResponse { ServingStatus status = 1 }; an absent field is its zero, UNKNOWN. */
export function decodeHealthStatus(body: Uint8Array): (typeof servingStatus)[number] {
  const message = body.subarray(5);
  return (message[0] === 0x08 ? servingStatus[message[1] ?? 0] : undefined) ?? "UNKNOWN";
}

/** Asks a gRPC server for the health of a service, over HTTP/2 without TLS. Resolves in any case within about `timeoutMs`. */
export async function probeGrpc(target: { readonly host: string; readonly port: number; readonly service: string; readonly timeoutMs: number }): Promise<ProbeOutcome> {
  const address = `${target.host}:${target.port}`;
  return await new Promise((resolve) => {
    const session = connect(`http://${address}`);
    const timer = setTimeout(() => finish({ kind: "failure", output: `timeout: health rpc did not complete within ${target.timeoutMs / 1000}s` }), target.timeoutMs);
    const finish = (outcome: ProbeOutcome): void => {
      clearTimeout(timer);
      session.destroy();
      resolve(outcome);
    };
    session.on("error", (error: Error) => finish({ kind: "failure", output: `timeout: failed to connect service "${address}" within ${target.timeoutMs / 1000}s: ${error.message}` }));
    const request = session.request({
      [constants.HTTP2_HEADER_METHOD]: "POST", [constants.HTTP2_HEADER_PATH]: "/grpc.health.v1.Health/Check",
      [constants.HTTP2_HEADER_CONTENT_TYPE]: "application/grpc", te: "trailers", "user-agent": "kube-probe/podkit",
    });
    const chunks: Buffer[] = [];
    let status: string | undefined;
    const note = (headers: Record<string, unknown>): void => {
      const value = headers["grpc-status"];
      if (typeof value === "string") status = value;
    };
    request.on("response", note);
    request.on("trailers", note);
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("error", (error: Error) => finish({ kind: "failure", output: `error: health rpc probe failed: ${error.message}` }));
    request.on("end", () => finish(verdict(status, Buffer.concat(chunks))));
    request.end(encodeHealthRequest(target.service));
  });
}

function verdict(status: string | undefined, body: Uint8Array): ProbeOutcome {
  if (Number(status) === unimplemented) return { kind: "failure", output: "error: this server does not implement the grpc health protocol (grpc.health.v1.Health)" };
  if (status !== "0") return { kind: "failure", output: `error: health rpc probe failed: rpc error: code = ${status ?? "unknown"}` };
  const serving = decodeHealthStatus(body);
  return serving === "SERVING" ? { kind: "success" } : { kind: "failure", output: `service unhealthy (responded with "${serving}")` };
}
