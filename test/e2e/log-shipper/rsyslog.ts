import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Wait, type StartedNetwork } from "testcontainers";
import { createAuthority } from "../../support/certificates.ts";
import { container } from "../../support/containers.ts";
import { eventually } from "../../support/eventually.ts";
import { imageRecords } from "../../support/images.ts";

const root = join(import.meta.dirname, "../../..");
const plainPort = 10_514, tlsPort = 6_514;
const spool = "/received";

/** One message as rsyslog has understood it. */
export type SyslogMessage = { readonly host: string; readonly app: string; readonly severity: string; readonly data: string; readonly time: string; readonly msg: string };

/**
 * Makes the image of rsyslog present; it is no part of the usual set-up, because one test alone needs it. Gives the reason why it
 * cannot be had, as on a machine that is not Debian, or undefined.
 */
export function rsyslogObstacle(): string | undefined {
  if (imageRecords().has("rsyslog")) return undefined;
  const made = spawnSync(process.execPath, ["images/build.ts", "bases", "--only", "rsyslog"], { cwd: root, encoding: "utf8", timeout: 180_000 });
  return made.status === 0 ? undefined : `no image of rsyslog: ${made.stderr.trim()}`;
}

const config = `
global(workDirectory="/tmp" maxMessageSize="256k" parser.escapeControlCharactersOnReceive="off" DefaultNetstreamDriver="ossl"
       DefaultNetstreamDriverCAFile="/tls/ca.pem" DefaultNetstreamDriverCertFile="/tls/cert.pem" DefaultNetstreamDriverKeyFile="/tls/key.pem")
module(load="imtcp")
template(name="json" type="list") {
  constant(value="{\\"host\\":\\"") property(name="hostname" format="json")
  constant(value="\\",\\"app\\":\\"") property(name="app-name" format="json")
  constant(value="\\",\\"severity\\":\\"") property(name="syslogseverity-text" format="json")
  constant(value="\\",\\"data\\":\\"") property(name="structured-data" format="json")
  constant(value="\\",\\"time\\":\\"") property(name="timestamp" dateFormat="rfc3339" format="json")
  constant(value="\\",\\"msg\\":\\"") property(name="msg" format="json")
  constant(value="\\"}\\n")
}
ruleset(name="received") { action(type="omfile" file="${spool}/messages" template="json" fileCreateMode="0644") }
input(type="imtcp" port="${plainPort}" ruleset="received" streamDriver.name="ptcp" streamDriver.mode="0")
input(type="imtcp" port="${tlsPort}" ruleset="received" streamDriver.name="ossl" streamDriver.mode="1" streamDriver.authMode="x509/certvalid")
`;

export type Rsyslog = AsyncDisposable & {
  readonly plain: string;
  readonly tls: string;
  /** PEM: the authority of both sides, and what a client has to show. */
  readonly ca: string;
  readonly client: { readonly certificate: string; readonly key: string };
  messages(): readonly SyslogMessage[];
};

/** rsyslog, listening under the name "rsyslog" in the network: in the clear, and with TLS for clients that show a certificate. */
export async function startRsyslog(network: StartedNetwork): Promise<Rsyslog> {
  const authority = createAuthority("test authority"), server = authority.issue("rsyslog", ["rsyslog"]), client = authority.issue("shipper");
  const folder = mkdtempSync(join(tmpdir(), "podkit-e2e-rsyslog-"));
  chmodSync(folder, 0o777);
  const file = (content: string, target: string): { content: string; target: string; mode: number } => ({ content, target, mode: 0o644 });
  const started = await container("rsyslog")
    .withNetwork(network).withNetworkAliases("rsyslog").withExposedPorts(plainPort, tlsPort).withTmpFs({ "/tmp": "rw,mode=1777" })
    .withBindMounts([{ source: folder, target: spool }])
    .withCopyContentToContainer([file(config, "/etc/test.conf"), file(authority.certificate, "/tls/ca.pem"), file(server.certificate, "/tls/cert.pem"), file(server.key, "/tls/key.pem")])
    .withCommand(["-f", "/etc/test.conf"]).withWaitStrategy(Wait.forAll([])).start();
  for (const port of [plainPort, tlsPort]) await eventually(() => answers(started.getHost(), started.getMappedPort(port)), { what: `rsyslog listens at ${port}` });
  const path = join(folder, "messages");
  return {
    plain: `rsyslog:${plainPort}`, tls: `rsyslog:${tlsPort}`, ca: authority.certificate, client,
    messages: () => (existsSync(path) ? readFileSync(path, "utf8").split("\n").slice(0, -1).map((line) => JSON.parse(line) as SyslogMessage) : []),
    [Symbol.asyncDispose]: async () => {
      await started.stop({ timeout: 0 });
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Docker's proxy accepts before the server listens, and closes then. */
function answers(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const settle = (yes: boolean): void => {
      socket.destroy();
      resolve(yes);
    };
    socket.setTimeout(300, () => settle(true));
    socket.on("end", () => settle(false));
    socket.on("error", () => settle(false));
  });
}
