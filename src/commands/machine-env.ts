/** `dotpe-hpc machine env`: exports for the Python tools that run beside this program. */
import { type FlagSpec, flagOf, type HelpPage, parseCommandLine, renderHelp, wantsHelp } from "../cli.ts";
import { DotpeError } from "../errors.ts";
import { writeFileAtomic } from "../io/atomic-write.ts";
import { chooseUse, formatExports, formatFile, MODES } from "../machine/environment.ts";
import { findLibraries } from "../machine/libraries.ts";
import { openMachine } from "./captured.ts";
import { printOut } from "./print.ts";

const GROUP = "Options";
const FLAGS: readonly FlagSpec[] = [
  flagOf(
    GROUP,
    "mode",
    "auto|workstation|hpc|hpc_large",
    "workstation: some threads, a core left free; hpc: one process with every core; hpc_large: many processes of one thread, as dot_pe starts them; auto: by the cores, NUMA nodes and Slurm (auto)",
  ),
  flagOf(
    GROUP,
    "write",
    "FILE",
    "save a file to source instead, with settings of numba, JAX and MKL too, and the libraries found",
  ),
  flagOf(GROUP, "sysfs", "DIR", "read a captured tree with sys and proc instead of this machine"),
];

const HELP: HelpPage = {
  summary:
    "Prints how many threads numpy and other Python tools should start here, and where, as shell exports.",
  usage: 'eval "$(dotpe-hpc machine env [options])"',
  positionals: [],
  flags: FLAGS,
  examples: [
    ['eval "$(dotpe-hpc machine env)"', "for this shell: sh, bash or zsh"],
    ['eval "$(dotpe-hpc machine env --mode hpc_large)"', "before dot_pe or cogwheel with many processes"],
    ["dotpe-hpc machine env --write threads.sh", "a file for job scripts: `. ./threads.sh`"],
  ],
  more: "(in brackets: the default)  Only CPUs that this process may use are counted, one thread a physical core.",
};

export async function run(args: string[]): Promise<void> {
  if (wantsHelp(args)) return printOut(renderHelp(HELP));
  const { positionals, flags } = parseCommandLine(args, FLAGS);
  if (positionals.length > 0)
    throw new DotpeError("usage", `found ${positionals[0]}, expected options alone`, "Leave it out.");
  const text = (name: string) => flags.get(name)?.value as string | undefined;
  const asked = text("mode") ?? "auto";
  const mode = (["auto", ...MODES] as const).find((one) => one === asked.replaceAll("-", "_"));
  if (mode === undefined) {
    const message = `--mode: found ${asked}, expected auto, ${MODES.join(", ")}`;
    throw new DotpeError("usage", message, "Leave --mode out to have it chosen.");
  }
  const { files, environment, machine } = openMachine(text("sysfs"));
  const { topology, allowed } = machine;
  const use = chooseUse(topology, allowed, mode, environment);
  const path = text("write");
  if (path === undefined) return printOut(formatExports(use));
  writeFileAtomic(path, formatFile(use, findLibraries(files, environment, topology.architecture)));
  await printOut(`# ${JSON.stringify(path)} is written: source it\n`);
}
