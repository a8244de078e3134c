import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { ServerImage } from "../../support/redis-topology.ts";
import { EveryCommand, ownAnswers } from "./every-command.ts";
import { serverKinds, startPair, type PairScene } from "./pair-scene.ts";

/** The first of many differences tell enough. */
const shownMax = 12;
/** Some thousand answers one after another take as long as the machine lets them. */
const slow = { timeout: 900_000 } as const;

// The servers are compared side by side, since each spends most of its time waiting for its turn.
describe("every command", { concurrency: true }, () => {
  for (const { image, title } of serverKinds) describe(`that ${title} documents`, { concurrency: false }, () => comparedWith(image));
});

function comparedWith(image: ServerImage): void {
  let scene: PairScene;
  before(async () => {
    scene = await startPair(image);
  });
  after(async () => await scene[Symbol.asyncDispose]());

  for (const protocol of [2, 3] as const) {
    for (const pipelined of [false, true]) {
      // Writes are tried with their keys made anew for each, which takes long: once in each protocol, once single, once pipelined.
      const writesToo = pipelined === (protocol === 3);
      test(`gets the same bytes in RESP${protocol}, ${pipelined ? "pipelined" : "one at a time"}${writesToo ? "" : ", where it writes nothing"}`, slow, async (context) => {
        const every = await EveryCommand.prepare(scene, { protocol, pipelined });
        const readsBefore = await scene.callsOnReplicas("strlen");
        await every.reads(async () => await scene.replicasAnswer("string"));
        await every.others(writesToo);
        const shown = every.mismatches.slice(0, shownMax).map((each) => `${each.request}\n  a plain server: ${JSON.stringify(each.plain.slice(0, 500))}\n  the ambassador: ${JSON.stringify(each.through.slice(0, 500))}`);
        assert.equal(every.mismatches.length, 0, `${every.mismatches.length} of ${every.compared} answers differ:\n${shown.join("\n")}`);
        // Nothing is left out silently: what was tried is what COMMAND lists.
        if (writesToo) assert.deepEqual([...every.covered].toSorted(), every.commands.map((command) => command.name).toSorted());
        assert.ok(every.commands.length > 350 && every.compared > (writesToo ? 4_000 : 1_500), `${every.commands.length} commands, ${every.compared} answers`);
        assert.ok(await scene.callsOnReplicas("strlen") > readsBefore, "replicas have answered none of the reads");
        context.diagnostic(`${every.commands.length} commands and subcommands, ${every.compared} answers compared`);
      });
    }
  }

  test("has an answer of the ambassador's own only where that is said", async () => {
    const every = await EveryCommand.prepare(scene, { protocol: 2, pipelined: false });
    const names = new Set(every.commands.map((command) => command.name));
    for (const [name, { because }] of Object.entries(ownAnswers)) assert.ok(names.has(name) && because !== "", name);
  });
}
