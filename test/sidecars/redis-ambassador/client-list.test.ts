import assert from "node:assert/strict";
import { test } from "node:test";
import { clientLine, matches, readFilter, replyWithText, textOfReply, type ClientDescription } from "../../../sidecars/redis-ambassador/commands/client-list.ts";

const template = "id=7 addr=10.0.0.1:5 laddr=10.0.0.2:6379 fd=9 name=x age=1 idle=0 flags=N db=0 sub=0 psub=0 ssub=0 multi=-1 watch=0 qbuf=26 tot-mem=22298 events=r cmd=client|info user=default redir=-1 resp=2 lib-name=a lib-ver=1";
const client: ClientDescription = {
  id: 2 ** 40 + 1, address: "127.0.0.1:4000", localAddress: "127.0.0.1:6379", name: "app", ageSeconds: 60, idleSeconds: 2, type: "normal", inTransaction: false, blocked: false,
  db: 3, user: "alice", resp: 3, libName: "ioredis", libVersion: "6.0.0",
};

test("a line has the server's fields in the server's order, with what is known of the client", () => {
  assert.equal(clientLine(`${template}\n`, client), "id=1099511627777 addr=127.0.0.1:4000 laddr=127.0.0.1:6379 fd=-1 name=app age=60 idle=2 flags=N db=3 sub=0 psub=0 ssub=0 multi=-1 watch=0 qbuf=0 tot-mem=0 events=r cmd=NULL user=alice redir=-1 resp=3 lib-name=ioredis lib-ver=6.0.0");
  assert.match(clientLine(template, { ...client, type: "pubsub", blocked: true }), / flags=Pb /);
});

const picks = (title: string, words: string, expected: boolean, mine = 0): void => {
  test(`the filter "${words}" ${expected ? "takes" : "leaves"} ${title}`, () => {
    const filter = readFilter(words.split(" "), true);
    assert.ok(filter);
    assert.equal(matches(filter, client, mine), expected);
  });
};
picks("its id", `ID 1 ${client.id} 9`, true);
picks("another id", "ID 1", false);
picks("its address", "ADDR 127.0.0.1:4000", true);
picks("another local address", "LADDR 127.0.0.1:1", false);
picks("its type", "type NORMAL", true);
picks("another type", "TYPE pubsub", false);
picks("its user", "USER alice TYPE normal", true);
picks("another user", "USER bob", false);
picks("its age", "MAXAGE 60", true);
picks("a greater age", "MAXAGE 61", false);
picks("oneself", "USER alice", false, client.id);
picks("oneself when asked to", "USER alice SKIPME no", true, client.id);

test("what is not understood is said to be so", () => assert.equal(readFilter(["FUTURE", "1"], true), undefined));

test("bulk and verbatim strings are read and written", () => {
  for (const reply of ["$5\r\na\r\nbc\r\n", "=9\r\ntxt:a\r\nbc\r\n"]) {
    const read = textOfReply(Buffer.from(reply));
    assert.ok(read);
    assert.equal(read.text, "a\r\nbc");
    assert.equal(replyWithText(read.text, read.verbatim).toString(), reply);
  }
  assert.equal(textOfReply(Buffer.from("-ERR x\r\n")), undefined);
});
