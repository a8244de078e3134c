// pure
/**
 * The grammar of image references, as github.com/distribution/reference has it, which the kubelet and the engine use. Names without a
 * registry are Docker Hub's, and names without a folder are in its folder `library`.
 */
const domainComponent = "(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])";
const domain = `(?:${domainComponent}(?:\\.${domainComponent})*|\\[[a-fA-F0-9:]+\\])(?::[0-9]+)?`;
const pathComponent = "[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*";
const path = `${pathComponent}(?:/${pathComponent})*`;
const tag = "[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}";
const digest = "[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}";
const reference = new RegExp(`^${domain}/(?<path>${path})(?::${tag})?(?:@(?<digest>${digest}))?$`);
const pathLengthMax = 255;
const digestLengths: Readonly<Record<string, number>> = { sha256: 64, sha384: 96, sha512: 128 };

/** Why the text is no image reference, in that library's words; undefined when it is one. */
export function imageNameFault(image: string): string | undefined {
  if (/^[a-f0-9]{64}$/.test(image)) return `invalid repository name (${image}), cannot specify 64-byte hexadecimal strings`;
  const { registry, rest } = normalized(image);
  const name = rest.split(":", 1)[0] ?? "";
  if (name.toLowerCase() !== name) return `invalid reference format: repository name (${name}) must be lowercase`;
  const match = reference.exec(`${registry}/${rest}`);
  if (match === null) return "invalid reference format";
  if ((match.groups?.["path"] ?? "").length > pathLengthMax) return `repository name must not be more than ${pathLengthMax} characters`;
  return digestFault(match.groups?.["digest"]);
}

function normalized(image: string): { readonly registry: string; readonly rest: string } {
  const slash = image.indexOf("/");
  const first = image.slice(0, Math.max(slash, 0));
  const isHub = slash === -1 || (!/[.:]/.test(first) && first !== "localhost" && first.toLowerCase() === first);
  const registry = isHub || first === "index.docker.io" ? "docker.io" : first;
  const rest = isHub ? image : image.slice(slash + 1);
  return { registry, rest: registry === "docker.io" && !rest.includes("/") ? `library/${rest}` : rest };
}

function digestFault(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const [algorithm = "", hex = ""] = text.split(":");
  const length = Object.hasOwn(digestLengths, algorithm) ? digestLengths[algorithm] : undefined;
  if (length === undefined) return "unsupported digest algorithm";
  if (hex.length !== length) return "invalid checksum digest length";
  return /^[a-f0-9]+$/.test(hex) ? undefined : "invalid checksum digest format";
}
