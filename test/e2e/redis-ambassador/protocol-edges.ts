// pure
import { encodeRequest } from "../../../sidecars/redis-ambassador/protocol/inline.ts";

/** Bytes at the edges of the protocol, as latin1 text. */
export type Edge = { readonly title: string; readonly bytes: string };

const edges = (bytesByTitle: Readonly<Record<string, string>>): readonly Edge[] => Object.entries(bytesByTitle).map(([title, bytes]) => ({ title, bytes }));
const requests = (...pipeline: readonly (readonly string[])[]): string => Buffer.concat(pipeline.map((words) => encodeRequest(words))).toString("latin1");

/** The server answers an error and closes, or closes without a word. */
export const closingEdges: readonly Edge[] = [
  ...["*3000000000", "*x", "*", "*+1", "* 1", "*1 ", "*01", "*0x1", "*1.5", "*-", "*99999999999999999999", "*2147483648", "*-99999999999999999999"].map((line) => ({ title: `the multibulk length ${line}`, bytes: `${line}\r\n` })),
  ...["$-3", "$-1", "$x", "$", "$+4", "$ 4", "$04", "$4 ", "$2000000000", "$536870913", "$99999999999999999999", "$9223372036854775807"].map((line) => ({ title: `the bulk length ${line}`, bytes: `*1\r\n${line}\r\n` })),
  ...edges({
    "no bulk": "*1\r\n+PING\r\n",
    "a second argument that is no bulk": "*2\r\n$3\r\nGET\r\n:1\r\n",
    "an array in an array": "*2\r\n$4\r\nPING\r\n*1\r\n",
    "unbalanced quotes": 'SET a "b\r\n',
    "unbalanced single quotes": "SET a 'b\r\n",
    "quotes that end amid a word": 'SET a "b"c\r\n',
    "an endless inline request": "x".repeat(70_000),
    "an endless count": `*${"1".repeat(70_000)}`,
    "an endless bulk length": `*1\r\n$${"1".repeat(70_000)}`,
    "an HTTP request": "POST / HTTP/1.1\r\nHost: x\r\n\r\n",
    "the header of an HTTP request": "Host: x\r\n",
    "replies before a protocol error": "SET a 1\r\nGET a\r\n*1\r\n$-1\r\n",
    "a queue before a protocol error": "MULTI\r\nSET a 1\r\n*1\r\n$-1\r\n",
    "QUIT amid a pipeline": "PING\r\nQUIT\r\nPING\r\n",
    "QUIT in capitals and not": "*1\r\n$4\r\nqUiT\r\n*1\r\n$4\r\nPING\r\n",
  }),
];

/** The connection stays, and the next request is answered. */
export const keepingEdges = edges({
  "empty requests": "*0\r\n*-5\r\n\r\n\r\n",
  // Valkey 8.1 takes a request that begins in the same piece after such a line for an inline one, whatever it is.
  "a blank line with spaces": "   \r\n\t\r\nPING\r\n",
  "line feeds alone": "\n\n\nPING\n",
  "inline commands": "SET inline 'a b'\r\nGET inline\r\nset x \"\\x41\\n\\\"\\t\\q\"\r\nGET x\r\nset y 'it\\'s'\r\nget y\r\n  GET   x  \r\n",
  "an inline command of empty words": "SET \"\" ''\r\nGET \"\"\r\n\"\"\r\n",
  "inline and multibulk requests in turn": "PING\r\n*1\r\n$4\r\nPING\r\nECHO x\r\n*2\r\n$4\r\nECHO\r\n$1\r\ny\r\n",
  "a bulk whose end is not what it should be": "*1\r\n$4\r\nPINGXX*2\r\n$4\r\nECHO\r\n$1\r\nxYY",
  "a length line whose end is not what it should be": "*1\rx$4\ryPING\r\n",
  "an empty command name": "*1\r\n$0\r\n\r\n*2\r\n$0\r\n\r\n$1\r\nx\r\n",
  "names with other bytes": "*1\r\n$3\r\n\u0000\u00ff\n\r\n*2\r\n$3\r\nG\u0000T\r\n$1\r\nx\r\n*1\r\n$5\r\na\r\nb'\r\n",
  "a long unknown command with long words": `*3\r\n$300\r\n${"n".repeat(300)}\r\n$300\r\n${"a".repeat(300)}\r\n$2\r\nbb\r\n`,
  "an unknown command with many words": `*60\r\n${"$5\r\nwords\r\n".repeat(60)}`,
  "an unknown subcommand with strange bytes": "*2\r\n$6\r\nCONFIG\r\n$4\r\na\r\nb\r\n",
  "binary keys and values": "*3\r\n$3\r\nSET\r\n$4\r\n\u0000\r\n\u00ff\r\n$6\r\n$3\r\nab\r\n*2\r\n$3\r\nGET\r\n$4\r\n\u0000\r\n\u00ff\r\n",
  "a command of four thousand words": `*4001\r\n$3\r\nDEL\r\n${"$1\r\nk\r\n".repeat(4000)}`,
  "an HTTP word as an argument": "ECHO POST\r\nECHO Host:\r\n",
});

/** Pipelines that are sent in two pieces, cut at each position in turn. */
export const cutSequences = edges({
  "reads and writes": requests(["SET", "cut", "a\r\nb"], ["GET", "cut"], ["MGET", "cut", "none"], ["STRLEN", "cut"]),
  "inline commands": "SET cut 'a b'\r\n\r\nGET cut\r\n*0\r\nset cut \"\\x41\\n\"\r\nGET cut\r\n",
  "a transaction": requests(["MULTI"], ["SET", "t", "1"], ["GET", "t"], ["EXEC"], ["GET", "t"]),
  "other databases and names": requests(["SELECT", "2"], ["CLIENT", "SETNAME", "cut"], ["CLIENT", "GETNAME"], ["SELECT", "0"]),
  "subscriptions": requests(["SUBSCRIBE", "c"], ["PING"], ["UNSUBSCRIBE", "c"], ["RESET"]),
  "scripts and what blocks": requests(["EVAL", "return 1", "0"], ["RPUSH", "q", "x"], ["BLPOP", "q", "1"]),
});
