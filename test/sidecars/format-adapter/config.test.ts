import assert from "node:assert/strict";
import { test } from "node:test";
import { mappingHash } from "../../../sidecars/format-adapter/adapter-config.ts";
import { runExamples } from "../../../sidecars/format-adapter/examples.ts";
import { parseAdapter, parseConfig } from "./support.ts";

const problemsOf = (text: string): readonly string[] => {
  const outcome = parseConfig(text);
  return "problems" in outcome ? outcome.problems : [];
};

test("everything wrong in a configuration is told at once, with place and remedy", () => {
  assert.deepEqual(
    problemsOf(`watch: {dir: reports, match: "a/*.csv", ready: [renam, closed, {stable: {quiet: soon}}], reconcile: 1ms}
detect:
  - when: {header: [a]}
    use: v3
mappings:
  v2:
    in: {format: cvs, columns: {a: integer}}
    out: {format: csv, eol: cr, file: "legacy/{title}.csv"}
    field: {}
  v1:
    in: {format: csv, columns: {a: int64}}
    out: {format: csv, file: "/legacy/{name}.csv"}
    fields:
      x: {form: a}
      y: {expr: "a * b", type: int64}
      z: {expr: "a * 0.5", type: int64}
      t: {from: a, date: {out: "YYYY", zone: Mars}}
      m: {from: a, map: [1]}
    examples:
      - in: "a"
`),
    [
      'adapter.yaml:1:14: adapters[0].watch.dir: expected an absolute path, got "reports"',
      'adapter.yaml:1:30: adapters[0].watch.match: expected a glob on the file\'s name, got "a/*.csv"',
      'adapter.yaml:1:101: adapters[0].watch.reconcile: expected a duration of at least 50ms, got "1ms"',
      'adapter.yaml:1:49: adapters[0].watch.ready[0]: expected one of rename, complete, footer, stable, closed, append, got "renam"; did you mean "rename"?',
        'adapter.yaml:1:81: adapters[0].watch.ready[2].stable.quiet: expected a duration such as 500ms, got "soon"',
      'adapter.yaml:9:5: adapters[0].mappings.v2.field: is not a setting; did you mean "fields"?',
      'adapter.yaml:7:5: adapters[0].mappings.v2: needs "fields"',
      'adapter.yaml:7:18: adapters[0].mappings.v2.in.format: expected one of csv, tsv, ndjson, json, yaml, toml, prometheus, openmetrics, parquet, avro, xml, logfmt, ini, properties, fixed-width, got "cvs"; did you mean "csv"?',
      'adapter.yaml:7:36: adapters[0].mappings.v2.in.columns.a: "integer" is not a type; there are int64, number, string, bool, date, timestamp, decimal(n), each with ? behind it when it may be empty',
      'adapter.yaml:8:39: adapters[0].mappings.v2.out.file: expected an absolute path, got "legacy/{title}.csv"',
      'adapter.yaml:8:39: adapters[0].mappings.v2.out.file: "{title}" means nothing here; there is {name}',
      'adapter.yaml:8:29: adapters[0].mappings.v2.out.eol: expected one of lf, crlf, got "cr"',
      'adapter.yaml:14:11: adapters[0].mappings.v1.fields.x.form: is not a setting; did you mean "from"?',
      'adapter.yaml:14:10: adapters[0].mappings.v1.fields.x: needs "from": the name of a column',
      'adapter.yaml:15:17: adapters[0].mappings.v1.fields.y.expr: cannot use the expression "a * b": "b" is not a column; declare it under in.columns (at character 5)',
      'adapter.yaml:16:17: adapters[0].mappings.v1.fields.z.expr: the expression gives 1 digits after the point, its type keeps 0; say how to round: half-up, half-even or down',
    `adapter.yaml:17:32: adapters[0].mappings.v1.fields.t.date.out: the letters "YYYY" mean nothing in a date pattern; there are yyyy MMM MM M dd d HH H hh h mm ss a XXX S and 'text', or the whole is one of rfc3339, unix, unix-ms`,
      "adapter.yaml:18:25: adapters[0].mappings.v1.fields.m.map: expected a map, got a list of 1",
      'adapter.yaml:20:9: adapters[0].mappings.v1.examples[0]: needs either "out" or "error"',
      'adapter.yaml:4:10: adapters[0].detect[0].use: expected one of v2, v1, got "v3"; did you mean "v2"?',
    ],
  );
});

for (const [name, text, expected] of [
  ["no watch", "mappings: {}\n", /adapters\[0\]: needs "watch"/],
  ["nothing at all", "log: {level: info}\n", /adapters: is required: give "watch" and "mappings"/],
  ["several mappings without detect", 'watch: {dir: /in}\nmappings:\n  a: {in: {format: csv}, out: {format: csv, file: "/o/{name}"}, fields: {x: x}}\n  b: {in: {format: csv}, out: {format: csv, file: "/o/{name}"}, fields: {x: x}}\n', /needs "detect" to choose/],
  ["output into the watched folder", 'watch: {dir: /in}\nmappings:\n  a: {in: {format: csv}, out: {format: csv, file: "/in/{name}.old"}, fields: {x: x}}\n', /writes into the watched folder/],
  ["all inputs to one output", 'watch: {dir: /in, match: "*.csv"}\nmappings:\n  a: {in: {format: csv}, out: {format: csv, file: "/o/x.csv"}, fields: {x: x}}\n', /put \{name\} into it/],
  ["an expression over an undeclared column", 'watch: {dir: /in}\nmappings:\n  a: {in: {format: csv}, out: {format: csv, file: "/o/{name}"}, fields: {x: {expr: "q * 2", type: int64}}}\n', /cannot use the expression "q \* 2": "q" is not a column; declare it under in\.columns \(at character 1\)/],
  ["a scale that would be lost", 'watch: {dir: /in}\nmappings:\n  a: {in: {format: csv, columns: {q: int64}}, out: {format: csv, file: "/o/{name}"}, fields: {x: {expr: "q * 0.5", type: int64}}}\n', /gives 1 digits after the point, its type keeps 0; say how to round/],
  ["a pattern with unknown letters", 'watch: {dir: /in}\nmappings:\n  a: {in: {format: csv}, out: {format: csv, file: "/o/{name}"}, fields: {x: {from: q, date: {out: "YYYY"}}}}\n', /the letters "YYYY" mean nothing in a date pattern/],
  ["a folder named after the input", 'watch: {dir: /in}\nmappings:\n  a: {in: {format: csv}, out: {format: csv, file: "/o/{name}/x.csv"}, fields: {x: x}}\n', /\{name\} may stand in the last part alone/],
  ["an unknown zone", 'watch: {dir: /in}\nmappings:\n  a: {in: {format: csv}, out: {format: csv, file: "/o/{name}"}, fields: {x: {from: q, date: {out: "yyyy", zone: Mars}}}}\n', /the time zone "Mars" is not known/],
  ["an example without an expectation", 'watch: {dir: /in}\nmappings:\n  a: {in: {format: csv}, out: {format: csv, file: "/o/{name}"}, fields: {x: q}, examples: [{in: "a"}]}\n', /needs either "out" or "error"/],
  ["state in the watched folder", 'stateDirectory: /in\nwatch: {dir: /in}\nmappings: {m: {in: {format: csv}, out: {format: csv, file: "/o/{name}"}, fields: {x: x}}}\n', /^adapter\.yaml:1:17: stateDirectory: is the watched folder, .*give the state a folder of its own$/],
  ["state in the watched folder, spelt in another way", 'watch: {dir: "/data/../in/"}\nstateDirectory: /in\nmappings: {m: {in: {format: csv}, out: {format: csv, file: "/o/{name}"}, fields: {x: x}}}\n', /^adapter\.yaml:2:17: stateDirectory: is the watched folder/],
  ["state among the adapted reports", 'stateDirectory: /o/\nwatch: {dir: /in}\nmappings: {m: {in: {format: csv}, out: {format: csv, file: "/o/{name}"}, fields: {x: x}}}\n', /^adapter\.yaml:1:17: stateDirectory: is the folder into which "m" writes/],
  ["output into the watched folder, spelt in another way", 'watch: {dir: /o/}\nmappings: {m: {in: {format: csv}, out: {format: csv, file: "/o/{name}"}, fields: {x: x}}}\n', /writes into the watched folder/],
  ["no match", 'watch: {dir: /in, match: ""}\nmappings: {m: {in: {format: csv}, out: {format: csv, file: "/o/{name}"}, fields: {x: x}}}\n', /^adapter\.yaml:1:26: adapters\[0\]\.watch\.match: expected a glob on the file's name, got ""$/],
  ["a join of nothing", 'watch: {dir: /in}\nmappings: {m: {in: {format: csv}, out: {format: csv, file: "/o/{name}"}, fields: {x: {join: []}}}}\n', /^adapter\.yaml:2:\d+: adapters\[0\]\.mappings\.m\.fields\.x\.join: needs at least one column$/],
  ["a layout without columns that comes in", 'watch: {dir: /in}\nmappings: {m: {in: {format: fixed-width, layout: {}}, out: {format: csv, file: "/o/{name}"}, fields: {x: x}}}\n', /mappings\.m\.in\.layout: needs at least one column, such as \{id: 8\}/],
  ["a layout without columns that goes out", 'watch: {dir: /in}\nmappings: {m: {in: {format: csv}, out: {format: fixed-width, layout: {}, file: "/o/{name}"}, fields: {x: x}}}\n', /mappings\.m\.out\.layout: needs at least one column, such as \{id: 8\}/],
  ["a verb that does not go with another", 'watch: {dir: /in}\nmappings:\n  a: {in: {format: csv}, out: {format: csv, file: "/o/{name}"}, fields: {x: {const: q, from: z}}}\n', /fields\.x\.from: is not a setting/],
] as const) test(`refused: ${name}`, () => assert.match(problemsOf(text).join("\n"), expected));

test("state below the watched folder is fine: nothing is watched there", () => {
  assert.deepEqual(problemsOf('stateDirectory: /in/state\nwatch: {dir: /in}\nmappings: {m: {in: {format: csv}, out: {format: csv, file: "/o/{name}"}, fields: {x: x}}}\n'), []);
});

const one = (fields: string, extra = ""): string => `watch: {dir: /in}\nmappings:\n  a:\n    in: {format: csv}\n    out: {format: csv, file: "/o/{name}"}\n    fields: ${fields}\n${extra}`;

for (const [date, expected] of [
  ['{out: ""}', /^adapter\.yaml:6:\d+: adapters\[0\]\.mappings\.a\.fields\.x\.date\.out: the date pattern is empty; leave it out for rfc3339$/],
  ['{in: ""}', /date\.in: the date pattern is empty/],
  ["{in: yyyyMd}", /date\.in: "M" and "d" have one digit or two, and nothing but digits is between them: a time can be read in several ways; write MM or dd$/],
  ["{in: \"yyyyM'1'd\"}", /date\.in: "M" and "d" have one digit or two/],
  ["{in: yyyy-M-dHHmm}", undefined],
  ["{in: yyyy-MM-dHmm}", /date\.in: "d" and "H" have .* write dd or HH$/],
  ["{in: \"d'1'mmyyyyM\"}", /date\.in: "d" and "M" have .* write dd or MM$/],
  ["{in: yyyyMMd}", undefined],
  ["{in: yyyyMdd}", undefined],
  ["{in: dMMMyyyy}", undefined],
  ["{in: \"yyyyM'1-'d\"}", undefined],
  ["{out: yyyyMd}", undefined],
] as const) {
  test(`a date ${date} is ${expected === undefined ? "taken" : "refused"}`, () => {
    const problems = problemsOf(one(`{x: {from: q, date: ${date}}}`));
    if (expected === undefined) assert.deepEqual(problems, []);
    else assert.match(problems.join("\n"), expected);
  });
}

test("the mapping's hash changes with what it makes, not with its examples or layout", () => {
  const hash = (text: string): string => mappingHash(parseAdapter(text).mappings[0] ?? assert.fail());
  assert.equal(hash(one("{x: a}")), hash(one("# words\n      x: a", '    examples: [{in: "a\\n1\\n", out: "x\\n1\\n"}]\n')));
  assert.notEqual(hash(one("{x: a}")), hash(one("{y: a}")));
  assert.notEqual(hash(one("{s: {from: s, map: {A: a}}}")), hash(one("{s: {from: s, map: {A: b}}}")));
});

test("examples that do not hold are told with what came instead", () => {
  const adapter = parseAdapter(one("{x: a}", '    examples:\n      - {in: "a\\n1\\n", out: "x\\n2\\n"}\n      - {in: "a\\n1\\n", error: {code: CAST}}\n      - {in: "b\\n1\\n", error: {code: COLUMN, line: 1, column: a}}\n      - {in: "b\\n1\\n", out: "x\\n"}\n'));
  const failures = runExamples(adapter.mappings).map((failure) => `${failure.origin} ${failure.message}`);
  assert.equal(failures.length, 3);
  assert.match(failures[0] ?? "", /^adapter\.yaml:8:9 on line 2 of the adapted report expected "2\\n", got "1\\n"$/);
  assert.match(failures[1] ?? "", /expected the error CAST, got the report "x\\n1\\n"/);
  assert.match(failures[2] ?? "", /got the error COLUMN on line 1/);
});
