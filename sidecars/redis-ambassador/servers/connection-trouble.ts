// pure

/** One sentence for the operator: which server, what went wrong, and what to look at. `message` is the error's own, without secrets. */
export function explainFailure(o: {
  readonly address: string;
  readonly what: "server" | "sentinel";
  readonly message: string;
  readonly nodesSetting: string;
  readonly credentialsSetting: string;
  readonly tlsSetting: string;
  /** TLS is spoken from our side. */
  readonly tls?: boolean;
  /** It has answered before, so that the settings cannot be all wrong. */
  readonly known?: boolean;
}): string {
  const { address, what } = o;
  // OpenSSL's messages end in a line break and hold places of its source.
  const message = o.message.replaceAll(/[\s\p{Cc}]+/gu, " ").trim().replace(/^\w+:error:\w+:SSL routines:\w*:([^:]+):.*$/, "$1");
  const say = (reason: string, remedy: string): string => `${what} ${address} ${reason}; ${remedy}`;
  if (/ENOTFOUND|EAI_NODATA|EAI_NONAME/.test(message)) return say("has a name that cannot be resolved", `correct ${o.nodesSetting}, or create the name`);
  if (/EAI_AGAIN|ESERVFAIL|ETIMEOUT.*query/.test(message)) return say("has a name that cannot be resolved at present, since no name server answers", "it is tried again");
  if (/ECONNREFUSED/.test(message)) return say("refuses connections", `nothing listens there: start it, or correct ${o.nodesSetting}`);
  if (/ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|no answer within|connect timeout/i.test(message)) return say(`does not answer (${message})`, `a network policy, a firewall, or a wrong address in ${o.nodesSetting}${o.tls === true ? `, or it speaks no TLS: see ${o.tlsSetting}.enabled` : ""}`);
  if (/NOAUTH /.test(message)) return say("requires a password", `set ${o.credentialsSetting}`);
  if (/without any password configured/.test(message)) return say("has no password, but one is configured", `leave out ${o.credentialsSetting}, or set a password there`);
  if (/WRONGPASS|invalid password|invalid username-password/i.test(message)) return say("refuses the user or the password", `correct ${o.credentialsSetting}`);
  if (/NOPERM /.test(message)) return say(`denies something to the user (${message})`, what === "server" ? "the user needs INFO, and CONFIG GET and COMMAND if possible" : "the user needs SENTINEL and SUBSCRIBE");
  if (/unknown command/i.test(message) && what === "sentinel") return say("is no sentinel but a Redis server", `name the sentinels, usually port 26379, in ${o.nodesSetting}`);
  if (/alert.*(certificate required|bad certificate|unknown ca|handshake failure)/i.test(message)) return say(`refuses our certificate (${message})`, `see ${o.tlsSetting}.certFile and ${o.tlsSetting}.keyFile`);
  if (/certificate|self.signed|altname|CERT_|unable to (get|verify)/i.test(message)) return say(`shows a certificate that is not trusted (${message})`, `see ${o.tlsSetting}.caFile and ${o.tlsSetting}.serverName`);
  if (o.known === true && /ECONNRESET|EPIPE|Connection is closed/.test(message)) return say("ended the connection", "it is tried again");
  if (/wrong version number|packet length too long|ECONNRESET|EPROTO|socket disconnected before secure|SSL routines/i.test(message)) return say(`ends the connection (${message})`, `perhaps TLS is spoken on one side alone: see ${o.tlsSetting}.enabled`);
  if (/Unknown RESP type|Protocol error/i.test(message)) return say("does not speak the Redis protocol", `correct ${o.nodesSetting}`);
  if (message.startsWith("watches no primary")) return `${what} ${address} ${message}`;
  return say(`cannot be asked: ${message}`, `see ${o.nodesSetting}`);
}
