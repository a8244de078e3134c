// pure
/**
 * Stack traces, language by language, as small state machines over lines: a rule says that in one of the states `from` a line of
 * the pattern belongs to the trace, and leads to the state `to`. State 0 is outside of a trace.
 *
 * Lines of frames begin a record too when nothing is open, so that a trace that was interrupted, or divided at a limit, is still few
 * records. Not recognized: messages of exceptions that go on over several lines, except in Go and Java where noted.
 */
export type PresetName = "java" | "python" | "go" | "node" | "ruby";
export type Rule = { readonly from: readonly number[]; readonly pattern: RegExp; readonly to: number };

const rule = (from: readonly number[], pattern: RegExp, to: number): Rule => ({ from, pattern, to });

/** Also of .NET and of the JVM's other languages. */
const java: readonly Rule[] = [
  // 1: after the exception's own line, 2: among frames.
  rule([0, 1, 2], /^\s+(?:eval )?at \S/, 2),
  rule([0, 1, 2], /^\s*(?:Caused by|Suppressed|Wrapped by): /, 1),
  rule([0, 1, 2], /^\s*\.{3} \d+ (?:more|common frames omitted)/, 2),
  rule([1, 2], /^\s*\[CIRCULAR REFERENCE:/, 2),
  rule([1, 2], /^\s*--- End of (?:inner exception )?stack trace/, 2),
  rule([1], /^\s*nested exception is:/, 1),
  rule([1], /^\s+- (?:locked|waiting|parking)/, 1),
  rule([1], /^\s*$/, 1),
  rule([0], /(?:Exception|Error|Throwable)(?::|\s*$)/, 1),
  rule([0], /^Exception in thread "/, 1),
];

const python: readonly Rule[] = [
  // 1: among frames, 2: after the exception's line, 3: in the gap between chained exceptions, 4: after the words that chain them.
  rule([0, 4], /Traceback \(most recent call last\):\s*$/, 1),
  rule([0], /^\s+File "[^"]*", line \d+/, 1),
  rule([1], /^\s+\S/, 1),
  rule([1], /^[A-Za-z_][\w.]*(?::|$)/, 2),
  rule([2], /^\s*$/, 3),
  rule([3], /^(?:During handling of the above exception|The above exception was the direct cause)/, 4),
  rule([4], /^\s*$/, 4),
  rule([2], /^\s+[|+]/, 2),
];

const go: readonly Rule[] = [
  // 1: after the panic, 2: among frames, 3: in the gap before another goroutine.
  rule([0], /(?:^|\s)panic: |http: panic serving/, 1),
  rule([0], /^(?:fatal error: |runtime: goroutine stack exceeds |SIG[A-Z]+: )/, 1),
  rule([0, 1, 2, 3], /^(?:\[signal )?goroutine \d+ (?:gp=\S+ m=\S+ (?:mp=\S+ )?)?\[/, 2),
  rule([1], /^(?:\[signal |\s+panic: |PC=|\s*$)/, 1),
  rule([2], /^(?:created by |\S+\()/, 2),
  rule([2], /^\.{3}(?:additional frames elided|\d+ frames elided)/, 2),
  rule([0, 2], /^\s+\S+\.(?:go|s):\d+/, 2),
  rule([2], /^\s*$/, 3),
  rule([2, 3], /^exit status \d/, 2),
  rule([3], /^\s*$/, 3),
];

const node: readonly Rule[] = [
  // 1: after the error's line, 2: among frames, 3: place of an uncaught error, 4: its code, 5: its caret, 6: the blank line at its end.
  rule([0, 1, 2], /^\s+at \S/, 2),
  rule([0, 5], /(?:^|[\s:])(?:[A-Z]\w*)?(?:Error|Exception)(?: \[[A-Z_0-9]+\])?(?::|\s*$)/, 1),
  rule([0, 5], /^Uncaught:?\s/, 1),
  rule([0], /^(?:\/|file:\/\/|node:|[A-Za-z]:\\)\S*:\d+$/, 3),
  rule([3], /\S/, 4),
  rule([4], /^\s*\^+\s*$/, 5),
  rule([5], /^\s*$/, 5),
  rule([2], /^\s*\.{3} \d+ lines matching cause stack trace/, 2),
  rule([2], /^\s+(?:\[(?:cause|errors|Symbol\([^)]*\))\]|\[?[\w$]+\]?|'[^']*'): /, 2),
  rule([2], /^\s+\[(?:cause|errors)\]: /, 2),
  rule([2], /^\s*[\]}],?\s*$/, 2),
  rule([2], /^\s*$/, 6),
  rule([6], /^Node\.js v\d/, 6),
];

const ruby: readonly Rule[] = [
  // 1: after the exception's line, 2: among frames.
  rule([0, 1, 2], /^\s+from \S.*:\d+:in /, 2),
  rule([0, 1, 2], /^\s+\d+: from \S/, 2),
  rule([0], /^Traceback \(most recent call last\):\s*$/, 1),
  rule([0, 1, 2], /^\s*\S+:\d+:in [`'"]/, 2),
  rule([0], /^(?:\w+::)*\w*(?:Error|Exception) \(.*\):?\s*$/, 1),
  rule([1], /^\s*$/, 1),
  rule([2], /^\s*\S+:\d+:in [`'"]/, 2),
];

export const presetRules: Readonly<Record<PresetName, readonly Rule[]>> = { java, python, go, node, ruby };
export const presetNames = ["java", "python", "go", "node", "ruby"] as const satisfies readonly PresetName[];
