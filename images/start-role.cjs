// main.cjs of a role: runs role.cjs beside it with what V8 had compiled of it at a start when the image was made (role.cache, of
// warm-start.cjs). Node's own compile cache holds only what is compiled before a program runs; most of a start are functions that are
// compiled when they are first called. Without a cache, or with one of another Node or other flags, V8 compiles as ever. It compares the
// length of the text alone: both files are to come from one build.
/* oxlint-disable typescript/no-unsafe-assignment, typescript/no-unsafe-call, typescript/no-unsafe-member-access, typescript/no-unsafe-argument, typescript/no-unsafe-return, typescript/strict-boolean-expressions -- the compiler does not read this file, so every type in it is unknown to the linter */
"use strict";
const { readFileSync } = require("node:fs");
const { join } = require("node:path");
const { constants, Script } = require("node:vm");

const path = join(__dirname, "role.cjs");

function cacheBeside() {
  try {
    return readFileSync(join(__dirname, "role.cache"));
  } catch {
    return undefined;
  }
}

if (process.sourceMapsEnabled) {
  // Node knows source maps of modules alone.
  require(path);
} else {
  // The text is ASCII (bundle.ts).
  const script = new Script(readFileSync(path, "latin1"), { filename: path, cachedData: cacheBeside(), importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER });
  module.exports = script;
  script.runInThisContext()(exports, require, module, path, __dirname);
}
