import assert from "node:assert/strict";
import { test } from "node:test";
import { CliFailure } from "../../cli/failure.ts";
import { parseRequests } from "../../cli/resources.ts";

const check = (line: string, expected: readonly string[]): void => {
  test(`"${line}" asks for ${expected.join(" and ")}`, () => {
    assert.deepEqual(parseRequests(line.split(" ")).map(({ kind, names }) => [kind.plural, ...names].join(" ")), expected);
  });
};
check("po", ["pods"]);
check("pods web api", ["pods web api"]);
check("po,svc", ["pods", "services"]);
check("pod/web svc/web", ["pods web", "services web"]);
check("all", ["pods", "services"]);
check("all,cm", ["pods", "services", "configmaps"]);
check("cm,all", ["configmaps", "pods", "services"]);
check("pods,all,po", ["pods", "services"]);

const checkRefused = (line: string, message: RegExp): void => {
  test(`"${line}" is refused`, () => {
    assert.throws(() => parseRequests(line.split(" ")), (error) => error instanceof CliFailure && error.exitCode === 64 && message.test(error.message));
  });
};
checkRefused("all web", /names for several kinds at once/);
checkRefused("all/web", /no kind "all"/);
checkRefused("all,cmm", /no kind "cmm"/);
checkRefused("pods,", /no kind ""/);
