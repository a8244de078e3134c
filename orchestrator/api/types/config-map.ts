// pure
import type { ApiObject } from "./meta.ts";

/** core/v1 ConfigMap. `binaryData` values are base64. Keys are unique over both maps; 1 MiB in all. */
export type ConfigMap = ApiObject & {
  readonly apiVersion: "v1";
  readonly kind: "ConfigMap";
  readonly data?: Readonly<Record<string, string>>;
  readonly binaryData?: Readonly<Record<string, string>>;
  readonly immutable?: boolean;
};
