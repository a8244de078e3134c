import assert from "node:assert/strict";
import { test } from "node:test";
import { explainFailure } from "../../../sidecars/redis-ambassador/servers/connection-trouble.ts";

const explain = (message: string, what: "server" | "sentinel" = "server", tls = false): string =>
  explainFailure({ address: "redis-0:6379", what, message, nodesSetting: "upstream.nodes", credentialsSetting: "upstream.password", tlsSetting: "upstream.tls", tls });

for (const [message, expected] of [
  ["getaddrinfo ENOTFOUND redis-0", /^server redis-0:6379 has a name that cannot be resolved; correct upstream\.nodes/],
  ["getaddrinfo EAI_AGAIN redis-0", /cannot be resolved at present.*tried again/],
  ["connect ECONNREFUSED 10.0.0.1:6379", /refuses connections; nothing listens there/],
  ["connect ETIMEDOUT", /does not answer.*network policy.*upstream\.nodes$/],
  ["no answer within 1000 ms", /does not answer/],
  ["NOAUTH Authentication required.", /requires a password; set upstream\.password/],
  ["WRONGPASS invalid username-password pair or user is disabled.", /refuses the user or the password; correct upstream\.password/],
  ["ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?", /has no password, but one is configured/],
  ["ERR Client sent AUTH, but no password is set without any password configured", /has no password/],
  ["NOPERM User probe has no permissions to run the 'info' command", /denies something to the user.*needs INFO/],
  ["self-signed certificate in certificate chain", /not trusted.*upstream\.tls\.caFile/],
  ["Hostname/IP does not match certificate's altnames: Host: a. is not in the cert's altnames: DNS:b", /not trusted.*serverName/],
  ["40ED61AF427F0000:error:0A00045C:SSL routines:ssl3_read_bytes:tlsv13 alert certificate required:../deps/openssl/openssl/ssl/record/rec_layer_s3.c:918:SSL alert number 116\n", /refuses our certificate \(tlsv13 alert certificate required\); see upstream\.tls\.certFile/],
  ["read ECONNRESET", /perhaps TLS is spoken on one side alone/],
  ["40ED61AF427F0000:error:0A00010B:SSL routines:ssl3_get_record:wrong version number:../deps/x.c:355:\n", /perhaps TLS is spoken on one side alone/],
  ["Unknown RESP type 72 \"H\". Please report this.", /does not speak the Redis protocol/],
  ["something new", /^server redis-0:6379 cannot be asked: something new; see upstream\.nodes$/],
] as const) {
  test(`"${message.trim().slice(0, 60)}" is explained with place and remedy`, () => assert.match(explain(message), expected));
}

test("a server without TLS that is asked for it may be silent", () => assert.match(explain("connect ETIMEDOUT", "server", true), /or it speaks no TLS: see upstream\.tls\.enabled/));
test("a server named as a sentinel is told from one that is none", () => assert.match(explain("ERR unknown command 'SENTINEL', with args beginning with: ", "sentinel"), /^sentinel redis-0:6379 is no sentinel but a Redis server/));
test("a server that has answered before and ends a connection is not suspected of TLS", () => assert.equal(explainFailure({ address: "a:1", what: "server", message: "read ECONNRESET", nodesSetting: "n", credentialsSetting: "c", tlsSetting: "t", known: true }), "server a:1 ended the connection; it is tried again"));
