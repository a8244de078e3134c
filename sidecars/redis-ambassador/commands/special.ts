import { askServer, type SpecialClient } from "./ask.ts";
import { runClientCommand } from "./client-commands.ts";
import { arityHolds, type CommandPlan } from "./command-plan.ts";
import { waitForReplicas } from "../cluster/cluster-wait.ts";
import { afterAccepted, freshState } from "../connections/connection-state.ts";
import { ambassadorErrors } from "../errors.ts";
import { ambassadorSection, wantsAmbassadorSection } from "../see/info-section.ts";
import { encodeRequest } from "../protocol/inline.ts";
import { collector } from "../connections/collector.ts";
import { firstClientId, withClientId } from "./client-id.ts";
import { replyWithText, textOfReply } from "./client-list.ts";
import { isAdmitted, passGate } from "../listener/listener-auth.ts";
import { requestProblem } from "../protocol/request-problem.ts";

/**
 * WAIT counts from the last write of its own connection, and the client's writes went over a shared one. A message on this
 * channel enters the replication stream after all of them, so that the replicas that have it have those writes too.
 */
const waitMark = encodeRequest(["PUBLISH", "podkit:ambassador:wait", ""]);

/** Deals with every request that is not simply passed on over a shared connection. */
export function runSpecial(client: SpecialClient, plan: CommandPlan, request: Buffer, words: () => string[]): void {
  if (client.lease.mode === "transaction" || client.lease.mode === "pinned") {
    client.lease.forward(plan, request, words);
    return;
  }
  if (!client.drained()) {
    client.putBack([{ kind: "again", request }]);
    return;
  }
  if (client.lease.mode === "opened") {
    client.lease.bind(plan, request);
    return;
  }
  const { auth } = client.hub.settings, problem = isAdmitted(auth, client.state) ? undefined : requestProblem(plan, words());
  if (problem !== undefined) {
    client.answer(problem);
    return;
  }
  const gate = passGate(auth, client.state, plan.name, words);
  if (gate.kind === "answer") {
    if (gate.admits) client.setState({ ...client.state, admitted: true });
    client.answer(gate.reply);
    return;
  }
  if (gate.kind === "rest") {
    client.setState({ ...client.state, admitted: true });
    askAboutConnection(client, plan, gate.request, [...gate.words]);
    return;
  }
  switch (plan.kind) {
    case "read": case "write": case "other": case "blocking":
      client.lease.single(plan, request, true);
      return;
    case "reload":
      reload(client, request);
      return;
    case "wait":
      if (client.hub.router.cluster !== undefined) waitInCluster(client, plan, request, words());
      else wait(client, plan, request);
      return;
    case "state":
      askAboutConnection(client, plan, request, words());
      return;
    case "ask":
      if (plan.name === "info") info(client, request, words());
      else if (!runClientCommand(client, plan, request, words())) askAboutConnection(client, plan, request, words());
      return;
    case "transaction":
      if (client.hub.router.cluster === undefined || plan.name !== "multi") client.lease.hold("transaction", request);
      else if (arityHolds(plan, words().length)) client.lease.open(request);
      else client.lease.single(plan, request, false);
      return;
    case "pin": case "opaque":
      if (client.hub.router.cluster !== undefined && plan.name === "client|tracking" && words()[2]?.toLowerCase() === "on") {
        client.answer(ambassadorErrors.notInCluster(plan.name));
        return;
      }
      client.lease.hold("pinned", plan.name === "client|tracking" ? withServerId(client, request, words()) : request);
      return;
    case "local":
      // The server words the error for a wrong number of words.
      if (arityHolds(plan, words().length)) answerHere(client, plan);
      else client.lease.single(plan, request, false);
      return;
    case "refused":
      client.answer(ambassadorErrors.refused(plan.name));
      return;
    case "goodbye":
      client.closeAfterOutput();
      return;
  }
}

/** The client goes on only when the ambassador knows what has changed. */
function reload(client: SpecialClient, request: Buffer): void {
  const { topology } = client.hub;
  if (client.scatter(request, 0, () => undefined, 1)) {
    void topology.reloadServerFacts();
    return;
  }
  askServer(client, request, request, (reply) => {
    if (reply[0] === 45) return reply;
    void topology.reloadServerFacts().finally(() => {
      if (client.closed) return;
      client.answer(reply);
      client.resume();
    });
    return undefined;
  });
}

function info(client: SpecialClient, request: Buffer, words: readonly string[]): void {
  const wanted = wantsAmbassadorSection(words.slice(1).map((word) => word.toLowerCase()));
  askServer(client, request, request, (reply) => {
    const told = wanted ? textOfReply(reply) : undefined;
    if (told === undefined) return reply;
    return replyWithText(`${told.text}${told.text === "" ? "" : "\r\n"}${ambassadorSection(client.hub.infoFacts())}`, told.verbatim);
  });
}

function answerHere(client: SpecialClient, plan: CommandPlan): void {
  switch (plan.name) {
    case "client|id":
      client.answer(Buffer.from(`:${client.id}\r\n`));
      return;
    case "quit":
      client.answer(Buffer.from("+OK\r\n"));
      client.closeAfterOutput();
      return;
    case "reset":
      client.setState(freshState);
      client.setPrimaryOnly(false);
      client.answer(Buffer.from("+RESET\r\n"));
      return;
    default: // readonly, readwrite
      client.setPrimaryOnly(plan.name === "readwrite");
      client.answer(Buffer.from("+OK\r\n"));
  }
}

function wait(client: SpecialClient, plan: CommandPlan, request: Buffer): void {
  client.lease.take(request, (upstream) => {
    const owner = collector(1, ([reply]) => {
      if (client.closed || reply === undefined || reply[0] === 45) {
        client.hub.pool.release(upstream);
        client.answer(ambassadorErrors.noConnection(`${plan.name.toUpperCase()} cannot be proven, since PUBLISH was refused`));
        client.resume();
      } else {
        client.lease.singleOn(upstream, plan, request, true);
      }
    }, (reason) => client.again(request, reason));
    upstream.send(owner, waitMark, 0, waitMark.length, 1, undefined);
  });
}

function waitInCluster(client: SpecialClient, plan: CommandPlan, request: Buffer, words: readonly string[]): void {
  const replicas = Number(words[1]), timeoutMs = Number(words[2]);
  if (plan.name !== "wait" && arityHolds(plan, words.length)) {
    client.answer(ambassadorErrors.notInCluster(plan.name));
  } else if (words.length !== 3 || !Number.isSafeInteger(replicas) || !(timeoutMs >= 0)) {
    // The server words the error.
    client.lease.single(plan, request, false);
  } else {
    client.stallForWork();
    void waitForReplicas(client.hub, replicas, timeoutMs, () => !client.closed).then((count) => {
      if (client.closed) return;
      client.answer(Buffer.from(`:${count}\r\n`));
      client.resume();
    });
  }
}

/** A client must not take the servers for a cluster, which it would have to deal with itself. */
function asPlain(reply: Buffer): Buffer {
  return Buffer.from(reply.toString("latin1").replace("$4\r\nmode\r\n$7\r\ncluster\r\n", "$4\r\nmode\r\n$10\r\nstandalone\r\n"), "latin1");
}

/** Asks a server on a connection that is in this client's state; what it accepts becomes the client's state. */
function askAboutConnection(client: SpecialClient, plan: CommandPlan, request: Buffer, words: string[]): void {
  const { hub } = client;
  const settled = plan.name === "client|unblock" ? unblockNobody(client, words) : undefined;
  if (settled !== undefined) {
    client.answer(settled);
    return;
  }
  const toSend = plan.name === "client|unblock" ? withServerId(client, request, words) : request;
  client.lease.take(request, (upstream) => {
    const owner = collector(1, (replies) => {
      const reply = replies[0] ?? Buffer.alloc(0), accepted = reply[0] !== 45;
      if (plan.kind === "state" && accepted) {
        upstream.state = afterAccepted(client.state, words);
        client.setState(upstream.state);
      }
      // A refused HELLO may have changed a part of the state.
      if (plan.kind === "state" && !accepted) upstream.close("its state is not known");
      hub.pool.release(upstream);
      if (client.closed) return;
      const shown = plan.name === "hello" && hub.router.cluster !== undefined ? asPlain(reply) : reply;
      client.answer(plan.name === "hello" || plan.name === "client|info" ? withClientId(shown, client.id) : shown);
      client.resume();
    }, (reason) => client.again(request, reason));
    upstream.node.counts.pinned += 1;
    upstream.send(owner, toSend, 0, toSend.length, 1, undefined);
  });
}

const virtualIdAt = (words: readonly string[]): number => words.findIndex((word) => /^\d{13,16}$/.test(word) && Number(word) >= firstClientId);

function unblockNobody(client: SpecialClient, words: readonly string[]): Buffer | undefined {
  // What is wrong about the words, the server says.
  if (words.length !== 3 && !(words.length === 4 && /^(?:timeout|error)$/i.test(words[3] ?? ""))) return undefined;
  const at = virtualIdAt(words);
  if (at < 0) return undefined;
  return client.hub.clients.get(Number(words[at]))?.serverId === undefined ? Buffer.from(":0\r\n") : undefined;
}

/** The request with the ambassador's number of a client replaced by the server's number of that client's connection. */
function withServerId(client: SpecialClient, request: Buffer, words: readonly string[]): Buffer {
  const at = virtualIdAt(words);
  const serverId = client.hub.clients.get(Number(words[at]))?.serverId;
  if (at < 0 || serverId === undefined) return request;
  return encodeRequest(words.map((word, index) => Buffer.from(index === at ? String(serverId) : word, "latin1")));
}
