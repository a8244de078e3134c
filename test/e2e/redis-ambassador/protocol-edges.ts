// pure
/** Bytes at the edges of the protocol, as latin1 text. */
export type Edge = { readonly title: string; readonly bytes: string };

/** The server answers an error and closes, or closes without a word. */
export const closingEdges: readonly Edge[] = [
  ...["*3000000000", "*x", "*", "*+1", "* 1", "*1 ", "*01", "*0x1", "*1.5", "*-", "*99999999999999999999", "*2147483648", "*-99999999999999999999"].map((line) => ({ title: `the multibulk length ${line}`, bytes: `${line}\r\n` })),
  ...["$-3", "$-1", "$x", "$", "$+4", "$ 4", "$04", "$4 ", "$2000000000", "$536870913", "$99999999999999999999", "$9223372036854775807"].map((line) => ({ title: `the bulk length ${line}`, bytes: `*1\r\n${line}\r\n` })),
  { title: "no bulk", bytes: "*1\r\n+PING\r\n" },
  { title: "a second argument that is no bulk", bytes: "*2\r\n$3\r\nGET\r\n:1\r\n" },
  { title: "an array in an array", bytes: "*2\r\n$4\r\nPING\r\n*1\r\n" },
  { title: "unbalanced quotes", bytes: 'SET a "b\r\n' },
  { title: "unbalanced single quotes", bytes: "SET a 'b\r\n" },
  { title: "quotes that end amid a word", bytes: 'SET a "b"c\r\n' },
  { title: "an endless inline request", bytes: "x".repeat(70_000) },
  { title: "an endless count", bytes: `*${"1".repeat(70_000)}` },
  { title: "an endless bulk length", bytes: `*1\r\n$${"1".repeat(70_000)}` },
  { title: "an HTTP request", bytes: "POST / HTTP/1.1\r\nHost: x\r\n\r\n" },
  { title: "the header of an HTTP request", bytes: "Host: x\r\n" },
  { title: "replies before a protocol error", bytes: "SET a 1\r\nGET a\r\n*1\r\n$-1\r\n" },
  { title: "a queue before a protocol error", bytes: "MULTI\r\nSET a 1\r\n*1\r\n$-1\r\n" },
  { title: "QUIT amid a pipeline", bytes: "PING\r\nQUIT\r\nPING\r\n" },
  { title: "QUIT in capitals and not", bytes: "*1\r\n$4\r\nqUiT\r\n*1\r\n$4\r\nPING\r\n" },
];

/** The connection stays, and the next request is answered. */
export const keepingEdges: readonly Edge[] = [
  { title: "empty requests", bytes: "*0\r\n*-5\r\n\r\n\r\n" },
  // Valkey 8.1 takes a request that begins in the same piece after such a line for an inline one, whatever it is.
  { title: "a blank line with spaces", bytes: "   \r\n\t\r\nPING\r\n" },
  { title: "line feeds alone", bytes: "\n\n\nPING\n" },
  { title: "inline commands", bytes: "SET inline 'a b'\r\nGET inline\r\nset x \"\\x41\\n\\\"\\t\\q\"\r\nGET x\r\nset y 'it\\'s'\r\nget y\r\n  GET   x  \r\n" },
  { title: "an inline command of empty words", bytes: "SET \"\" ''\r\nGET \"\"\r\n\"\"\r\n" },
  { title: "inline and multibulk requests in turn", bytes: "PING\r\n*1\r\n$4\r\nPING\r\nECHO x\r\n*2\r\n$4\r\nECHO\r\n$1\r\ny\r\n" },
  { title: "a bulk whose end is not what it should be", bytes: "*1\r\n$4\r\nPINGXX*2\r\n$4\r\nECHO\r\n$1\r\nxYY" },
  { title: "a length line whose end is not what it should be", bytes: "*1\rx$4\ryPING\r\n" },
  { title: "an empty command name", bytes: "*1\r\n$0\r\n\r\n*2\r\n$0\r\n\r\n$1\r\nx\r\n" },
  { title: "names with other bytes", bytes: "*1\r\n$3\r\n\u0000\u00ff\n\r\n*2\r\n$3\r\nG\u0000T\r\n$1\r\nx\r\n*1\r\n$5\r\na\r\nb'\r\n" },
  { title: "a long unknown command with long words", bytes: `*3\r\n$300\r\n${"n".repeat(300)}\r\n$300\r\n${"a".repeat(300)}\r\n$2\r\nbb\r\n` },
  { title: "an unknown command with many words", bytes: `*60\r\n${"$5\r\nwords\r\n".repeat(60)}` },
  { title: "an unknown subcommand with strange bytes", bytes: "*2\r\n$6\r\nCONFIG\r\n$4\r\na\r\nb\r\n" },
  { title: "binary keys and values", bytes: "*3\r\n$3\r\nSET\r\n$4\r\n\u0000\r\n\u00ff\r\n$6\r\n$3\r\nab\r\n*2\r\n$3\r\nGET\r\n$4\r\n\u0000\r\n\u00ff\r\n" },
  { title: "a command of four thousand words", bytes: `*4001\r\n$3\r\nDEL\r\n${"$1\r\nk\r\n".repeat(4000)}` },
  { title: "an HTTP word as an argument", bytes: "ECHO POST\r\nECHO Host:\r\n" },
];

/** Pipelines that are sent in two pieces, cut at each position in turn. */
export const cutSequences: readonly Edge[] = [
  { title: "reads and writes", bytes: "*3\r\n$3\r\nSET\r\n$3\r\ncut\r\n$4\r\na\r\nb\r\n*2\r\n$3\r\nGET\r\n$3\r\ncut\r\n*3\r\n$4\r\nMGET\r\n$3\r\ncut\r\n$4\r\nnone\r\n*2\r\n$6\r\nSTRLEN\r\n$3\r\ncut\r\n" },
  { title: "inline commands", bytes: "SET cut 'a b'\r\n\r\nGET cut\r\n*0\r\nset cut \"\\x41\\n\"\r\nGET cut\r\n" },
  { title: "a transaction", bytes: "*1\r\n$5\r\nMULTI\r\n*3\r\n$3\r\nSET\r\n$1\r\nt\r\n$1\r\n1\r\n*2\r\n$3\r\nGET\r\n$1\r\nt\r\n*1\r\n$4\r\nEXEC\r\n*2\r\n$3\r\nGET\r\n$1\r\nt\r\n" },
  { title: "other databases and names", bytes: "*2\r\n$6\r\nSELECT\r\n$1\r\n2\r\n*3\r\n$6\r\nCLIENT\r\n$7\r\nSETNAME\r\n$3\r\ncut\r\n*2\r\n$6\r\nCLIENT\r\n$7\r\nGETNAME\r\n*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n" },
  { title: "subscriptions", bytes: "*2\r\n$9\r\nSUBSCRIBE\r\n$1\r\nc\r\n*1\r\n$4\r\nPING\r\n*2\r\n$11\r\nUNSUBSCRIBE\r\n$1\r\nc\r\n*1\r\n$5\r\nRESET\r\n" },
  { title: "scripts and what blocks", bytes: "*3\r\n$4\r\nEVAL\r\n$8\r\nreturn 1\r\n$1\r\n0\r\n*3\r\n$5\r\nRPUSH\r\n$1\r\nq\r\n$1\r\nx\r\n*3\r\n$5\r\nBLPOP\r\n$1\r\nq\r\n$1\r\n1\r\n" },
];
