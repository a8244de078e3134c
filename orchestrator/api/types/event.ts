// pure
import type { ApiObject } from "./meta.ts";
import type { Time } from "./pod.ts";

/** core/v1 Event. Repeats of one fact raise `count` and `lastTimestamp` instead of making a new object. */
export type Event = ApiObject & {
  readonly apiVersion: "v1";
  readonly kind: "Event";
  readonly involvedObject: ObjectReference;
  readonly reason?: string;
  readonly message?: string;
  readonly source?: EventSource;
  readonly firstTimestamp?: Time | null;
  readonly lastTimestamp?: Time | null;
  readonly count?: number;
  readonly type?: string;
  /** MicroTime; null when never set, as the wire format writes it. */
  readonly eventTime?: Time | null;
  readonly series?: EventSeries;
  readonly action?: string;
  readonly related?: ObjectReference;
  readonly reportingComponent?: string;
  readonly reportingInstance?: string;
};
export type EventSource = { readonly component?: string; readonly host?: string };
export type EventSeries = { readonly count?: number; readonly lastObservedTime?: Time };
export type ObjectReference = {
  readonly kind?: string;
  readonly namespace?: string;
  readonly name?: string;
  readonly uid?: string;
  readonly apiVersion?: string;
  readonly resourceVersion?: string;
  /** A piece of the object: `spec.containers{web}`. */
  readonly fieldPath?: string;
};
