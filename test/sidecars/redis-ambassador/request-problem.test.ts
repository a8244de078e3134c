import assert from "node:assert/strict";
import { test } from "node:test";
import { buildPlans, unknownPlan } from "../../../sidecars/redis-ambassador/commands/classifier.ts";
import { readCommandFacts } from "../../../sidecars/redis-ambassador/commands/command-facts.ts";
import { requestProblem } from "../../../sidecars/redis-ambassador/protocol/request-problem.ts";

const table = buildPlans(readCommandFacts([
  ["get", 2, ["readonly"], 1, 1, 1], ["exec", 1, [], 0, 0, 0], ["config", -2, [], 0, 0, 0, [], [], [], [["config|get", -3, [], 0, 0, 0]]],
]));
const problem = (words: readonly string[]): string | undefined => {
  const [name = ""] = words, plan = table.find(Buffer.from(name.toLowerCase()), 0, name.length);
  return requestProblem(plan ?? unknownPlan, words)?.toString("latin1");
};

// The texts are those of Redis 7.0.15 and 8.0.2, before a client has authenticated.
const says = (words: readonly string[], text: string | undefined): void => {
  test(`${JSON.stringify(words).slice(0, 60)} is ${text === undefined ? "nothing to object to" : "answered"}`, () => assert.equal(problem(words), text));
};
says(["GET", "x"], undefined);
says(["GET"], "-ERR wrong number of arguments for 'get' command\r\n");
says(["NOSUCH"], "-ERR unknown command 'NOSUCH', with args beginning with: \r\n");
says(["NOSUCH", "a\r\nb", "c".repeat(200), "d"], `-ERR unknown command 'NOSUCH', with args beginning with: 'a  b' '${"c".repeat(121)}' \r\n`);
says(["CONFIG"], "-ERR wrong number of arguments for 'config' command\r\n");
says(["CONFIG", "NOPE"], "-ERR unknown subcommand 'NOPE'. Try CONFIG HELP.\r\n");
says(["EXEC"], "-EXECABORT Transaction discarded because of: NOAUTH Authentication required.\r\n");
