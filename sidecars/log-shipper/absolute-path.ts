// pure
/** A check of a setting: what was expected instead, or undefined. */
export function absolutePath(path: string): string | undefined {
  return path.startsWith("/") ? undefined : 'an absolute path such as "/var/log/app/*.log"';
}
