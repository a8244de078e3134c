// pure
import type { RuntimeErrorCode } from "../runtime.ts";

export type Failure = { readonly code: RuntimeErrorCode; readonly message: string; readonly remedy?: string };

/** What kind of call failed: the engine's words mean different things in each. */
export type CallKind = "create" | "start" | "pull" | "network" | "exec" | "other";

type Rule = { readonly pattern: RegExp; readonly kinds?: readonly CallKind[]; readonly code: RuntimeErrorCode; readonly remedy?: (match: RegExpExecArray) => string };

/** First match wins. The words are those of Docker 20.10 to 28 and of the registries it talks to. */
const rules: readonly Rule[] = [
  { pattern: /no space left on device|disk quota exceeded/i, code: "DiskFull", remedy: () => "Free disk space, for example with `docker system prune`, and try again." },
  { pattern: /Bind for \S*?:(\d+) failed: port is already allocated/i, code: "PortInUse", remedy: portRemedy },
  { pattern: /listen (?:tcp|udp|sctp)\d? \S*?:(\d+): bind: address already in use/i, code: "PortInUse", remedy: portRemedy },
  { pattern: /port is already allocated|address already in use/i, kinds: ["start", "create"], code: "PortInUse", remedy: () => "End what uses the port, or choose another hostPort." },
  { pattern: /bind source path does not exist: (.+)/i, code: "InvalidConfig", remedy: (match) => `Create ${match[1]?.trim() ?? "the path"}, or correct the volume's path.` },
  { pattern: /not a directory|is not a shared mount|invalid mount config|mount path must be absolute/i, kinds: ["create", "start"], code: "InvalidConfig", remedy: () => "Correct the volume or its mount path." },
  { pattern: /cannot join (?:network|IPC|PID) of a non running container|cannot join network namespace|non-running container|container \S+ is not running|is not running/i, code: "InvalidState" },
  { pattern: /has active endpoints|volume is in use/i, code: "InvalidState" },
  { pattern: /no such image|image .* not found|manifest (?:for .* )?(?:unknown|not found)|repository .* not found|pull access denied|does not exist or may require|name unknown|invalid reference format/i, kinds: ["create", "pull"], code: "ImageNotFound", remedy: () => "Check the image's name and tag; a private image needs `docker login`, a local one must be built first." },
  { pattern: /dial tcp|lookup .* on |no such host|i\/o timeout|connection refused|network is unreachable|TLS handshake|x509|Client\.Timeout|context deadline exceeded|proxyconnect|unexpected EOF/i, kinds: ["pull"], code: "Unreachable", remedy: () => "Check the network and the registry's name, or load the image into the engine and use imagePullPolicy: Never." },
  { pattern: /OCI runtime|executable file not found|no such file or directory|exec format error|permission denied|unable to find user|no matching entries in passwd|unable to start container process/i, kinds: ["start", "exec"], code: "StartFailed" },
];

function portRemedy(match: RegExpExecArray): string {
  return `End what listens on port ${match[1]} (\`ss -lptn "sport = :${match[1]}"\` tells what), or choose another hostPort.`;
}

/** Maps an answer of the engine to a code and a remedy. `doing` reads like "create container \"web\"". */
export function classifyAnswer(o: { readonly doing: string; readonly kind: CallKind; readonly status: number; readonly words: string }): Failure {
  const words = o.words.trim().replaceAll(/\s+/g, " ");
  const message = `Cannot ${o.doing}: ${words === "" ? `the engine answered ${o.status}` : words}`;
  for (const rule of rules) {
    if (rule.kinds !== undefined && !rule.kinds.includes(o.kind)) continue;
    const match = rule.pattern.exec(words);
    if (match !== null) return rule.remedy === undefined ? { code: rule.code, message } : { code: rule.code, message, remedy: rule.remedy(match) };
  }
  return { code: codeOfStatus(o.status, o.kind), message };
}

function codeOfStatus(status: number, kind: CallKind): RuntimeErrorCode {
  if (status === 400) return "InvalidConfig";
  if (status === 401 || status === 403) return "PermissionDenied";
  if (status === 404) return kind === "pull" ? "ImageNotFound" : "NotFound";
  if (status === 409) return "InvalidState";
  return "Internal";
}

/** Maps a connection that failed, by Node's and undici's error codes. */
export function classifyConnection(o: { readonly doing: string; readonly where: string; readonly errorCode: string; readonly words: string }): Failure {
  switch (o.errorCode) {
    case "ENOENT":
    case "ECONNREFUSED":
      return {
        code: "Unreachable",
        message: `Cannot ${o.doing}: Docker does not answer at ${o.where}: ${o.errorCode === "ENOENT" ? "there is no such socket" : "nothing listens there"}`,
        remedy: "Start it with `systemctl start docker` (or `dockerd`), or set DOCKER_HOST to where it listens.",
      };
    case "EACCES":
    case "EPERM":
      return {
        code: "PermissionDenied",
        message: `Cannot ${o.doing}: this user may not use Docker's socket ${o.where}`,
        remedy: "Add the user to the group docker (`sudo usermod -aG docker $USER`, then log in again), or run with sudo.",
      };
    case "UND_ERR_HEADERS_TIMEOUT":
    case "UND_ERR_BODY_TIMEOUT":
    case "UND_ERR_CONNECT_TIMEOUT":
    case "TimeoutError":
      return { code: "Timeout", message: `Cannot ${o.doing}: Docker at ${o.where} did not answer in time`, remedy: "The engine may be overloaded or stuck: see its log (`journalctl -u docker`)." };
    default:
      return { code: "Unreachable", message: `Cannot ${o.doing}: the connection to Docker at ${o.where} failed: ${o.words}`, remedy: "See whether `docker version` answers." };
  }
}
