import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { overrideVariable } from "../../images/base-images.ts";
import { contentHash } from "../../images/content-hash.ts";
import { packageName, packageVersion } from "../../images/debian/root-tree.ts";
import { engineAddress } from "../../images/engine.ts";
import { parseImageList, readImageList, recordImages } from "../../images/image-list.ts";
import { billOfMaterials } from "../../images/sbom.ts";

test("a content hash tells where one part ends and the next begins", () => {
  assert.notEqual(contentHash(["ab", "c"]), contentHash(["a", "bc"]));
  assert.equal(contentHash(["ab", Buffer.from("c")]), contentHash([Buffer.from("ab"), "c"]));
  assert.match(contentHash([]), /^[0-9a-f]{12}$/);
});

test("a Debian file name gives name and version, with its epoch", () => {
  assert.equal(packageName("libc6_2.41-12_amd64.deb"), "libc6");
  assert.equal(packageVersion("redis-server_5%3a8.0.2-3_amd64.deb"), "redis-server=5:8.0.2-3");
});

const address = (env: Record<string, string>, origin: string, socketPath: string | undefined): void => {
  test(`DOCKER_HOST=${env["DOCKER_HOST"] ?? ""} leads to ${socketPath ?? origin}`, () => assert.deepEqual(engineAddress(env), { origin, socketPath }));
};
address({ DOCKER_HOST: "unix:///run/other.sock" }, "http://localhost", "/run/other.sock");
address({ DOCKER_HOST: "tcp://127.0.0.1:2375" }, "http://127.0.0.1:2375", undefined);

test("a Docker address of another kind is refused with what is expected", () => {
  assert.throws(() => engineAddress({ DOCKER_HOST: "ssh://me@there" }), /Cannot use DOCKER_HOST=ssh:\/\/me@there: expected unix:\/\/\/path or tcp/);
});

test("the list of images keeps what others recorded, and a cut list counts as none", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "podkit-list-"));
  t.after(async () => await rm(folder, { recursive: true }));
  const path = join(folder, "state/images.json");
  const record = (reference: string) => ({ reference, hash: "0", how: "built" });
  await recordImages(path, { redis: record("podkit/redis:1") });
  await recordImages(path, { dns: record("podkit/dns:1") });
  assert.deepEqual(Object.keys(await readImageList(path)), ["dns", "redis"]);
  await writeFile(path, (await readFile(path, "utf8")).slice(0, 40));
  assert.deepEqual(await readImageList(path), {});
  assert.deepEqual(parseImageList('{"a": {"reference": 1}}'), {});
});

test("an image is overridden by a variable of its name", () => assert.equal(overrideVariable("node-base"), "PODKIT_IMAGE_NODE_BASE"));

test("a bill of materials is the same for the same content and names each kind of part", () => {
  const options = { role: "dns", version: "1.0.0", contentHash: "abcdef012345", packages: [{ name: "@a/b", version: "2.0.0", licence: "MIT", licenceText: "" }], debianPackages: ["libc6=2.41-12"], nodeVersion: "24.0.0", baseName: "base" };
  const bill = billOfMaterials(options);
  assert.deepEqual(bill, billOfMaterials(options));
  assert.match(String(bill["serialNumber"]), /^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.match(JSON.stringify(bill), /pkg:npm\/%40a\/b@2\.0\.0.*pkg:generic\/node@24\.0\.0.*pkg:deb\/debian\/libc6@2\.41-12\?distro=debian-13/);
});
