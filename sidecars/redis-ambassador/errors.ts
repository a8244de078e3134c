// pure
// The errors that the ambassador itself answers. Each says what did not happen, or that it is not known, and begins with
// ERR, because clients retry other words by themselves, and none of these may be repeated blindly.

const error = (text: string): Buffer => Buffer.from(`-ERR podkit ambassador: ${text.replaceAll(/[\r\n]+/g, " ")}\r\n`, "latin1");

export const ambassadorErrors = {
  uncertain: (reason: string) => error(`the command was sent, but its reply was lost (${reason}); it may or may not have been executed`),
  noPrimary: (heldMs: number) => error(`no primary is known for ${heldMs} ms; the command was not executed`),
  noReplica: (heldMs: number) => error(`no replica may be read for ${heldMs} ms, and reads.policy forbids the primary; the command was not executed`),
  holdFull: () => error("no primary is known and too many commands are waiting (limits.heldBytes); the command was not executed"),
  noConnection: (reason: string) => error(`${reason}; the command was not executed`),
  transactionLost: (reason: string) => error(`${reason}; this connection's transaction or subscription is lost with it`),
  refused: (name: string) => error(`${name.toUpperCase()} is not carried; attach a replica to the Redis server itself`),
  tooManyAttempts: (reason: string) => error(`the command was refused or lost again and again (${reason}); it was not executed`),
  notInCluster: (name: string) => error(`${name.replace("|", " ").toUpperCase()} is not possible over the shards of a cluster`),
  joinedTooBig: () => error("the shards' answers together are longer than limits.allClientsOutputBytes; ask for less at a time"),
  requestTooBig: (bytes: number) => error(`a request of this kind may not be longer than ${bytes} bytes`),
} as const;
