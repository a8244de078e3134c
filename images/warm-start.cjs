// Starts a role for a moment and writes what V8 compiled of it, for its later starts:
//
//   node FLAGS… warm-start.cjs MAIN CACHE PROBE [ARGUMENT OF THE ROLE]…
//
// When PROBE, an address of its admin server, has answered, and a second more is over, or at the latest after 30 seconds, the role is told to end. Whether it
// was ready by then changes how much the cache holds and nothing else. The flags are to be those of the later starts.
/* oxlint-disable typescript/no-unsafe-assignment, typescript/no-unsafe-call, typescript/no-unsafe-member-access, typescript/no-unsafe-argument, typescript/no-unsafe-return, typescript/strict-boolean-expressions -- the compiler does not read this file, so every type in it is unknown to the linter */
"use strict";
const { writeFileSync } = require("node:fs");
const { get } = require("node:http");

const [, , main, cache, probe, ...rest] = process.argv;
const answerMs = 30_000;
const settleMs = 1_000;
process.argv = [process.argv[0], main, ...rest];
const script = require(main);
process.on("exit", () => writeFileSync(cache, script.createCachedData()));

const end = () => process.kill(process.pid, "SIGTERM");
const givenUp = setTimeout(end, answerMs);
const ask = () =>
  get(probe, { agent: false }, (response) => {
    response.resume();
    clearTimeout(givenUp);
    setTimeout(end, settleMs);
  }).on("error", () => setTimeout(ask, 20));
ask();
