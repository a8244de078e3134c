import { join } from "node:path";
import { pods } from "../../../orchestrator/api/types/kinds.ts";
import { openSqliteStore } from "../../../orchestrator/store/sqlite.ts";
import { killable } from "../../orchestrator/agent/killable-runtime.ts";
import { ensureDefaultNamespace, idle, openDocker, patient, podOf, shell, startNode } from "./support.ts";

/**
 * A control plane that can be killed: API, SQLite and node agent in a process of its own. With "up" it makes sure of one Pod and says "ready"
 * with the Pod's status on standard output whenever the Pod is ready; with "down" it deletes the Pod and says "gone". It kills itself
 * with SIGKILL right after its nth engine call that makes, starts, stops or removes something.
 */
const [clusterName = "", stateDirectory = "", journal = "", mode = "up", dieAfterCall = "-1"] = process.argv.slice(2);
const changing = new Set(["createSandbox", "startSandbox", "createContainer", "startContainer", "stop", "remove", "removeVolume"]);
const { runtime } = killable(await openDocker(), { atCall: Number(dieAfterCall), when: "after", counted: changing, onKill: () => process.kill(process.pid, "SIGKILL") });
const store = openSqliteStore({ path: join(stateDirectory, "store.sqlite") });
const { client } = startNode({ clusterName, runtime, store, stateDirectory, signal: new AbortController().signal });
await ensureDefaultNamespace(client);

const mounts = [{ name: "journal", mountPath: "/journal" }];
const note = (name: string): string => `echo ${name} >> /journal/log;`;
const key = { namespace: "default", name: "web" };
if (mode === "up" && (await client.get(pods, key)) === undefined) {
  await client.create(pods, podOf("web", {
    volumes: [{ name: "journal", hostPath: { path: journal } }, { name: "memory", emptyDir: { medium: "Memory" } }],
    initContainers: [
      shell("prepare", note("prepare"), { volumeMounts: mounts }),
      shell("proxy", `${note("proxy")} ${idle}`, { volumeMounts: mounts, restartPolicy: "Always", startupProbe: { exec: { command: ["true"] }, ...patient } }),
    ],
    containers: [
      shell("a", `${note("a")} ${idle}`, { volumeMounts: mounts, lifecycle: { postStart: { exec: { command: ["sh", "-c", note("hook")] } } } }),
      shell("b", `${note("b")} ${idle}`, { volumeMounts: [...mounts, { name: "memory", mountPath: "/memory" }] }),
    ],
  }));
}

if (mode === "down") await client.delete(pods, key);

for (let told = ""; ; ) {
  const pod = await client.get(pods, key);
  const isReady = pod?.status?.conditions?.some((condition) => condition.type === "Ready" && condition.status === "True") === true;
  const line = pod === undefined ? "gone\n" : isReady && mode === "up" ? `ready ${JSON.stringify(pod.status)}\n` : "";
  if (line !== told) process.stdout.write(line);
  told = line;
  await new Promise((resolve) => setTimeout(resolve, 50));
}
