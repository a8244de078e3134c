import assert from "node:assert/strict";
import { chmod, chown, mkdir, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import process from "node:process";
import { after, before, test } from "node:test";
import { image } from "../../support/images.ts";
import { type RunOptions, TestCluster } from "./podkit.ts";

let cluster: TestCluster;
before(async () => (cluster = await TestCluster.create("bad")));
after(async () => await cluster[Symbol.asyncDispose]());

type Case = {
  readonly manifest: string | (() => Promise<string> | string);
  readonly code: number;
  readonly says: readonly RegExp[];
  readonly words?: readonly string[];
  readonly options?: () => Promise<RunOptions> | RunOptions;
  readonly skip?: string | false;
};

const pod = (container: string, rest = "", name = "web"): string => `apiVersion: v1
kind: Pod
metadata:
  name: ${name}
spec:
  terminationGracePeriodSeconds: 1
${rest}  containers:
    - name: app
      image: ${image("busybox")}
      command: [sh, -c, "echo first line; echo last words >&2; exit 3"]
${container}`;

/** Each case: one clear message, the documented exit code, and nothing left on the engine or the disk. */
const check = (what: string, testCase: Case): void => {
  test(`${what}: exit code ${testCase.code}, and nothing is left`, { skip: testCase.skip ?? false }, async (t) => {
    t.after(async () => { if ((await cluster.leftovers()).length > 0) await cluster.run(["down", "--all"]); }); // one failure does not make the next

    const text = typeof testCase.manifest === "string" ? testCase.manifest : await testCase.manifest();
    await cluster.file("m.yaml", text);
    const { stderr } = await cluster.expect(testCase.code, testCase.words ?? ["up", "-f", join(cluster.home, "m.yaml"), "--timeout", "90s"], await testCase.options?.());
    for (const pattern of testCase.says) assert.match(stderr, pattern);
    assert.equal(stderr.match(/^error: /gm)?.length, 1, `one message:\n${stderr}`);
    assert.deepEqual(await cluster.leftovers(), [], stderr);
  });
};

check("a wrong field", { manifest: () => pod("      prots: []\n"), code: 78, says: [/^error: 1 problem in the manifests; nothing was started$/m, /m\.yaml:11:7: Pod\/web spec\.containers\[0\]\.prots: unknown field .*did you mean "ports"/] });
check("a file that is no YAML", { manifest: "a: [b\n", code: 78, says: [/m\.yaml:\d+:\d+: /] });
check("an unsupported field", { manifest: () => pod("", "  priorityClassName: high\n"), code: 78, says: [/priorityClassName/] });
check("a file without objects", { manifest: "# nothing\n", code: 78, says: [/No object is in /] });
check("a good and a bad object", { manifest: () => `${pod("")}---\napiVersion: v1\nkind: Pod\nmetadata: { name: B }\nspec: { containers: [] }\n`, code: 78, says: [/2 problems/, /metadata\.name/, /spec\.containers/] });
check("a file that does not exist", { manifest: "", words: ["up", "-f", "/nowhere.yaml"], code: 64, says: [/Cannot read the manifest \/nowhere\.yaml/] });
check("an unknown option", { manifest: "", words: ["up", "--fil", "x"], code: 64, says: [/has no option --fil/] });
check("a namespace that does not exist", { manifest: () => pod("").replace("  name: web", "  name: web\n  namespace: lost"), code: 78, says: [/"lost" does not exist/] });
check("a local image that is not there", { manifest: () => pod("      imagePullPolicy: Never\n").replace(image("busybox"), "podkit/none:1"), code: 69, says: [/podkit\/none:1 is not in the engine/, /^remedy: /m] });
check("an image that no registry has", { manifest: () => pod("").replace(image("busybox"), "localhost:1/none:1"), code: 69, says: [/pod\/web cannot become ready/, /ErrImagePull|ImagePullBackOff/, /Removing what was created: pod\/web/] });
check("a missing config map", { manifest: () => pod("      envFrom: [{ configMapRef: { name: none } }]\n"), code: 1, says: [/CreateContainerConfigError: configmap "none" not found/] });
check("a container that fails", { manifest: () => pod("      readinessProbe: { exec: { command: [\"false\"] } }\n", "  restartPolicy: Never\n"), code: 1, says: [/container app ended: Error, exit code 3/, /\| first line/, /\| last words/] });
check("a volume path that is no folder", {
  manifest: () => pod("      volumeMounts: [{ name: v, mountPath: /v }]\n", `  volumes: [{ name: v, hostPath: { path: ${join(cluster.home, "m.yaml")}, type: Directory } }]\n`),
  code: 1, says: [/FailedMount: .*is not a directory/],
});

let taken: Server;
before(async () => await new Promise<void>((resolve) => void (taken = createServer()).listen(0, "0.0.0.0", resolve)));
after(() => void taken.close());
function takenPort(): number {
  const address = taken.address();
  assert.ok(address !== null && typeof address === "object");
  return address.port;
}
check("a port in use", { manifest: () => pod(`      ports: [{ containerPort: 80, hostPort: ${takenPort()} }]\n`), code: 69, says: [/pod\/web container app: hostPort \d+ is in use on this machine; nothing was started/, /^remedy: .*ss -lptn/m] });
check("a Docker socket that does not answer", { manifest: () => pod(""), options: () => ({ env: { DOCKER_HOST: "unix:///nowhere/docker.sock" } }), code: 69, says: [/Docker does not answer at \/nowhere\/docker\.sock/, /^remedy: /m] });

const isRoot = process.getuid?.() === 0;
check("a Docker socket that may not be used", {
  manifest: () => pod(""), code: 69, says: [/may not use Docker's socket/, /^remedy: .*group docker/m], skip: isRoot ? false : "needs root to become another user",
  options: async () => {
    await chmod(cluster.home, 0o777);
    const folder = join(cluster.home, "other");
    await mkdir(folder);
    await chown(folder, 65_534, 65_534);
    const socket = join(cluster.home, "closed.sock");
    await new Promise<void>((resolve) => void createServer().unref().listen(socket, resolve));
    await chmod(socket, 0o600);
    return { uid: 65_534, env: { DOCKER_HOST: `unix://${socket}`, PODKIT_HOME: folder, HOME: folder } };
  },
});
check("a home that cannot be written", {
  manifest: () => pod(""), code: 69, says: [/./],
  options: async () => {
    await writeFile(join(cluster.home, "file"), "");
    return { env: { PODKIT_HOME: join(cluster.home, "file") } };
  },
});
