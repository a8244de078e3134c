// pure

/**
 * When a file was read since it was written, in ns since the epoch; undefined when nobody did, as far as its access time tells. Under relatime
 * (the default of Linux) the first read after each writing shows, and then one a day.
 */
export function readSinceWritten(stat: { readonly atimeNs: bigint; readonly mtimeNs: bigint }): bigint | undefined {
  return stat.atimeNs > stat.mtimeNs ? stat.atimeNs : undefined;
}

/** Whether reading changes access times at this path, by /proc/self/mountinfo (proc_pid_mountinfo(5)): mounts with noatime never do. */
export function keepsAccessTimes(mountinfo: string, path: string): boolean {
  let longest = "";
  let keeps = true;
  for (const line of mountinfo.split("\n")) {
    const [, , , , escaped, options, ...rest] = line.split(" ");
    if (escaped === undefined || options === undefined) continue;
    const place = escaped.replaceAll(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
    const isAbove = path === place || path.startsWith(place.endsWith("/") ? place : `${place}/`);
    if (!isAbove || place.length < longest.length) continue; // of two mounts at one place the later counts
    longest = place;
    keeps = ![options, rest.at(-1) ?? ""].some((each) => each.split(",").includes("noatime"));
  }
  return keeps;
}
