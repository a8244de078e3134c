import assert from "node:assert/strict";
import { test } from "node:test";
import { imageNameFault } from "../../../orchestrator/agent/image-reference.ts";
import { isReady, simulate } from "./support.ts";

const sha = "a".repeat(64);
const valid = (...images: readonly string[]): void => {
  for (const image of images) test(`${image.slice(0, 60)} is an image reference`, () => assert.equal(imageNameFault(image), undefined));
};
const invalid = (image: string, fault: string): void => {
  test(`${JSON.stringify(image.slice(0, 60))}: ${fault.slice(0, 60)}`, () => assert.equal(imageNameFault(image), fault));
};

valid("busybox", "busybox:1.36", "podkit/busybox:test", "registry.example:5000/a/b:V_1.2-x", "localhost/a", "LOCAL.example/a", "LOCAL/a", "[::1]:5000/a", "a.b", "a__b/c--d", "127.0.0.1:9/absent:1", `a@sha256:${sha}`, `a:1@sha256:${sha}`, `sha256:${sha}`, `a:${"t".repeat(128)}`, "docker.io/busybox", "index.docker.io/busybox", "a".repeat(247));
invalid("Busybox:1", "invalid reference format: repository name (library/Busybox) must be lowercase");
invalid("example.com/My/App", "invalid reference format: repository name (My/App) must be lowercase");
for (const image of ["a:", "a b", "a:b c", ":1", "/a", "a/", "a//b", "-a", "a-", "a_._b", "a:b:c", "a@", "a@sha256:12", `a:${"t".repeat(129)}`, "é", "http://a", "a..b/c", ""]) invalid(image, "invalid reference format");
invalid(sha, `invalid repository name (${sha}), cannot specify 64-byte hexadecimal strings`);
invalid("a".repeat(256), "repository name must not be more than 255 characters");
invalid(`a@md5:${"a".repeat(32)}`, "unsupported digest algorithm");
invalid(`a@sha256:${"a".repeat(63)}`, "invalid checksum digest length");
invalid(`a@sha256:${"A".repeat(64)}`, "invalid checksum digest format");

for (const imagePullPolicy of ["Always", "IfNotPresent", "Never"] as const)
  test(`an invalid image reference is told as the kubelet does and never given to the engine, with imagePullPolicy ${imagePullPolicy}`, async () => {
    const s = await simulate();
    s.agent();
    await s.create({ containers: [{ name: "app", image: "Nginx:", imagePullPolicy }] });
    const message = 'Failed to apply default image tag "Nginx:": couldn\'t parse image name "Nginx:": invalid reference format: repository name (library/Nginx) must be lowercase';
    await s.until("it is told", async () => (await s.get())?.status?.containerStatuses?.[0]?.state?.waiting?.reason === "InvalidImageName");
    assert.deepEqual((await s.get())?.status?.containerStatuses?.[0]?.state, { waiting: { reason: "InvalidImageName", message } });
    assert.equal(isReady(await s.get()), false);
    await s.until("the events are there", async () => (await s.events()).some((event) => event.message === "Error: InvalidImageName"));
    assert.deepEqual((await s.events()).filter((event) => event.type === "Warning").map(({ reason, message: words }) => [reason, words]), [["InspectFailed", message], ["Failed", "Error: InvalidImageName"]]);
    assert.deepEqual(s.runtime.journal.filter(({ target }) => target === "Nginx:"), []);
    await s.end();
  });
