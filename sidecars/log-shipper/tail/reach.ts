// pure
/**
 * Which directories a process can reach, from its /proc/<id>/mountinfo (proc_pid_mountinfo(5)). Two mounts of the same file system
 * share a directory when one's root lies above the other's, or at it.
 */
export type Mount = {
  /** Major and minor number of the file system. */
  readonly device: string;
  /** The directory of the file system that stands at `point`. */
  readonly root: string;
  readonly point: string;
};

export function parseMounts(mountinfo: string): readonly Mount[] {
  return mountinfo.split("\n").flatMap((line) => {
    const [, , device, root, point] = line.split(" ");
    return device === undefined || root === undefined || point === undefined ? [] : [{ device, root: unescape(root), point: unescape(point) }];
  });
}

/** Where a directory really lies: its file system, and its path in there. Undefined when no mount has it. */
export function placeOf(directory: string, mounts: readonly Mount[]): { readonly device: string; readonly path: string } | undefined {
  let best: Mount | undefined;
  for (const mount of mounts) if (isAtOrBelow(directory, mount.point) && (best === undefined || mount.point.length >= best.point.length)) best = mount;
  return best && { device: best.device, path: join(best.root, directory.slice(best.point === "/" ? 0 : best.point.length)) };
}

/** Whether a process with these mounts may open something in or above the place. */
export function canReach(place: { readonly device: string; readonly path: string }, mounts: readonly Mount[]): boolean {
  return mounts.some(({ device, root }) => device === place.device && (isAtOrBelow(place.path, root) || isAtOrBelow(root, place.path)));
}

function isAtOrBelow(path: string, above: string): boolean {
  return above === "/" || path === above || path.startsWith(`${above}/`);
}

function join(root: string, rest: string): string {
  if (root === "/") return rest === "" ? "/" : rest;
  return `${root}${rest}`;
}

/** Spaces, tabs, line feeds and backslashes stand as octal numbers. */
function unescape(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}
