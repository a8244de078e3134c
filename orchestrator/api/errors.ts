// pure
import type { ApiObject, KindDefinition } from "./types/meta.ts";

/** The reasons of meta/v1 Status that this API uses, and one of our own for a full disk. A peer may send others; they are kept as they are. */
export type ApiErrorReason =
  | "BadRequest" | "Unauthorized" | "Forbidden" | "NotFound" | "MethodNotAllowed" | "NotAcceptable" | "AlreadyExists" | "Conflict" | "Gone" | "Expired"
  | "RequestEntityTooLarge" | "UnsupportedMediaType" | "Invalid" | "TooManyRequests" | "InternalError" | "ServiceUnavailable" | "Timeout" | "InsufficientStorage" | "Unknown";

/** One fault of an object; what the validation returns, and `details.causes` of a Status. */
export type ErrorCause = { readonly path: string; readonly reason: string; readonly message: string };

export type StatusDetails = {
  readonly name?: string;
  readonly group?: string;
  readonly kind?: string;
  readonly uid?: string;
  readonly causes?: readonly { readonly reason?: string; readonly message?: string; readonly field?: string }[];
  readonly retryAfterSeconds?: number;
};

/** meta/v1 Status: how every failure travels. */
export type Status = {
  readonly kind: "Status";
  readonly apiVersion: "v1";
  readonly metadata: Readonly<Record<string, never>>;
  readonly status: "Success" | "Failure";
  readonly message?: string;
  readonly reason?: string;
  readonly details?: StatusDetails;
  readonly code?: number;
};

export type ApiErrorOptions = {
  readonly code: number;
  readonly reason: ApiErrorReason;
  readonly message: string;
  readonly causes?: readonly ErrorCause[];
  readonly details?: StatusDetails;
  readonly cause?: unknown;
};

/**
 * A failure of an API call, with the code and the words that Kubernetes uses. Expected outcomes (a conflict of an update, an absent
 * object) are values of the ApiClient's answers instead; this class is for what a caller rarely wants to branch on.
 */
export class ApiError extends Error {
  readonly code: number;
  readonly reason: ApiErrorReason;
  readonly causes: readonly ErrorCause[];
  readonly details: StatusDetails | undefined;

  constructor(options: ApiErrorOptions) {
    super(options.message, { cause: options.cause });
    this.name = "ApiError";
    this.code = options.code;
    this.reason = options.reason;
    this.causes = options.causes ?? [];
    this.details = options.details;
  }

  toStatus(): Status {
    const causes = this.causes.map((cause) => ({ reason: cause.reason, message: cause.message, field: cause.path }));
    const details: StatusDetails | undefined = this.details === undefined && causes.length === 0 ? undefined : { ...this.details, ...(causes.length > 0 ? { causes } : {}) };
    return { kind: "Status", apiVersion: "v1", metadata: {}, status: "Failure", message: this.message, reason: this.reason, ...(details === undefined ? {} : { details }), code: this.code };
  }
}

const reasonOfCode: Readonly<Record<number, ApiErrorReason>> = {
  400: "BadRequest", 401: "Unauthorized", 403: "Forbidden", 404: "NotFound", 405: "MethodNotAllowed", 406: "NotAcceptable", 409: "Conflict", 410: "Expired",
  413: "RequestEntityTooLarge", 415: "UnsupportedMediaType", 422: "Invalid", 429: "TooManyRequests", 500: "InternalError", 503: "ServiceUnavailable", 504: "Timeout", 507: "InsufficientStorage",
};
const knownReasons: ReadonlySet<string> = new Set<ApiErrorReason>([...Object.values(reasonOfCode), "AlreadyExists", "Gone", "Unknown"]);
const isReason = (word: unknown): word is ApiErrorReason => typeof word === "string" && knownReasons.has(word);
const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> => typeof value === "object" && value !== null && !Array.isArray(value);

/** Rebuilds the error from a Status that came over the wire. A body that is no Status keeps its text in the message. */
export function errorFromStatus(body: unknown, httpCode: number): ApiError {
  if (!isRecord(body) || body["kind"] !== "Status") {
    const text = typeof body === "string" ? body.slice(0, 500) : JSON.stringify(body)?.slice(0, 500);
    return new ApiError({ code: httpCode, reason: reasonOfCode[httpCode] ?? "Unknown", message: `the server answered ${httpCode} without a Status: ${text ?? "no body"}` });
  }
  const code = typeof body["code"] === "number" ? body["code"] : httpCode;
  const details = isRecord(body["details"]) ? body["details"] : undefined;
  const rawCauses = Array.isArray(details?.["causes"]) ? details["causes"].filter(isRecord) : [];
  return new ApiError({
    code,
    reason: isReason(body["reason"]) ? body["reason"] : (reasonOfCode[code] ?? "Unknown"),
    message: textOf(body["message"]) || `the server answered ${code}`,
    causes: rawCauses.map((cause) => ({ path: textOf(cause["field"]), reason: textOf(cause["reason"]), message: textOf(cause["message"]) })),
    ...(details === undefined ? {} : { details: namesOf(details) }),
  });
}

const textOf = (value: unknown): string => (typeof value === "string" ? value : "");

function namesOf(details: Readonly<Record<string, unknown>>): StatusDetails {
  const names: Record<string, string> = {};
  for (const field of ["name", "group", "kind", "uid"]) if (typeof details[field] === "string") names[field] = details[field];
  return names;
}

type Named = Pick<KindDefinition<ApiObject>, "apiVersion" | "kind" | "plural">;

/** "apps" of "apps/v1"; the core group is "". */
export function groupOf(apiVersion: string): string {
  const slash = apiVersion.indexOf("/");
  return slash < 0 ? "" : apiVersion.slice(0, slash);
}

/** `pods`, `endpointslices.discovery.k8s.io`: how messages name a resource. */
export function resourceName(kind: Named): string {
  const group = groupOf(kind.apiVersion);
  return group === "" ? kind.plural : `${kind.plural}.${group}`;
}

const resourceDetails = (kind: Named, name: string): StatusDetails => {
  const group = groupOf(kind.apiVersion);
  return { name, ...(group === "" ? {} : { group }), kind: kind.plural };
};

export const notFound = (kind: Named, name: string): ApiError =>
  new ApiError({ code: 404, reason: "NotFound", message: `${resourceName(kind)} "${name}" not found`, details: resourceDetails(kind, name) });

export const alreadyExists = (kind: Named, name: string): ApiError =>
  new ApiError({ code: 409, reason: "AlreadyExists", message: `${resourceName(kind)} "${name}" already exists`, details: resourceDetails(kind, name) });

export const modifiedMessage = "the object has been modified; please apply your changes to the latest version and try again";

export const conflict = (kind: Named, name: string, why: string = modifiedMessage): ApiError =>
  new ApiError({ code: 409, reason: "Conflict", message: `Operation cannot be fulfilled on ${resourceName(kind)} "${name}": ${why}`, details: resourceDetails(kind, name) });

/** Names every fault at once: `Pod "x" is invalid: [spec.a: Required value, spec.b: Invalid value: …]`. */
export function invalid(kind: Pick<Named, "apiVersion" | "kind">, name: string, causes: readonly ErrorCause[]): ApiError {
  const faults = causes.map((cause) => (cause.path === "" ? cause.message : `${cause.path}: ${cause.message}`));
  const group = groupOf(kind.apiVersion);
  return new ApiError({
    code: 422, reason: "Invalid", causes, details: { name, ...(group === "" ? {} : { group }), kind: kind.kind },
    message: `${kind.kind} "${name}" is invalid: ${faults.length === 1 ? (faults[0] ?? "") : `[${faults.join(", ")}]`}`,
  });
}

export const forbidden = (kind: Named, name: string, why: string, causes: readonly ErrorCause[] = []): ApiError =>
  new ApiError({ code: 403, reason: "Forbidden", message: `${resourceName(kind)} "${name}" is forbidden: ${why}`, details: resourceDetails(kind, name), causes });

export const badRequest = (message: string): ApiError => new ApiError({ code: 400, reason: "BadRequest", message });

/** A watch or list whose revision the store no longer holds: the caller lists again. */
export const expired = (message: string): ApiError => new ApiError({ code: 410, reason: "Expired", message });

export const internalError = (cause: unknown): ApiError =>
  new ApiError({ code: 500, reason: "InternalError", message: `Internal error occurred: ${cause instanceof Error ? cause.message : String(cause)}`, cause });

export const serviceUnavailable = (message: string, cause?: unknown): ApiError => new ApiError({ code: 503, reason: "ServiceUnavailable", message, cause });

/** The store's disk is full: nothing was written, and the same call may succeed once there is room. */
export const insufficientStorage = (message: string, cause?: unknown): ApiError => new ApiError({ code: 507, reason: "InsufficientStorage", message, cause });

/** True for 410: both reasons, Gone and Expired, mean that the caller must list again. */
export const isGone = (error: unknown): error is ApiError => error instanceof ApiError && error.code === 410;
export const isInsufficientStorage = (error: unknown): error is ApiError => error instanceof ApiError && error.code === 507;
export const isNotFound = (error: unknown): error is ApiError => error instanceof ApiError && error.code === 404;
export const isAlreadyExists = (error: unknown): error is ApiError => error instanceof ApiError && error.reason === "AlreadyExists";
