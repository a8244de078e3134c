import { askServer, type SpecialClient } from "./ask.ts";
import { clientLine, matches, readFilter, replyWithText, textOfReply, type ClientDescription, type ClientFilter } from "./client-list.ts";
import type { CommandPlan } from "./command-plan.ts";
import type { HubClient } from "../hub.ts";
import { encodeRequest } from "../protocol/inline.ts";

// CLIENT commands that are about other clients: over the ambassador's clients, in the server's words. The server is asked
// all the same, since it alone knows which options it has, how it words errors, and which fields a line has.

const clientInfo = encodeRequest(["CLIENT", "INFO"]);
/** Appended to CLIENT KILL, this matches no connection of the server, so that it only checks the other filters. */
const nobodysAddress = ["ADDR", "0.0.0.0:0"];

const latin1 = (words: readonly string[]): Buffer => encodeRequest(words.map((word) => Buffer.from(word, "latin1")));
const isError = (reply: Buffer): boolean => reply[0] === 45;

/** True when the command is one of those and has been dealt with. Nothing of the client may be unanswered. */
export function runClientCommand(client: SpecialClient, plan: CommandPlan, request: Buffer, words: readonly string[]): boolean {
  switch (plan.name) {
    case "client|info":
      askServer(client, request, request, (reply) => linesFrom(client, reply, { ...everybody, ids: new Set([client.id]) }));
      return true;
    case "client|list":
      askServer(client, request, request, (reply) => (isError(reply) ? reply : list(client, request, words)));
      return true;
    case "client|kill":
      kill(client, request, words);
      return true;
    case "client|pause": case "client|unpause":
      askServer(client, request, request, (reply) => {
        if (!isError(reply)) pause(client, plan, words);
        return reply;
      });
      return true;
    default:
      return false;
  }
}

const everybody: ClientFilter = { ids: undefined, address: undefined, localAddress: undefined, type: undefined, user: undefined, maxAgeSeconds: undefined, skipMe: false };

function chosen(client: SpecialClient, filter: ClientFilter): { readonly client: HubClient; readonly described: ClientDescription }[] {
  return [...client.hub.clients.values()].map((each) => ({ client: each, described: each.describe() })).filter(({ described }) => matches(filter, described, client.id));
}

/** One line for each chosen client, with the fields of the server's own CLIENT INFO answer. */
function linesFrom(client: SpecialClient, info: Buffer, filter: ClientFilter): Buffer {
  const template = textOfReply(info);
  if (template === undefined) return info;
  const lines = chosen(client, filter).map(({ described }) => `${clientLine(template.text, described)}\n`);
  return replyWithText(lines.join(""), template.verbatim);
}

/** The server has found the filters well; one that is not understood here is left to the server, over its own connections. */
function list(client: SpecialClient, request: Buffer, words: readonly string[]): Buffer | undefined {
  const filter = readFilter(words.slice(2), false);
  if (filter === undefined) {
    askServer(client, request, request, (reply) => reply);
    return undefined;
  }
  askServer(client, request, clientInfo, (reply) => linesFrom(client, reply, filter));
  return undefined;
}

function kill(client: SpecialClient, request: Buffer, words: readonly string[]): void {
  if (words.length === 3) {
    const [victim] = chosen(client, { ...everybody, address: words[2] ?? "" });
    client.answer(Buffer.from(victim === undefined ? "-ERR No such client\r\n" : "+OK\r\n"));
    if (victim?.described.id === client.id) client.closeAfterOutput();
    else victim?.client.close();
    return;
  }
  const question = words.length > 3 && words.length % 2 === 0 ? latin1([...words, ...nobodysAddress]) : request;
  askServer(client, request, question, (reply) => {
    const filter = isError(reply) ? undefined : readFilter(words.slice(2), true);
    if (filter === undefined) return reply;
    const victims = chosen(client, filter), myself = victims.some(({ described }) => described.id === client.id);
    for (const victim of victims) if (victim.described.id !== client.id) victim.client.close();
    const answer = Buffer.from(`:${victims.length}\r\n`);
    if (!myself) return answer;
    client.answer(answer);
    client.closeAfterOutput();
    return undefined;
  });
}

/** While the primary is paused for everything, no replica answers either, and its silence is no sign of a failure. */
function pause(client: SpecialClient, plan: CommandPlan, words: readonly string[]): void {
  const { hub } = client, forMs = plan.name === "client|pause" ? Number(words[2]) : 0;
  const onlyWrites = (words[3] ?? "").toLowerCase() === "write";
  hub.pauseReplicas(onlyWrites || !(forMs > 0) ? undefined : hub.clock.monotonicMs() + forMs);
}
