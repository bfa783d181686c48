/** The commands, and the only place that prints errors and exits. */
import { defineCommand, runCommand } from "citty";
import { nearestName } from "./cli.ts";
import { printError, printOut } from "./commands/print.ts";
import { DotpeError, EXIT_CODES } from "./errors.ts";
import { printable } from "./report/format.ts";

const COMMANDS = {
  demo: {
    about: "a real event from nothing to the answer, in seconds",
    load: () => import("./commands/demo.ts"),
  },
  run: {
    about: "posterior and evidence of an event from one or several banks",
    load: () => import("./commands/run.ts"),
  },
  status: {
    about: "what a run is, who works on it, and how far it is",
    load: () => import("./commands/status.ts"),
  },
  verify: {
    about: "reads every file of a run again: are they good?",
    load: () => import("./commands/verify.ts"),
  },
  bank: {
    about: "makes, describes, checks and packs banks of waveforms",
    load: () => import("./commands/bank.ts"),
  },
  tune: {
    about: "measures what is fastest on this machine, once, for all runs",
    load: () => import("./commands/tune.ts"),
  },
  bench: {
    about: "how fast the program is on this machine",
    load: () => import("./commands/bench.ts"),
  },
  machine: {
    about: "what this machine has, and what of it the program may use",
    load: () => import("./commands/machine.ts"),
  },
  version: {
    about: "the version of this program",
    load: () => import("./commands/version.ts"),
  },
};

const CONTENTS = `dotpe-hpc: gravitational-wave parameter estimation from banks of waveforms (DOT-PE)

Usage: dotpe-hpc COMMAND [options]

Commands:
${Object.entries(COMMANDS)
  .map(([name, { about }]) => `  ${name.padEnd(9)}${about}`)
  .join("\n")}

dotpe-hpc COMMAND --help describes a command.
`;

const root = defineCommand({
  meta: { name: "dotpe-hpc", description: "DOT-PE in one binary" },
  subCommands: Object.fromEntries(
    Object.entries(COMMANDS).map(([name, { load }]) => [name, async () => (await load()).default]),
  ),
});

async function main(argv: string[]): Promise<void> {
  const [first] = argv;
  if (first === undefined || first === "--help" || first === "-h") {
    await printOut(CONTENTS);
    if (first === undefined) process.exitCode = EXIT_CODES.usage;
    return;
  }
  if (first === "--version") return runCommand(root, { rawArgs: ["version"] }).then(() => {});
  if (first === "--show") return runCommand(root, { rawArgs: ["machine", ...argv.slice(1)] }).then(() => {});
  if (!Object.hasOwn(COMMANDS, first)) throw unknownCommand(first);
  await runCommand(root, { rawArgs: argv });
}

function unknownCommand(word: string): DotpeError {
  const near = nearestName(word, Object.keys(COMMANDS));
  const hint = near ? `Did you mean ${near}?` : "dotpe-hpc --help lists the commands.";
  return new DotpeError("usage", `unknown command ${word}`, hint);
}

/** What files hold may stand in a message: no escape sequence reaches the terminal, and no flood. */
function shown(message: string): string {
  const lines = message.split("\n").slice(0, MOST_LINES);
  return lines.map((line) => printable(withoutMiddle(line))).join("\n");
}

function withoutMiddle(line: string): string {
  return line.length > MOST_SHOWN
    ? `${line.slice(0, MOST_SHOWN / 2)} ... ${line.slice(-MOST_SHOWN / 2)}`
    : line;
}

const MOST_LINES = 40;
/** The longest path, and what is said of it. */
const MOST_SHOWN = 5000;
let failing = false;

/** Prints an error (as JSON on standard output too, with --json) and exits with its code. */
async function fail(error: unknown): Promise<never> {
  const known = error instanceof DotpeError;
  const exit = known ? error.exit : "internal";
  const code = EXIT_CODES[exit];
  // An error while printing an error: nothing is left to say it with.
  if (failing) process.exit(code);
  failing = true;
  const message = shown(error instanceof Error ? error.message : String(error));
  const hint = known ? error.hint : "This is a defect: please report it with the output of DOTPE_DEBUG=1.";
  const isTerminal = process.stderr.isTTY === true && !process.env.NO_COLOR;
  const { colors } = await import("consola/utils");
  const label = isTerminal ? colors.bold(colors.red("error:")) : "error:";
  const stack = process.env.DOTPE_DEBUG === "1" && error instanceof Error ? `${error.stack}\n` : "";
  await printError(`${label} ${message}\n  hint: ${hint}\n${stack}`);
  if (argv.includes("--json")) {
    await printOut(JSON.stringify({ error: { exit, code, message, hint } }) + "\n").catch(() => {});
  }
  process.exit(code);
}

const argv = process.argv.slice(2);
process.on("uncaughtException", fail);
process.on("unhandledRejection", fail);
await main(argv).then(() => process.exit(), fail);
