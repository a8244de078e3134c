import { eventually } from "../../support/eventually.ts";
import { stepsOf, type Step } from "./conversations.ts";
import { Dialogue, requestBytes } from "./dialogue.ts";
import type { Place } from "./wire.ts";

/** What a conversation got from one place, step by step. Numbers of connections are told by the connection's letter. */
export async function transcript(place: Place, conversation: string, protocol: 2 | 3, directly: Place): Promise<string[]> {
  const open = new Map<string, Dialogue>(), ids = new Map<string, string>(), blocked = new Set<string>(), lines: string[] = [];
  const on = async (letter: string): Promise<Dialogue> => {
    const known = open.get(letter);
    if (known !== undefined) return known;
    const dialogue = await Dialogue.open(place);
    open.set(letter, dialogue);
    if (protocol === 3) await dialogue.ask(["HELLO", "3"]);
    return dialogue;
  };
  const masked = (frame: string): string => {
    let text = frame.replace(/(\$2\r\nid\r\n:)\d+/, "$1ID");
    for (const [letter, id] of ids) text = text.replaceAll(`:${id}\r\n`, `:{${letter}}\r\n`);
    return text;
  };
  const perform = async (step: Step, dialogue: Dialogue): Promise<string[]> => {
    const words = step.words.map((word) => word.replaceAll(/\{([a-z])\}/g, (_, letter: string) => ids.get(letter) ?? ""));
    switch (step.how) {
      case "marked": return await dialogue.askMarked(requestBytes(words));
      case "closed": return [await dialogue.ended() ? "closed" : "still open"];
      case "take":
        blocked.delete(step.on);
        return await dialogue.take(step.take);
      case "blocked":
        blocked.add(step.on);
        await eventually(async () => await blockedClients(directly) >= blocked.size, { what: `${[...blocked].join()} blocked on the server` });
        return [];
      default:
        dialogue.write(requestBytes(words));
        return step.take === 0 ? [] : await dialogue.take(step.take);
    }
  };
  try {
    for (const step of stepsOf(conversation)) {
      // What MONITOR tells is the primary's life, probes and all.
      const frames = (await perform(step, await on(step.on))).filter((frame) => !/^\+\d+\.\d+ \[/.test(frame));
      if (step.words.join(" ").toUpperCase() === "CLIENT ID" && step.how === "send" && !ids.has(step.on)) ids.set(step.on, frames[0]?.slice(1).trim() ?? "");
      lines.push(`${step.text} => ${frames.map((frame) => JSON.stringify(masked(frame))).join(" ") || "nothing"}`);
    }
  } finally {
    for (const dialogue of open.values()) await dialogue[Symbol.asyncDispose]();
  }
  return lines;
}

/** How many clients wait for something, as the server tells that does the waiting. */
async function blockedClients(place: Place): Promise<number> {
  await using dialogue = await Dialogue.open(place);
  const [info = ""] = await dialogue.ask(["INFO", "clients"]);
  return Number(/blocked_clients:(\d+)/.exec(info)?.[1] ?? 0);
}
