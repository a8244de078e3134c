import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { negotiateApi, newestKnownApi } from "../../../orchestrator/runtime/docker/api-version.ts";
import { classifyAnswer, classifyConnection } from "../../../orchestrator/runtime/docker/classify-failure.ts";
import type { CallKind } from "../../../orchestrator/runtime/docker/classify-failure.ts";
import { containerBody, sandboxBody } from "../../../orchestrator/runtime/docker/container-body.ts";
import { eventOf, stateOf } from "../../../orchestrator/runtime/docker/container-status.ts";
import { parseDockerHost } from "../../../orchestrator/runtime/docker/engine-address.ts";
import { at } from "../../../orchestrator/runtime/docker/engine-json.ts";
import { parseImageReference } from "../../../orchestrator/runtime/docker/image-reference.ts";
import { FrameDecoder } from "../../../orchestrator/runtime/docker/multiplexed-frames.ts";
import type { ContainerSpec, RuntimeErrorCode, SandboxSpec } from "../../../orchestrator/runtime/runtime.ts";
import { dynamicRange, firstAddress, nthAddress } from "../../../orchestrator/runtime/subnet.ts";

describe("the engine's multiplexed stream", () => {
  const frameOf = (stream: number, text: string): Buffer => {
    const header = Buffer.alloc(8);
    header[0] = stream;
    header.writeUInt32BE(Buffer.byteLength(text), 4);
    return Buffer.concat([header, Buffer.from(text)]);
  };
  const wire = Buffer.concat([frameOf(1, "one\n"), frameOf(2, ""), frameOf(2, "bad\n"), frameOf(0, "typed"), frameOf(1, "x".repeat(300))]);
  const decode = (pieces: readonly Uint8Array[]): { stdout: string; stderr: string; whole: boolean } => {
    const decoder = new FrameDecoder();
    const texts = { stdout: "", stderr: "" };
    for (const piece of pieces) for (const { stream, bytes } of decoder.push(piece)) texts[stream] += Buffer.from(bytes).toString("latin1");
    return { ...texts, whole: decoder.atFrameBoundary };
  };
  const expected = { stdout: `one\n${"x".repeat(300)}`, stderr: "bad\n", whole: true };

  test("is the same wherever it is cut in two", () => {
    for (let cut = 0; cut <= wire.length; cut += 1) assert.deepEqual(decode([wire.subarray(0, cut), wire.subarray(cut)]), expected);
  });
  test("is the same in single bytes and in any pieces", () => {
    assert.deepEqual(decode(Array.from(wire, (byte) => Uint8Array.of(byte))), expected);
    fc.assert(fc.property(fc.array(fc.nat(wire.length), { maxLength: 12 }), (cuts) => {
      const points = [0, ...cuts.toSorted((a, b) => a - b), wire.length];
      assert.deepEqual(decode(points.slice(1).map((end, index) => wire.subarray(points[index], end))), expected);
    }));
  });
  test("that ends within a frame is not whole", () => assert.equal(decode([wire.subarray(0, wire.length - 1)]).whole, false));
  test("that is not one is refused, not guessed at", () => assert.throws(() => decode([Buffer.from("HTTP/1.1 ")]), SyntaxError));
});

describe("image references", () => {
  const check = (reference: string, registry: string, repository: string, tagOrDigest: string): void => {
    test(reference, () => assert.deepEqual(parseImageReference(reference), { registry, repository, tagOrDigest }));
  };
  check("redis", "docker.io", "redis", "latest");
  check("podkit/pause:0.1.0", "docker.io", "podkit/pause", "0.1.0");
  check("registry.example:5000/a/b", "registry.example:5000", "registry.example:5000/a/b", "latest");
  check("localhost/a:1", "localhost", "localhost/a", "1");
  check("ghcr.io/a/b:1@sha256:abc", "ghcr.io", "ghcr.io/a/b", "sha256:abc");
});

describe("DOCKER_HOST", () => {
  test("absent or empty is the usual socket", () => assert.deepEqual([undefined, ""].map(parseDockerHost), [1, 2].map(() => ({ kind: "unix", socketPath: "/var/run/docker.sock" }))));
  test("may be a socket or a TCP address", () => {
    assert.deepEqual(parseDockerHost("unix:///run/user/1000/docker.sock"), { kind: "unix", socketPath: "/run/user/1000/docker.sock" });
    assert.deepEqual(parseDockerHost("tcp://10.0.0.1"), { kind: "tcp", origin: "http://10.0.0.1:2375" });
    assert.deepEqual(parseDockerHost("tcp://[::1]:99"), { kind: "tcp", origin: "http://[::1]:99" });
  });
  for (const host of ["ssh://me@host", "unix://relative", "nonsense", "tcp://"]) test(`"${host}" is refused by name`, () => assert.equal(parseDockerHost(host).kind, "unsupported"));
});

describe("the API version", () => {
  const check = (what: string, apiVersion: string, minApiVersion: string, expected: string): void => {
    test(`${what}: ${expected}`, () => {
      const result = negotiateApi({ apiVersion, minApiVersion });
      assert.equal(result.kind === "ok" ? result.apiVersion : result.kind, expected);
    });
  };
  check("Docker 20.10", "1.41", "1.12", "1.41");
  check("a newer engine than we know", "1.99", "1.44", newestKnownApi);
  check("an engine that refuses all we know", "1.99", "1.90", "none");
  check("an engine too old", "1.39", "1.12", "none");
  check("1.9 is older than 1.41", "1.9", "1.1", "none");
  check("nonsense", "", "", "none");
});

describe("failures", () => {
  const check = (kind: CallKind, status: number, words: string, code: RuntimeErrorCode, remedy?: RegExp): void => {
    test(`${kind}: ${words.slice(0, 90)} is ${code}`, () => {
      const failure = classifyAnswer({ doing: 'do it to "web"', kind, status, words });
      assert.equal(failure.code, code);
      assert.ok(failure.message.startsWith('Cannot do it to "web": '));
      if (remedy !== undefined) assert.match(failure.remedy ?? "", remedy);
    });
  };
  check("start", 500, "driver failed programming external connectivity on endpoint a (b): Bind for 0.0.0.0:8080 failed: port is already allocated", "PortInUse", /8080/);
  check("start", 500, "driver failed programming external connectivity on endpoint a (b): Error starting userland proxy: listen tcp4 127.0.0.1:80: bind: address already in use", "PortInUse", /sport = :80"/);
  check("start", 400, 'OCI runtime create failed: container_linux.go:380: starting container process caused: exec: "nope": executable file not found in $PATH: unknown', "StartFailed");
  check("start", 409, "cannot join network of a non running container: abc", "InvalidState");
  check("create", 404, "No such image: nope:1", "ImageNotFound", /name and tag/);
  check("create", 404, "No such container: abc", "NotFound");
  check("create", 400, 'invalid mount config for type "bind": bind source path does not exist: /nope', "InvalidConfig", /\/nope/);
  check("create", 500, "write /var/lib/docker/x: no space left on device", "DiskFull", /disk space/);
  check("pull", 404, "manifest for redis:nope not found: manifest unknown: manifest unknown", "ImageNotFound");
  check("pull", 500, 'Get "https://registry-1.docker.io/v2/": dial tcp: lookup registry-1.docker.io: no such host', "Unreachable", /registry/);
  check("exec", 409, "Container abc is not running", "InvalidState");
  check("network", 403, "error while removing network: network n id i has active endpoints", "InvalidState");
  check("other", 500, "", "Internal");

  test("a socket that is not there names itself and the remedy", () => {
    const failure = classifyConnection({ doing: "connect to Docker", where: "/var/run/docker.sock", errorCode: "ENOENT", words: "" });
    assert.equal(failure.code, "Unreachable");
    assert.match(`${failure.message} ${failure.remedy}`, /Docker does not answer at \/var\/run\/docker\.sock.*systemctl start docker/);
  });
  test("a socket that may not be used names the group", () => {
    const failure = classifyConnection({ doing: "connect to Docker", where: "/var/run/docker.sock", errorCode: "EACCES", words: "" });
    assert.deepEqual([failure.code, /usermod -aG docker/.test(failure.remedy ?? "")], ["PermissionDenied", true]);
  });
});

describe("what is asked of the engine", () => {
  const sandbox: SandboxSpec = {
    name: "s", labels: {}, image: "pause", hostname: "web", network: { kind: "bridge", name: "net", ipv4Address: "10.0.0.10" },
    ports: [{ containerPort: 80, hostPort: 8080, hostIp: "", protocol: "TCP" }, { containerPort: 80, hostPort: 8081, hostIp: "127.0.0.1", protocol: "TCP" }], sysctls: {}, mounts: [],
  };
  const container: ContainerSpec = {
    name: "c", labels: {}, sandboxId: "abc", image: "i", env: [{ name: "A", value: "b=c" }], supplementalGroups: [1000], mounts: [{ kind: "bind", source: "/a", target: "/b", readOnly: true }], readOnlyRootFilesystem: true,
    privileged: false, noNewPrivileges: true, capabilitiesAdd: [], capabilitiesDrop: ["ALL"], seccomp: { kind: "profile", json: "{}" }, resources: { memoryBytes: 1024, cpuQuotaMicroseconds: 50_000 },
    pidNamespace: "sandbox", ipcNamespace: "sandbox", tty: false, stdin: false, stdinOnce: false,
  };
  const check = (what: string, body: unknown, path: readonly (string | number)[], expected: unknown): void => {
    test(what, () => assert.deepEqual(at(body, ...path), expected));
  };
  for (const [what, body] of [["sandbox", sandboxBody(sandbox)], ["container", containerBody(container)]] as const) {
    check(`a ${what} is never restarted by the engine`, body, ["HostConfig", "RestartPolicy", "Name"], "no");
    check(`a ${what}'s log is bounded`, body, ["HostConfig", "LogConfig", "Config"], { "max-size": "10m", "max-file": "3" });
    check(`a ${what} has no health check of the engine's`, body, ["Healthcheck", "Test"], ["NONE"]);
  }
  check("several host ports may lead to one port", sandboxBody(sandbox), ["HostConfig", "PortBindings", "80/tcp"], [{ HostIp: "", HostPort: "8080" }, { HostIp: "127.0.0.1", HostPort: "8081" }]);
  check("a pinned address is asked for", sandboxBody(sandbox), ["NetworkingConfig", "EndpointsConfig", "net", "IPAMConfig"], { IPv4Address: "10.0.0.10" });
  check("the host's network has the host's name", sandboxBody({ ...sandbox, network: { kind: "host" } }), ["Hostname"], undefined);
  check("a container joins its sandbox's network", containerBody(container), ["HostConfig", "NetworkMode"], "container:abc");
  check("and its processes, when shared", containerBody(container), ["HostConfig", "PidMode"], "container:abc");
  check("memory includes swap", containerBody(container), ["HostConfig", "MemorySwap"], 1024);
  check("security options", containerBody(container), ["HostConfig", "SecurityOpt"], ["no-new-privileges", "seccomp={}"]);
  check("a missing bind source is never created", containerBody(container), ["HostConfig", "Mounts"], [{ Type: "bind", Source: "/a", Target: "/b", ReadOnly: true, BindOptions: { Propagation: "rprivate" } }]);
  check("values may hold an equals sign", containerBody(container), ["Env"], ["A=b=c"]);
  check("the image's command holds when none is given", containerBody(container), ["Cmd"], undefined);
});

describe("what the engine says", () => {
  test("a container that never ran is created, whatever its exit code", () => assert.deepEqual(stateOf({ State: { Status: "created", ExitCode: 127, StartedAt: "0001-01-01T00:00:00Z" } }), { kind: "created" }));
  test("a paused container runs", () => assert.equal(stateOf({ State: { Status: "paused", Running: true, Pid: 9, StartedAt: "2026-01-01T00:00:00.123456789Z" } }).kind, "running"));
  test("an end is told with its times and its cause", () => {
    assert.deepEqual(stateOf({ State: { Status: "exited", ExitCode: 137, OOMKilled: true, StartedAt: "2026-01-01T00:00:00.123456789Z", FinishedAt: "2026-01-01T00:00:01Z" } }), {
      kind: "exited", exitCode: 137, oomKilled: true, startedAtMs: Date.UTC(2026, 0, 1, 0, 0, 0, 123), finishedAtMs: Date.UTC(2026, 0, 1, 0, 0, 1), error: "",
    });
  });
  test("an event nobody knows is some other event", () => assert.equal(eventOf({ Action: "exec_create: sh", Actor: { ID: "a" }, timeNano: 1e18 }).action, "other"));
  test("an answer of another shape is neutral, not a crash", () => assert.equal(stateOf(null).kind, "exited"));
});

describe("subnets", () => {
  test("addresses are counted from the base", () => {
    assert.equal(firstAddress("172.18.0.0/16"), "172.18.0.1");
    assert.equal(nthAddress("192.168.255.128/25", 10), "192.168.255.138");
    assert.equal(nthAddress("10.0.0.0/8", 65_536), "10.1.0.0");
  });
  test("the upper half is given out", () => {
    assert.equal(dynamicRange("172.18.0.0/16"), "172.18.128.0/17");
    assert.equal(dynamicRange("192.168.16.0/20"), "192.168.24.0/21");
  });
  test("nonsense is refused", () => {
    for (const subnet of ["", "fd00::/64", "10.0.0.256/8", "10.0.0.0/33"]) assert.throws(() => firstAddress(subnet), SyntaxError);
    assert.throws(() => nthAddress("10.0.0.0/30", 3), RangeError);
    assert.throws(() => dynamicRange("10.0.0.0/29"), RangeError);
  });
});
