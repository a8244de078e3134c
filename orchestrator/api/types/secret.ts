// pure
import type { ApiObject } from "./meta.ts";

/** core/v1 Secret. `data` values are base64; `stringData` is write-only: defaulting folds it into `data`. 1 MiB in all. */
export type Secret = ApiObject & {
  readonly apiVersion: "v1";
  readonly kind: "Secret";
  readonly type?: string;
  readonly data?: Readonly<Record<string, string>>;
  readonly stringData?: Readonly<Record<string, string>>;
  readonly immutable?: boolean;
};
