// pure
import type { RunOwner } from "./run.ts";

const collectedBytesMax = 32 * 1024 * 1024;

/** An owner that gathers the replies of `count` requests, for requests of the ambassador's own. */
export function collector(count: number, onReplies: (replies: Buffer[]) => void, onLost: (reason: string, handed: boolean) => void): RunOwner {
  const replies: Buffer[] = [];
  let bytes = 0;
  return {
    // Watching makes the upstream hand over each reply whole.
    watching: true,
    takesError: () => false,
    replyBytes: () => false,
    replyFrame(_run, frame) {
      bytes += frame.length;
      replies.push(bytes > collectedBytesMax ? Buffer.from("-ERR podkit ambassador: the reply is too big to be collected\r\n") : frame);
      if (replies.length === count) onReplies(replies);
    },
    runsLost: (runs, reason) => onLost(reason, runs.some((run) => run.handed)),
  };
}
