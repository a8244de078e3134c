import type { Pod } from "../api/types/pod.ts";
import { label, type RuntimeObject } from "../runtime/runtime.ts";

/** The Pods of this node by uid, and what the engine last listed of each. A name used again is another Pod: only the uid counts. */
export class PodTable {
  readonly #pods = new Map<string, Pod>();
  readonly #uids = new Map<string, string>();
  #objects = new Map<string, string>();

  get size(): number {
    return this.#pods.size;
  }

  get(uid: string): Pod | undefined {
    return this.#pods.get(uid);
  }

  /** Takes over what the API tells of one name; the answer is the uids that have to be looked at. */
  set(key: string, pod: Pod | undefined): readonly string[] {
    const before = this.#uids.get(key);
    const uid = pod?.metadata.uid;
    if (before !== undefined && before !== uid) this.#pods.delete(before);
    if (pod === undefined || uid === undefined) this.#uids.delete(key);
    else {
      this.#uids.set(key, uid);
      this.#pods.set(uid, pod);
    }
    return [before, uid].filter((candidate, index, all) => candidate !== undefined && all.indexOf(candidate) === index).filter((candidate) => candidate !== undefined);
  }

  /** The uids of Pods whose sandboxes or containers came, went or changed state since the last list, and of all that are unknown here. */
  changedObjects(objects: readonly RuntimeObject[]): ReadonlySet<string> {
    const changed = new Set<string>();
    const now = new Map<string, string>();
    for (const object of objects) {
      const uid = object.labels[label.podUid];
      if (uid === undefined) continue;
      const entry = `${uid} ${object.state}`;
      now.set(object.id, entry);
      if (this.#objects.get(object.id) !== entry || !this.#pods.has(uid)) changed.add(uid);
    }
    for (const [id, entry] of this.#objects) if (!now.has(id)) changed.add(entry.split(" ")[0] ?? "");
    this.#objects = now;
    return changed;
  }
}
