// pure
export type ImageReference = { readonly registry: string; readonly repository: string; readonly tagOrDigest: string };

/**
 * Splits an image reference as Docker does: the first part is a registry when it has a dot, a colon or is "localhost"; else the
 * registry is docker.io. Without tag and digest the tag is "latest" (without one the engine would pull every tag).
 */
export function parseImageReference(reference: string): ImageReference {
  const slash = reference.indexOf("/");
  const first = slash === -1 ? "" : reference.slice(0, slash);
  const registry = first === "localhost" || /[.:]/.test(first) ? first : "docker.io";
  const digestAt = reference.indexOf("@");
  const withoutDigest = digestAt === -1 ? reference : reference.slice(0, digestAt);
  const colon = withoutDigest.lastIndexOf(":");
  const tag = colon > withoutDigest.lastIndexOf("/") ? withoutDigest.slice(colon + 1) : undefined;
  const repository = tag === undefined ? withoutDigest : withoutDigest.slice(0, colon);
  return { registry, repository, tagOrDigest: digestAt === -1 ? (tag ?? "latest") : reference.slice(digestAt + 1) };
}
