// pure
import type { Status } from "../errors.ts";

/**
 * The framing of exec over WebSocket (remotecommand, subprotocol v5.channel.k8s.io): each binary message is one byte of channel and then
 * data. Version 5 adds the message 255, n: channel n is closed.
 */
export const execProtocol = "v5.channel.k8s.io";
export const channel = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4, close: 255 } as const;

export function frame(to: number, data: Uint8Array): Uint8Array {
  const message = new Uint8Array(data.length + 1);
  message[0] = to;
  message.set(data, 1);
  return message;
}

export const closeChannel = (closed: number): Uint8Array => Uint8Array.of(channel.close, closed);

export type TerminalSize = { readonly columns: number; readonly rows: number };

const sizeMax = 65_535;
/** The JSON of channel 4; undefined when it is none. */
export function parseResize(data: Uint8Array): TerminalSize | undefined {
  const parsed = parseJson(data);
  if (typeof parsed !== "object" || parsed === null || !("Width" in parsed) || !("Height" in parsed)) return undefined;
  const { Width: columns, Height: rows } = parsed;
  const fits = (value: unknown): value is number => typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= sizeMax;
  return fits(columns) && fits(rows) ? { columns, rows } : undefined;
}

export const resizeMessage = (size: TerminalSize): Uint8Array => frame(channel.resize, new TextEncoder().encode(JSON.stringify({ Width: size.columns, Height: size.rows })));

/** What channel 3 says at the end of a command. */
export function exitStatus(exitCode: number): Status {
  if (exitCode === 0) return { kind: "Status", apiVersion: "v1", metadata: {}, status: "Success" };
  return {
    kind: "Status", apiVersion: "v1", metadata: {}, status: "Failure", reason: "NonZeroExitCode", message: `command terminated with non-zero exit code: exit status ${exitCode}`,
    details: { causes: [{ reason: "ExitCode", message: String(exitCode) }] },
  };
}

export type ExecEnd = { readonly kind: "exited"; readonly exitCode: number } | { readonly kind: "failed"; readonly status: unknown };

export function parseEnd(data: Uint8Array): ExecEnd {
  const status = parseJson(data);
  const field = (value: unknown, name: string): unknown => (typeof value === "object" && value !== null && Object.hasOwn(value, name) ? Reflect.get(value, name) : undefined);
  if (field(status, "status") === "Success") return { kind: "exited", exitCode: 0 };
  const causes = field(field(status, "details"), "causes");
  const code = Array.isArray(causes) ? causes.map((cause: unknown) => (field(cause, "reason") === "ExitCode" ? Number(field(cause, "message")) : Number.NaN)).find((number) => Number.isInteger(number)) : undefined;
  return code === undefined ? { kind: "failed", status } : { kind: "exited", exitCode: code };
}

function parseJson(data: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(data));
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
