// pure
import { isIP } from "./ip.ts";
import type { Format } from "./schema.ts";

/** Text formats with the wording of k8s.io/apimachinery/pkg/util/validation, release 1.30. */
function regexFault(message: string, pattern: string, examples: readonly string[]): string {
  return `${message} (e.g. ${examples.map((example) => `'${example}', `).join(" or ")}regex used for validation is '${pattern}')`;
}

function lengthFault(lengthMax: number): string {
  return `must be no more than ${lengthMax} characters`;
}

type PatternOptions = { readonly message: string; readonly pattern: string; readonly examples: readonly string[]; readonly lengthMax?: number };

function patternFormat({ message, pattern, examples, lengthMax = Infinity }: PatternOptions): Format {
  const regex = new RegExp(`^${pattern}$`);
  const fault = regexFault(message, pattern, examples);
  // A text far too long is not matched at all: the length fault says enough, and no pattern runs over megabytes.
  return (text) => [...(text.length > lengthMax ? [lengthFault(lengthMax)] : []), ...(text.length <= 4096 && regex.test(text) ? [] : [fault])];
}

const label = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";

const labelFormat = patternFormat({
  message: "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character",
  pattern: label,
  examples: ["my-name", "123-abc"],
  lengthMax: 63,
});
/** Kubernetes says plainly when only the dots are wrong. */
export const dns1123Label: Format = (text) => {
  const faults = labelFormat(text);
  return text.length <= 63 && faults.length > 0 && dns1123Subdomain(text).length === 0 ? ["must not contain dots"] : faults;
};
export const dns1123Subdomain = patternFormat({
  message: "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character",
  pattern: `${label}(\\.${label})*`,
  examples: ["example.com"],
  lengthMax: 253,
});
export const dns1035Label = patternFormat({
  message: "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character",
  pattern: "[a-z]([-a-z0-9]*[a-z0-9])?",
  examples: ["my-name", "abc-123"],
  lengthMax: 63,
});
export const labelValue = patternFormat({
  message: "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
  pattern: "(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?",
  examples: ["MyValue", "my_value", "12345"],
  lengthMax: 63,
});
const qualifiedNamePart = patternFormat({
  message: "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
  pattern: "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]",
  examples: ["MyName", "my.name", "123-abc"],
});

/** Label and annotation keys, finalizers, taint keys: `name` or `prefix.example/name`. */
export const qualifiedName: Format = (text) => {
  const parts = text.split("/");
  if (parts.length > 2)
    return [
      `${regexFault("a qualified name must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character", "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]", ["MyName", "my.name", "123-abc"])} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`,
    ];
  const name = parts.at(-1) ?? "";
  const prefix = parts.length === 2 ? (parts[0] ?? "") : undefined;
  const faults: string[] = [];
  if (prefix === "") faults.push("prefix part must be non-empty");
  else if (prefix !== undefined) faults.push(...dns1123Subdomain(prefix).map((fault) => `prefix part ${fault}`));
  if (name === "") faults.push("name part must be non-empty");
  else if (name.length > 63) faults.push(`name part ${lengthFault(63)}`);
  return [...faults, ...qualifiedNamePart(name)];
};

function chdirFaults(text: string): readonly string[] {
  if (text === ".") return ["must not be '.'"];
  if (text === "..") return ["must not be '..'"];
  return text.startsWith("..") ? ["must not start with '..'"] : [];
}

const envName = patternFormat({
  message: "a valid environment variable name must consist of alphabetic characters, digits, '_', '-', or '.', and must not start with a digit",
  pattern: "[-._a-zA-Z][-._a-zA-Z0-9]*",
  examples: ["my.env-name", "MY_ENV.NAME", "MyEnvName1"],
});
/** The strict rule, which every release since 1.29 accepts; newer ones also take other printable characters. */
export const envVarName: Format = (text) => [...envName(text), ...chdirFaults(text)];

const configKey = patternFormat({ message: "a valid config key must consist of alphanumeric characters, '-', '_' or '.'", pattern: "[-._a-zA-Z0-9]+", examples: ["key.name", "KEY_NAME", "key-name"], lengthMax: 253 });
export const configMapKey: Format = (text) => [...configKey(text), ...chdirFaults(text)];

export const httpHeaderName = patternFormat({ message: "a valid HTTP header must consist of alphanumeric characters or '-'", pattern: "[-A-Za-z0-9]+", examples: ["X-Header-Name"] });

/** IANA service names, for container and Service target ports. */
export const portName: Format = (text) => {
  const faults: string[] = [];
  if (text.length > 15) faults.push(lengthFault(15));
  if (!/^[-a-z0-9]+$/.test(text)) faults.push("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)");
  if (!/[a-z]/.test(text)) faults.push("must contain at least one letter (a-z)");
  if (text.includes("--")) faults.push("must not contain consecutive hyphens");
  if (text.startsWith("-") || text.endsWith("-")) faults.push("must not begin or end with a hyphen");
  return faults;
};

export const ipAddress: Format = (text) => (isIP(text) === 0 ? ["must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"] : []);

/** A path inside a volume that cannot leave it. */
export const descendingPath: Format = (text) => [...(text.startsWith("/") ? ["must be a relative path"] : []), ...noDotDot(text)];

/** As descendingPath, and not one of the `..` names that atomic updates use. */
export const payloadPath: Format = (text) => [...descendingPath(text), ...(text.startsWith("..") && text !== ".." && !text.startsWith("../") ? ["must not start with '..'"] : [])];

export const noDotDot: Format = (text) => (text.split("/").includes("..") ? ["must not contain '..'"] : []);

export const noOuterSpace: Format = (text) => (text === text.trim() ? [] : ["must not have leading or trailing whitespace"]);

/** RFC 3339. */
export const timestamp: Format = (text) =>
  /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/.test(text) && !Number.isNaN(Date.parse(text)) ? [] : ["must be a time of RFC 3339 (e.g. '2026-01-31T12:00:00Z')"];

export function inRange(from: number, to: number): (value: number) => string | undefined {
  return (value) => (value >= from && value <= to ? undefined : `must be between ${from} and ${to}, inclusive`);
}

export function atLeastZero(value: number): string | undefined {
  return value >= 0 ? undefined : "must be greater than or equal to 0";
}

export const portNumber = inRange(1, 65_535);
/** User and group ids. */
export const idNumber = inRange(0, 2_147_483_647);
/** Permission bits of a file in a volume. */
export function fileMode(value: number): string | undefined {
  return value >= 0 && value <= 0o777 ? undefined : "must be a number between 0 and 0777 (octal), both inclusive";
}
