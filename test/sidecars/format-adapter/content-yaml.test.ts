// Contents of YAML that its readers are known to be attacked or deceived with, and what becomes of each.
import { contentTable } from "./content.ts";

const bomb = `a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\n`;
const flow = (depth: number): string => `- a: ${"[".repeat(depth)}${"]".repeat(depth)}\n`;
const block = (depth: number): string => Array.from({ length: depth }, (_, level) => `${"  ".repeat(level)}- a:\n`).join("") + `${"  ".repeat(depth + 1)}x\n`;

contentTable({ in: "{format: yaml, strict: false}", fields: "{a: {from: a, default: none}, b: {from: b, default: none}}" }, [
  ["an alias bomb", bomb, { code: "LIMIT", line: 1 }],
  ["aliases of a few values", "- &x {a: 1, b: [2]}\n- a: *x\n", '{"a":1,"b":[2]}\n{"a":{"a":1,"b":[2]},"b":"none"}\n'],
  ["an alias that holds itself", "- a: &x\n    b: *x\n", { code: "SYNTAX", line: 2 }],
  ["an alias of another document", "- a: &x 1\n---\n- a: *x\n", { code: "SYNTAX", line: 3 }],
  ["an alias of nothing", "- a: *x\n", { code: "SYNTAX", line: 1 }],
  ["a merge key", "- &x {a: 1}\n- <<: *x\n  b: 2\n", { code: "SYNTAX", line: 2 }],
  ["a merge key of a list", "- {<<: [{a: 1}], b: 2}\n", { code: "SYNTAX", line: 1 }],
  ["a quoted << is a key", '- "<<": 1\n  a: 2\n', '{"a":2,"b":"none"}\n'],
  ["a key twice", "- a: 1\n  b: 2\n  a: 3\n", { code: "COLUMN", line: 3, column: "a" }],
  ["a key twice, once quoted", "- a: 1\n  'a': 3\n", { code: "COLUMN", line: 2, column: "a" }],
  ["a key twice inside", "- a: {k: 1, k: 2}\n", { code: "COLUMN", line: 1, column: "k" }],
  ["several documents are one report", "- a: 1\n---\n- a: 2\n...\n---\na: 3\n", '{"a":1,"b":"none"}\n{"a":2,"b":"none"}\n{"a":3,"b":"none"}\n'],
  ["an empty document among them", "---\n---\n- a: 1\n", '{"a":1,"b":"none"}\n'],
  ["tags", "- a: !!int 3\n", { code: "SYNTAX", line: 1 }],
  ["tags that make objects elsewhere", "- a: !!python/object/apply:os.system [id]\n", { code: "SYNTAX", line: 1 }],
  ["tags of one's own", "- a: 1\n- b: !x 3\n", { code: "SYNTAX", line: 2 }],
  ["tags that say what is plain to see", "- a: !!str 012\n  b: !!seq [1]\n", '{"a":"012","b":[1]}\n'],
  ["a tag that says text makes text of what looks like a number, a boolean or nothing", "- {a: !!str 1, b: !!str true}\n- {a: &x !!str ~, b: *x}\n- a: !<tag:yaml.org,2002:str> 1.10\n  b: !!str\n", '{"a":"1","b":"true"}\n{"a":"~","b":"~"}\n{"a":"1.10","b":"none"}\n'],
  ["half a surrogate pair", '- a: 1\n- a: "\\ud800"\n', { code: "SYNTAX", line: 2 }],
  ["half a surrogate pair in a key", '- a: 1\n- "\\udc00": 2\n', { code: "SYNTAX", line: 2 }],
  ["a whole surrogate pair", '- a: "\\ud83d\\ude00"\n', '{"a":"😀","b":"none"}\n'],
  ["numbers keep their characters, what is none of JSON's is text", "- {a: 9007199254740993, b: 1.10}\n- {a: 00123, b: 0x1F}\n- {a: 1_000, b: 1e400}\n- {a: .inf, b: -0}\n- {a: 12:30:45, b: 2026-01-02}\n", '{"a":9007199254740993,"b":1.10}\n{"a":"00123","b":"0x1F"}\n{"a":"1_000","b":1e400}\n{"a":".inf","b":-0}\n{"a":"12:30:45","b":"2026-01-02"}\n'],
  ["the Norway problem", "- {a: no, b: NO}\n- {a: yes, b: off}\n- {a: y, b: None}\n", '{"a":"no","b":"NO"}\n{"a":"yes","b":"off"}\n{"a":"y","b":"None"}\n'],
  ["booleans and nulls of YAML 1.2", "- {a: True, b: FALSE}\n- {a: null, b: ~}\n- {a: , b: Null}\n", '{"a":true,"b":false}\n{"a":"none","b":"none"}\n{"a":"none","b":"none"}\n'],
  ["128 levels of flow", flow(126), `{"a":${"[".repeat(126)}${"]".repeat(126)},"b":"none"}\n`],
  ["more levels of flow", flow(130), { code: "LIMIT", line: 1 }],
  ["20,000 levels of flow", flow(20_000), { code: "LIMIT", line: 1 }],
  ["130 levels by indentation", block(65), { code: "LIMIT", line: 65 }],
  ["texts over several lines", "- a: |\n    l1\n     l2\n  b: >-\n    f1\n    f2\n", '{"a":"l1\\n l2\\n","b":"f1 f2"}\n'],
  ["a tab as indentation", "- a:\n\t- 1\n", { code: "SYNTAX", line: 2 }],
  ["a key that is a list", "- ? [a]\n  : 1\n", { code: "SYNTAX", line: 1 }],
  ["an item that is no record", "- a: 1\n- 5\n", { code: "SYNTAX", line: 2 }],
  ["__proto__ and constructor are keys", "- {__proto__: {x: 1}, constructor: 1, a: 2}\n", '{"a":2,"b":"none"}\n'],
  ["no line end at the end", "- a: 1\n- a: 2", { code: "INCOMPLETE", line: 2 }],
  ["it ends inside of a quoted text", '- a: "x\n', { code: "INCOMPLETE", line: 2 }],
  ["nothing", "", { code: "INCOMPLETE", line: 1 }],
  ["comments alone", "# nothing\n", { code: "INCOMPLETE", line: 2 }],
  ["bytes that are no UTF-8", Buffer.from("- a: 1\n- a: \xe9\n", "latin1"), { code: "ENCODING", line: 2 }],
  ["UTF-16 with a mark", Buffer.from("\uFEFF- a: 1\n", "utf16le"), { code: "ENCODING", line: 1 }],
  ["a BOM and CRLF", "\uFEFF- a: 1\r\n- a: 2\r\n", '{"a":1,"b":"none"}\n{"a":2,"b":"none"}\n'],
]);

contentTable({ in: "{format: yaml, records: x, strict: false, maxSize: 1000B}", fields: "{a: a}" }, [
  ["a document larger than maxSize", `x:\n- a: "${"y".repeat(2_000)}"\n`, { code: "LIMIT", line: 1 }],
  ["records at a path", "y: 1\nx:\n- a: 1\n- a: 2\n", '{"a":1}\n{"a":2}\n'],
  ["a path that is not there", "y: 1\n", { code: "COLUMN", line: 1, column: "x" }],
]);
