// pure
/** What a check found. `fail`: adapting does not work so. `warn`: it works, and may surprise. `remedy`: what to do about it. */
export type Finding = { readonly level: "ok" | "warn" | "fail"; readonly subject: string; readonly detail: string; readonly remedy?: string };

const width = 80;
const indent = 6;

/** Findings as lines of at most 80 characters, as long as their words are shorter. */
export function findingText({ level, subject, detail, remedy }: Finding): string {
  const lines = wrapped(`${subject}: ${detail}`, width - indent);
  const advice = remedy === undefined ? [] : wrapped(remedy, width - indent - 3).map((line, index) => `${index === 0 ? "-> " : "   "}${line}`);
  return [...lines, ...advice].map((line, index) => `${(index === 0 ? level.toUpperCase() : "").padEnd(indent)}${line}\n`).join("");
}

function wrapped(text: string, room: number): readonly string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > room) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line];
}

/** One line of /proc/self/mountinfo (see proc(5)): what is mounted where. `root`: the folder of the source that is seen there. */
export type Mount = { readonly root: string; readonly point: string; readonly type: string; readonly readOnly: boolean };

export function parseMounts(text: string): readonly Mount[] {
  const plain = (escaped: string): string => escaped.replaceAll(/\\([0-7]{3})/g, (_, digits: string) => String.fromCodePoint(Number.parseInt(digits, 8)));
  return text.split("\n").flatMap((line) => {
    const [before = "", after = ""] = line.split(" - ");
    const [, , , root, point, options] = before.split(" ");
    const [type] = after.split(" ");
    return root === undefined || point === undefined || type === undefined ? [] : [{ root: plain(root), point: plain(point), type, readOnly: options?.split(",").includes("ro") === true }];
  });
}

/** The mount that a path is on: the last one of the longest point. */
export function mountOf(path: string, mounts: readonly Mount[]): Mount | undefined {
  let found: Mount | undefined;
  for (const mount of mounts) {
    const isAbove = mount.point === "/" || path === mount.point || path.startsWith(`${mount.point}/`);
    if (isAbove && mount.point.length >= (found?.point.length ?? 0)) found = mount;
  }
  return found;
}

const remoteTypes = /^(?:nfs4?|cifs|smb3?|9p|ceph|glusterfs|fuse(?:\..*)?|virtiofs|afs|lustre|gpfs)$/;

/** Whether other machines may write there without our kernel knowing. */
export function isRemote({ type }: Mount): boolean {
  return remoteTypes.test(type);
}

/** How long what is written there lives. `container`: it is on no volume; `pod`: on an emptyDir; `memory`: gone with the machine's next start, at the latest. */
export function lifeOf({ type, root, point }: Mount): "container" | "pod" | "memory" | "volume" {
  if (type === "tmpfs" || type === "ramfs") return "memory";
  if (root.includes("kubernetes.io~empty-dir") || root.includes("/kubernetes.io~empty-dir/")) return "pod";
  return type === "overlay" && point === "/" ? "container" : "volume";
}

const fewBytes = 67_108_864;
const fewFiles = 100;

/** Whether there is room. `files` and `freeFiles` are 0 where the file system does not count them. */
export function spaceFinding(subject: string, { bytes, freeBytes, files, freeFiles }: { readonly bytes: number; readonly freeBytes: number; readonly files: number; readonly freeFiles: number }): Finding {
  const share = bytes === 0 ? 100 : (freeBytes / bytes) * 100;
  const detail = `${sizeText(freeBytes)} of ${sizeText(bytes)} free`;
  const remedy = "free or enlarge the volume; retention.outputs and quarantine.maxBytes bound what the adapter keeps";
  if (freeBytes === 0 || (files > 0 && freeFiles === 0)) return { level: "fail", subject, detail: freeBytes === 0 ? "the volume is full" : "the volume has no room for another file (inodes)", remedy };
  if (freeBytes < fewBytes || share < 1 || (files > 0 && freeFiles < fewFiles)) return { level: "warn", subject, detail: files > 0 && freeFiles < fewFiles ? `${detail}, room for ${freeFiles} files` : detail, remedy };
  return { level: "ok", subject, detail };
}

function sizeText(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  const step = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log2(Math.max(1, bytes)) / 10)));
  return `${(bytes / 1024 ** step).toFixed(step === 0 ? 0 : 1)} ${units[step]}`;
}

/** Below these the kernel refuses a watch before long: they are shared by all processes of the user on the machine. */
const fewInstances = 64;
const fewWatches = 1_024;

/** Whether the kernel's limits on file watches leave room; undefined where a number is not known. */
export function watchLimitFinding({ instances, watches, queued }: { readonly instances: number | undefined; readonly watches: number | undefined; readonly queued: number | undefined }): Finding {
  const subject = "file watches";
  if (instances === undefined || watches === undefined) return { level: "warn", subject, detail: "the kernel's limits cannot be read", remedy: "without watches the folders are polled, and scanned every watch.reconcile" };
  const detail = `at most ${instances} instances and ${watches} watches for a user of the machine; ${queued ?? "an unknown number of"} events wait, what goes beyond is found by the scan`;
  if (instances >= fewInstances && watches >= fewWatches) return { level: "ok", subject, detail };
  return { level: "warn", subject, detail, remedy: `raise fs.inotify.max_user_instances to ${fewInstances} and max_user_watches to ${fewWatches} or more on the machine; until then the folders may be polled` };
}

/** Whether a consumer that looks for this pattern passes over files that are still being written. `*` is taken as the shell does, and as programs that match dots too. */
export function consumerFinding(pattern: string, temporary: string, matchesGlob: (name: string, pattern: string) => boolean): Finding {
  const subject = `consumer's pattern "${pattern}"`;
  if (matchesGlob(temporary, pattern)) return { level: "fail", subject, detail: `it matches temporary files such as ${temporary}`, remedy: "have the consumer pass over names that begin with a dot" };
  if (matchesGlob(temporary.slice(1), pattern)) return { level: "warn", subject, detail: `it matches temporary files such as ${temporary} where the consumer's * matches a leading dot, as it does not in shells`, remedy: "have the consumer pass over names that begin with a dot" };
  return { level: "ok", subject, detail: "it matches no temporary file" };
}
