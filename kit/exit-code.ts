// pure
/** Exit codes every podkit process keeps to; the numbers are those of BSD sysexits.h, so that they mean the same to other tools. */
export const exitCode = {
  ok: 0,
  /** The command line is wrong (EX_USAGE). */
  usage: 64,
  /** Something needed does not answer: Docker, the control plane (EX_UNAVAILABLE). */
  unavailable: 69,
  /** A defect of podkit (EX_SOFTWARE). */
  bug: 70,
  /** Ended with work left undone; starting again may succeed (EX_TEMPFAIL). */
  retry: 75,
  /** The configuration or the environment it names is wrong (EX_CONFIG). */
  config: 78,
} as const;
