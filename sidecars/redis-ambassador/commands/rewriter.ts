// pure
import { encodeRequest } from "../protocol/inline.ts";
import type { Arguments } from "./key-positions.ts";
import type { RedisNode } from "../servers/node.ts";
import { readFormOf, wordsFrom, type Look } from "./offload.ts";
import { ScriptRegistry, sha1Of } from "./script-registry.ts";

/** What may be done with a request instead of passing it on as it is. */
export type Rewritten =
  /** This request is taken in its place. */
  | { readonly kind: "replaced"; readonly request: Buffer }
  /**
   * A replica may answer it in this form. An error in its answer says nothing: the original is then asked of the primary,
   * so that errors, too, are the primary's own. `keyIndex`: the only key that is read; undefined: it may be any.
   */
  | { readonly kind: "read"; readonly keyIndex: number | undefined; readonly requestFor: (node: RedisNode) => Buffer };

const text = (args: Arguments, index: number): string => Buffer.from(args.bytes.buffer, args.bytes.byteOffset, args.bytes.byteLength).toString("latin1", args.argStart[index] ?? 0, args.argEnd[index] ?? 0);
const word = (args: Arguments, index: number): Uint8Array => args.bytes.subarray(args.argStart[index] ?? 0, args.argEnd[index] ?? 0);
const runIdOf = (node: RedisNode | undefined): string => node?.facts?.runId ?? "";

/** Looks closely at requests: which of them only read, and which scripts a server has to be given again. */
export class Rewriter {
  readonly scripts = new ScriptRegistry();

  /** `primary` is where the request would go. Undefined: it is passed on as it is. */
  look(kind: Look, args: Arguments, primary: RedisNode | undefined): Rewritten | undefined {
    switch (kind) {
      case "script|load":
        if (args.argc === 3) this.scripts.note(word(args, 2), runIdOf(primary));
        return undefined;
      case "script|flush":
        this.scripts.clear();
        return undefined;
      case "eval": case "eval_ro":
        return this.#script(kind, args, primary);
      case "evalsha": case "evalsha_ro":
        return this.#scriptByHash(kind, args, primary);
      default: {
        const form = readFormOf(kind, args);
        return form === undefined ? undefined : { kind: "read", keyIndex: form.keyIndex, requestFor: () => form.request };
      }
    }
  }

  /** The key of a read form, as `look` would find it, without noting anything. */
  peek(kind: Look, args: Arguments, primary: RedisNode | undefined): { readonly keyIndex: number | undefined } | undefined {
    if (kind === "eval" || kind === "eval_ro" || kind === "evalsha" || kind === "evalsha_ro") {
      if (args.argc < 3) return undefined;
      const sha1 = kind.startsWith("evalsha") ? text(args, 1).toLowerCase() : sha1Of(word(args, 1));
      const mayRun = kind.endsWith("_ro") || this.scripts.isReadOnly(sha1);
      return mayRun && this.scripts.isLoaded(sha1, runIdOf(primary)) ? { keyIndex: undefined } : undefined;
    }
    return kind === "script|load" || kind === "script|flush" ? undefined : readFormOf(kind, args);
  }

  /** The same request with the script itself, when `node` has lost a script that clients believe it has. */
  revive(kind: Look | undefined, args: Arguments, node: RedisNode): Buffer | undefined {
    if (kind !== "evalsha" && kind !== "evalsha_ro") return undefined;
    const sha1 = text(args, 1).toLowerCase(), body = this.scripts.body(sha1), runId = runIdOf(node);
    if (body === undefined || runId === "" || this.scripts.isLoaded(sha1, runId)) return undefined;
    this.scripts.counts.revived += 1;
    this.scripts.note(body, runId);
    return encodeRequest([kind === "evalsha" ? "EVAL" : "EVAL_RO", body, ...wordsFrom(args, 2)]);
  }

  /** A replica runs a script only when the primary has it already, so that SCRIPT EXISTS and EVALSHA stay what they would be. */
  #script(kind: "eval" | "eval_ro", args: Arguments, primary: RedisNode | undefined): Rewritten | undefined {
    if (args.argc < 3 || primary === undefined) return undefined;
    const body = word(args, 1), runId = runIdOf(primary);
    const sha1 = this.scripts.note(body, "");
    if (!this.scripts.isLoaded(sha1, runId)) {
      this.scripts.note(body, runId);
      return undefined;
    }
    if (kind === "eval" && !this.scripts.isReadOnly(sha1)) return undefined;
    return { kind: "read", keyIndex: undefined, requestFor: (node) => this.#forReplica(kind, sha1, Buffer.from(body), wordsFrom(args, 2), node) };
  }

  #scriptByHash(kind: "evalsha" | "evalsha_ro", args: Arguments, primary: RedisNode | undefined): Rewritten | undefined {
    if (args.argc < 3 || primary === undefined) return undefined;
    const revived = this.revive(kind, args, primary);
    if (revived !== undefined) return { kind: "replaced", request: revived };
    const sha1 = text(args, 1).toLowerCase(), body = this.scripts.body(sha1);
    if (body === undefined || (kind === "evalsha" && !this.scripts.isReadOnly(sha1))) return undefined;
    return { kind: "read", keyIndex: undefined, requestFor: (node) => this.#forReplica(kind === "evalsha" ? "eval" : "eval_ro", sha1, body, wordsFrom(args, 2), node) };
  }

  /** A connection to the node is gone, or the node lacks a script that it was given: nothing is known of what it has. */
  forget(node: RedisNode): void {
    this.scripts.forgetNode(runIdOf(node));
  }

  #forReplica(kind: "eval" | "eval_ro", sha1: string, body: Buffer, rest: readonly Uint8Array[], node: RedisNode): Buffer {
    const runId = runIdOf(node), suffix = kind === "eval" ? "" : "_RO";
    if (this.scripts.isLoaded(sha1, runId)) return encodeRequest([`EVALSHA${suffix}`, sha1, ...rest]);
    this.scripts.note(body, runId);
    return encodeRequest([`EVAL${suffix}`, body, ...rest]);
  }
}
