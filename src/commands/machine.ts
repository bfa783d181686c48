/** `dotpe-hpc machine`: what this machine has, and what of it the program may use. */
import { defineCommand } from "citty";
import { type FlagSpec, flagOf, type HelpPage, parseCommandLine, renderHelp, wantsHelp } from "../cli.ts";
import { DotpeError } from "../errors.ts";
import type { Allowed } from "../machine/allowed.ts";
import type { Topology } from "../machine/topology.ts";
import type { MachineReport, MeasuredRate } from "../report/machine-report.ts";
import { checkCaptured } from "./captured.ts";
import { printOut } from "./print.ts";

const GROUP = "Options";
const FLAGS: readonly FlagSpec[] = [
  flagOf(GROUP, "json", "", "everything, as JSON; with the text of the files read"),
  flagOf(
    GROUP,
    "sysfs",
    "DIR",
    "describe the machine whose /sys and /proc were copied to DIR/sys and DIR/proc",
  ),
  flagOf(GROUP, "show", "", "the same as no option"),
];

const HELP: HelpPage = {
  summary:
    "What this machine has, what of it the program may use, and how it knows. Measures for about a second.",
  usage: "dotpe-hpc machine [env|check|estimate] [options]",
  positionals: [
    ["env", "settings for other programs that run beside this one, to source in a shell"],
    ["check", "what to look at before a long run"],
    ["estimate", "memory and time that a run will take"],
  ],
  flags: FLAGS,
  examples: [
    ["dotpe-hpc machine", "on a new node"],
    ["dotpe-hpc machine --json > node.json", "to keep, or to send with a question"],
    [
      "dotpe-hpc machine --sysfs captured/",
      "a machine that is elsewhere: hwloc-gather-topology captures one",
    ],
  ],
  more: "dotpe-hpc machine env --help describes env, and so for the others.  docs/machine.md explains.",
};

/** Each has its own options. */
const MORE = {
  env: () => import("./machine-env.ts"),
  check: () => import("./machine-check.ts"),
  estimate: () => import("./machine-estimate.ts"),
};

export default defineCommand({
  meta: { name: "machine", description: HELP.summary },
  async run({ rawArgs }) {
    const [first, ...others] = rawArgs;
    if (first !== undefined && Object.hasOwn(MORE, first)) {
      return (await MORE[first as keyof typeof MORE]()).run(others);
    }
    if (wantsHelp(rawArgs)) return printOut(renderHelp(HELP));
    const { positionals, flags } = parseCommandLine(rawArgs, FLAGS);
    if (positionals.length > 0) throw notAPart(positionals[0]);
    const folder = flags.get("sysfs")?.value as string | undefined;
    if (folder !== undefined) checkCaptured(folder);
    const { report, raw } = await describeMachine(folder);
    if (flags.get("json")?.value === true)
      return printOut(JSON.stringify({ ...report, raw }, null, 1) + "\n");
    await printOut((await import("../report/machine-report.ts")).formatMachine(report));
  },
});

function notAPart(word: string): DotpeError {
  return new DotpeError(
    "usage",
    `machine: found ${word}, expected env, check, estimate or nothing, before all options`,
    "`dotpe-hpc machine --help` lists them.",
  );
}

/** @param captured a folder; nothing is measured then, and the environment says nothing of that machine. */
async function describeMachine(captured: string | undefined) {
  const [{ SystemFiles }, { readTopology }, { readAllowed }] = await Promise.all([
    ...[
      import("../machine/system-files.ts"),
      import("../machine/topology.ts"),
      import("../machine/allowed.ts"),
    ],
  ] as const);
  const [{ placeWorkers }, { readState }, native] = await Promise.all([
    ...[import("../machine/placement.ts"), import("../machine/state.ts"), import("../kernels/native.ts")],
  ] as const);
  const files = new SystemFiles(captured, { keep: true });
  const topology = readTopology(files, { everyCore: true });
  const allowed = readAllowed(files, topology, captured === undefined ? process.env : {});
  const cores = new Map(topology.cpus.toReversed().map(({ core, id }) => [core, id]));
  const state = readState(files, [...cores.values()].reverse());
  const kernels = [...native.variantsFor(topology.flags), "ref"];
  const measured = captured === undefined ? await measure(topology, allowed, state.availableBytes) : [];
  const workers = placeWorkers(topology, allowed, { smt: false, placement: "auto" }).reasons;
  const report: MachineReport = { captured, topology, allowed, workers, state, kernels, measured };
  return { report, raw: files.raw };
}

/** Bytes for the arrays of one thread; all threads together take some times the size of their caches. */
const LEAST_MEMORY = 1e9;
const CACHE_TIMES = 8;

/** One thread, then all together if there are several. Nothing where memory is too little, or no kernel is compiled. */
async function measure(topology: Topology, allowed: Allowed, available: number): Promise<MeasuredRate[]> {
  const shared = topology.caches.reduce(
    (sum, { level, bytes }) => sum + (level >= 3 && bytes ? bytes : 0),
    0,
  );
  if (!(Math.min(allowed.memoryBytes, available) > LEAST_MEMORY + CACHE_TIMES * shared)) return [];
  const [{ measureLimits }, { measureAllThreads }, { nativeVariants }] = await Promise.all([
    ...[import("../bench/limits.ts"), import("../machine/limits.ts"), import("../kernels/native.ts")],
  ] as const);
  const [best] = measureLimits(nativeVariants().slice(0, 1));
  if (best === undefined) return [];
  const all = await measureAllThreads({ topology, allowed });
  return [{ threads: 1, ...best }, ...(all !== undefined && all.threads > 1 ? [all] : [])].map(
    ({ threads, gflops, memoryGbps }) => ({ threads, gflops, memoryGbps }),
  );
}
