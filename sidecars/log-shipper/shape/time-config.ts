// pure
import { boolean, object, string, type ConfigOf } from "../../../kit/config/schema.ts";
import { nearest } from "../../../kit/nearest.ts";
import { compileTimePattern } from "./time-pattern.ts";
import { isZone } from "./zone.ts";

export const namedFormats = ["iso8601", "rfc3339", "unix", "unixMs", "unixUs", "unixNs"] as const;

/** Settings of `time`: where a record says itself when it was made. */
export const timeSpec = object(
  {
    field: string({ doc: "the field with the time; a.b is the field b in the map a" }),
    format: string({ doc: `${namedFormats.join(", ")}, or a pattern such as "%d/%b/%Y:%H:%M:%S %z"`, default: "iso8601", check: formatFault }),
    zone: string({ doc: 'the zone of times that name none: UTC, an offset such as "+02:00", or a name such as Europe/Berlin', default: "UTC", check: (zone) => (isZone(zone) ? undefined : 'UTC, an offset such as "+02:00", or a name of the time zone database such as Europe/Berlin') }),
    keep: boolean({ doc: "whether the field stays in the record once its time was taken", default: true }),
  },
  { doc: "takes each record's time from one of its fields; without it, or if the field has no such time, the time is that of the file" },
);

export type TimeConfig = ConfigOf<typeof timeSpec>;

function formatFault(format: string): string | undefined {
  if (namedFormats.some((name) => name === format)) return undefined;
  if (format.includes("%")) return compileTimePattern(format).fault;
  const near = nearest(format, namedFormats);
  return `one of ${namedFormats.join(", ")}, or a pattern with % directives${near === undefined ? "" : ` (did you mean "${near}"?)`}`;
}
