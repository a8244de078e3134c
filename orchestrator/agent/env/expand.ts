// pure
/**
 * Kubernetes' $(NAME) expansion: known names are replaced, unknown ones stay as they are, $$ is a dollar sign that starts no reference.
 */
export function expand(text: string, lookup: (name: string) => string | undefined): string {
  return text.replace(/\$\$|\$\(([^)]*)\)/g, (match, name: string | undefined) => (name === undefined ? "$" : (lookup(name) ?? match)));
}
