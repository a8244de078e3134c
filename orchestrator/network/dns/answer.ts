// pure
import { classIn, idOf, parseMessage, responseCode } from "./message.ts";
import type { Edns, Message, Name, Question, ResourceRecord } from "./message.ts";
import { resolve } from "./zone.ts";
import type { Zone } from "./zone.ts";

/** Larger answers would be split into fragments on the way, which get lost: the value that resolvers agreed on in 2020. */
export const udpBytesMax = 1232;
const classicUdpBytesMax = 512;

export type Verdict =
  /** Not a query at all; answering could start an endless exchange between two servers. */
  | { readonly kind: "drop" }
  | { readonly kind: "reply"; readonly message: Message; readonly udpBytesMax: number }
  /** For the upstream resolvers, as it came. */
  | { readonly kind: "forward"; readonly query: Message; readonly question: Question }
  /** The reply lacks the records of `target`, which is outside of the cluster. */
  | { readonly kind: "chase"; readonly query: Message; readonly target: Name; readonly message: Message; readonly udpBytesMax: number };

/** What to do with a packet. `zone` is undefined before the first records were read: names of the cluster are then answered "server failure". */
export function judge(packet: Uint8Array, zone: Zone | undefined, domain: string): Verdict {
  const id = idOf(packet);
  if (id === undefined) return { kind: "drop" };
  let query: Message;
  try {
    query = parseMessage(packet);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    const isResponse = ((packet[2] ?? 0) & 0x80) !== 0;
    return isResponse ? { kind: "drop" } : { kind: "reply", udpBytesMax: classicUdpBytesMax, message: { ...emptyReply({ id, recursionDesired: false, opcode: 0, questions: [], edns: undefined }), code: responseCode.formatError } };
  }
  if (query.isResponse) return { kind: "drop" };
  const reply = (changes: Partial<Message>): Extract<Verdict, { kind: "reply" }> => ({ kind: "reply", message: { ...emptyReply(query), ...changes }, udpBytesMax: replyBytesMax(query.edns) });
  const refuse = (code: number): Verdict => reply({ code });
  if (query.edns !== undefined && query.edns.version !== 0) return refuse(responseCode.badVersion);
  if (query.opcode !== 0) return refuse(responseCode.notImplemented);
  const question = query.questions[0];
  if (question === undefined || query.questions.length > 1) return refuse(responseCode.formatError);
  if (question.class !== classIn) return refuse(responseCode.refused);
  if (zone === undefined) return isInDomain(question.name, domain) ? refuse(responseCode.serverFailure) : { kind: "forward", query, question };
  const resolution = resolve(zone, question);
  switch (resolution.kind) {
    case "notOurs":
      return { kind: "forward", query, question };
    case "noData":
      return reply({ authoritative: true, authorities: [resolution.authority] });
    case "noSuchName":
      return reply({ authoritative: true, code: responseCode.nameError, authorities: [resolution.authority] });
    case "answer": {
      const answer = reply({ authoritative: true, answers: resolution.answers, additionals: resolution.additionals });
      return resolution.chase === undefined ? answer : { ...answer, kind: "chase", query, target: resolution.chase };
    }
    default:
      return resolution satisfies never;
  }
}

/** How many bytes a reply over UDP may have. */
export function replyBytesMax(edns: Edns | undefined): number {
  return edns === undefined ? classicUdpBytesMax : Math.min(Math.max(edns.udpBytesMax, classicUdpBytesMax), udpBytesMax);
}

/** A reply that says "server failure": ask another server or later. */
export function failureReply(query: Message): Message {
  return { ...emptyReply(query), code: responseCode.serverFailure };
}

/** Moves the first of several addresses to the end as often as `turn` says, so that clients which take the first one spread. */
export function rotate(answers: readonly ResourceRecord[], turn: number): readonly ResourceRecord[] {
  if (answers.length < 2 || answers.some(({ data }) => data.kind !== "a")) return answers;
  const at = turn % answers.length;
  return [...answers.slice(at), ...answers.slice(0, at)];
}

function emptyReply(query: Pick<Message, "id" | "opcode" | "recursionDesired" | "questions" | "edns">): Message {
  return {
    id: query.id, isResponse: true, opcode: query.opcode, authoritative: false, truncated: false, recursionDesired: query.recursionDesired, recursionAvailable: true,
    code: responseCode.noError, questions: query.questions, answers: [], authorities: [], additionals: [],
    edns: query.edns === undefined ? undefined : { udpBytesMax, version: 0 },
  };
}

function isInDomain(name: Name, domain: string): boolean {
  const text = name.join(".").toLowerCase();
  return text === domain || text.endsWith(`.${domain}`);
}
