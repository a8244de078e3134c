// How set-up tells what it does: on a terminal one line that is rewritten, with the elapsed time; elsewhere plain lines.

/** A step that cannot be done here. The message says what is missing and the remedy; the process ends with `exitCode`. */
export class SetupError extends Error {
  constructor(message, exitCode = 69) {
    super(message);
    this.exitCode = exitCode;
  }
}

const terminal = process.stderr.isTTY === true && process.env.CI === undefined && process.env.TERM !== "dumb";
let open;

/**
 * Runs `work(say)` under a title. `say(line)` reports progress. Prints the step's outcome (what `work` returns) and time.
 * @template T
 * @param {string} title
 * @param {(say: (line: string) => void) => Promise<string>} work
 */
export async function step(title, work) {
  const startedMs = performance.now();
  const seconds = () => `${((performance.now() - startedMs) / 1000).toFixed(1)} s`;
  let last = "…";
  const draw = () => {
    const width = process.stderr.columns || 80;
    process.stderr.write(`\r\x1b[2K${`${title}: ${last} (${seconds()})`.slice(0, width - 1)}`);
  };
  if (terminal) {
    draw();
    open = setInterval(draw, 200);
  }
  const say = (line) => {
    const text = line.trim();
    if (text === "") return;
    last = text;
    if (terminal) draw();
    else process.stderr.write(`${title}: ${text}\n`);
  };
  try {
    const outcome = await work(say);
    finish(`${title}: ${outcome} (${seconds()})`);
  } catch (error) {
    finish(`${title}: failed (${seconds()})`);
    throw error;
  }
}

function finish(line) {
  if (terminal) {
    clearInterval(open);
    process.stderr.write("\r\x1b[2K");
  }
  process.stderr.write(`${line}\n`);
}
