// pure
import type { Event, EventSeries, EventSource, ObjectReference } from "../types/event.ts";
import { time } from "./common.ts";
import { invalid } from "./fault.ts";
import { dns1123Subdomain } from "./formats.ts";
import { metadata } from "./metadata.ts";
import { choice, integer, record, required, text, type Check, type Rule } from "./schema.ts";

export const objectReference: Check<ObjectReference> = record<ObjectReference>({ kind: text(), namespace: text(), name: text(), uid: text(), apiVersion: text(), resourceVersion: text(), fieldPath: text() });

/** Events about objects without a namespace live in `default`. */
const namespacesAgree: Rule<Event> = (value, { report }) => {
  const about = value.involvedObject?.namespace;
  if (about !== undefined && value.metadata?.namespace !== undefined && about !== value.metadata.namespace) report(invalid("involvedObject.namespace", about, "does not match event.namespace"));
};

export const event: Check<Event> = record<Event>(
  {
    apiVersion: required(choice(["v1"])),
    kind: required(choice(["Event"])),
    metadata: required(metadata({ namespaced: true, nameFormat: dns1123Subdomain })),
    involvedObject: required(objectReference),
    reason: text(),
    message: text(),
    source: record<EventSource>({ component: text(), host: text() }),
    firstTimestamp: time,
    lastTimestamp: time,
    count: integer({ zeroIsAbsent: true }),
    type: text(),
    eventTime: time,
    series: record<EventSeries>({ count: integer({ zeroIsAbsent: true }), lastObservedTime: time }),
    action: text(),
    related: objectReference,
    reportingComponent: text(),
    reportingInstance: text(),
  },
  { rules: [namespacesAgree] },
);
