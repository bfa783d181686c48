/** `dotpe-hpc machine check [EVENT BANK...]`: what to look at before a long run. */
import { tmpdir } from "node:os";
import { dirname, resolve } from "node:path";
import { type FlagSpec, flagOf, type HelpPage, parseCommandLine, renderHelp, wantsHelp } from "../cli.ts";
import { DotpeError, EXIT_CODES } from "../errors.ts";
import type { Sizes } from "../forecast/memory.ts";
import type { Needs } from "../machine/checklist.ts";
import type { FolderToCheck } from "../machine/folder-checks.ts";
import type { Machine } from "../machine/machine.ts";
import type { SystemFiles } from "../machine/system-files.ts";
import { RUN_FLAGS } from "../option-table.ts";
import type { Options } from "../options.ts";
import { openMachine } from "./captured.ts";
import { printOut } from "./print.ts";

const GROUP = "Options";
const OWN_FLAGS: readonly FlagSpec[] = [
  flagOf(
    GROUP,
    "dir",
    "DIR",
    "the folder that run directories go into (that of --rundir or --event-dir, else the current one)",
  ),
  flagOf(
    GROUP,
    "sysfs",
    "DIR",
    "check the machine whose /sys and /proc were copied to DIR/sys and DIR/proc; folders are this machine's",
  ),
  flagOf(GROUP, "json", "", "every check, as JSON"),
];
const FLAGS = [...OWN_FLAGS, ...RUN_FLAGS.filter(({ name }) => name !== "json")];

const HELP: HelpPage = {
  summary: "Checks what decides whether a long run will end well: memory, load, folders, limits, clock.",
  usage: "dotpe-hpc machine check [EVENT BANK...] [options, those of run too]",
  positionals: [
    ["EVENT", "event file (.npz): with it and a bank the memory that this run needs is compared"],
    ["BANK", "bank folder, as for run"],
  ],
  flags: OWN_FLAGS,
  examples: [
    ["dotpe-hpc machine check", "in general"],
    ["dotpe-hpc machine check GW170814.npz banks/a --n-ext 4096 && dotpe-hpc run ...", "in a job script"],
  ],
  more: "Ends with 0 if nothing fails, warnings or not; else with 73 (a folder) or 75 (memory, limits): docs/exit-codes.md.",
};

/** How long other programs are watched (s). */
const WATCHED = 0.3;

export async function run(args: string[]): Promise<void> {
  if (wantsHelp(args)) return printOut(renderHelp(HELP));
  const { positionals, flags } = parseCommandLine(args, FLAGS);
  const options = await runOptions(args, positionals);
  const text = (name: string) => flags.get(name)?.value as string | undefined;
  const [{ checkMachine }, { formatChecklist }] = await Promise.all([
    ...[import("../machine/checklist.ts"), import("../report/checklist.ts")],
  ] as const);
  const { files, environment, machine } = openMachine(text("sysfs"));
  const checks = checkMachine({
    ...{ files, machine, environment },
    needs: await needsOf(options, machine),
    folders: await foldersOf(options, text("dir")),
    ...(await kernelsOf(files)),
    ...(await watch(files)),
    now: Date.now(),
  });
  await printOut(
    flags.get("json")?.value === true ? JSON.stringify({ checks }, null, 1) + "\n" : formatChecklist(checks),
  );
  const failed = checks.find(({ exit }) => exit !== undefined)?.exit;
  if (failed !== undefined) process.exitCode = EXIT_CODES[failed];
}

/** Those of the run that is asked about; undefined without an event. */
async function runOptions(
  args: readonly string[],
  positionals: readonly string[],
): Promise<Options | undefined> {
  if (positionals.length === 1)
    throw new DotpeError("usage", "no bank folder given", "Give EVENT and BANK, or neither.");
  if (positionals.length === 0 && !args.some((word) => word.startsWith("--config"))) return undefined;
  const { parseRunOptions } = await import("../options.ts");
  return parseRunOptions(withoutOwn(args));
}

function withoutOwn(args: readonly string[]): string[] {
  const isOwn = (word: string) => /^--(dir|sysfs)(=|$)/.test(word);
  return args.filter((word, k) => !isOwn(word) && !/^--(dir|sysfs)$/.test(args[k - 1] ?? ""));
}

/** Without a run to ask about: one on a bank of 100,000 samples with the defaults. */
const USUAL: Sizes = {
  ...{ n_i: 100_000, n_candidates: 100_000, n_d: 3, n_m: 4, n_b: 400, n_bankBins: 400 },
  ...{ n_e: 1024, n_phi: 50, n_t: 128, sizeLimit: 1e7, drawsExtrinsic: true },
};
const USUAL_DROPS = { maxIncoherentLnlikeDrop: 20, maxBestfitLnlikeDiff: 20, loadInds: false };

async function needsOf(options: Options | undefined, machine: Machine): Promise<Needs> {
  const [{ assumedShares, forecastMemory, sizesOf, totalMB }, { BUILT_IN, workSettings }, { placeWorkers }] =
    await Promise.all([
      import("../forecast/memory.ts"),
      import("../stages/settings.ts"),
      import("../machine/placement.ts"),
    ]);
  if (options === undefined) {
    const { seats } = placeWorkers(machine.topology, machine.allowed, { smt: false, placement: "auto" });
    const work = { n_procs: seats.length, batchItems: BUILT_IN.iBatch, eTile: BUILT_IN.eTile };
    const parts = forecastMemory(USUAL, work, assumedShares(USUAL_DROPS));
    return { memoryBytes: 1e6 * totalMB(parts), threads: seats.length };
  }
  const { countCandidates, readInputs } = await import("../stages/setup.ts");
  const inputs = readInputs(options);
  const work = workSettings(options, countCandidates(inputs), undefined, machine);
  const parts = forecastMemory(sizesOf(inputs, options), work, assumedShares(options));
  return { memoryBytes: 1e6 * totalMB(parts), threads: work.n_procs };
}

/** Bytes of a row in both files, and of everything else that is written. */
const ROW_BYTES = 105;
const OTHER_BYTES = 50e6;

async function foldersOf(options: Options | undefined, dir: string | undefined): Promise<FolderToCheck[]> {
  const { cachePlaces } = await import("../tune/cache.ts");
  const rundir = options?.rundir === undefined ? undefined : dirname(resolve(options.rundir));
  const path = resolve(dir ?? rundir ?? options?.eventDir ?? ".");
  const needBytes = (options?.sizeLimit ?? USUAL.sizeLimit) * ROW_BYTES + OTHER_BYTES;
  const { user } = cachePlaces();
  return [
    { name: "run folder", path, needBytes, isNeeded: true },
    { name: "scratch folder", path: tmpdir(), needBytes: OTHER_BYTES, isNeeded: false },
    ...(user === undefined
      ? []
      : [{ name: "cache folder", path: user, needBytes: OTHER_BYTES / 10, isNeeded: false }]),
  ];
}

/** Other programs, and the clock meanwhile. */
async function watch(files: SystemFiles) {
  if (!files.isLive) return {};
  const { findBusyProcesses } = await import("../machine/busy-processes.ts");
  const offset = () => Date.now() - performance.now();
  const before = offset();
  const busy = await findBusyProcesses(WATCHED);
  return { busy, clockDrift: (offset() - before) / 1000 };
}

/** Which variant runs here, and which should. */
async function kernelsOf(files: SystemFiles) {
  if (!files.isLive) return {};
  const { nativeVariants } = await import("../kernels/native.ts");
  const variants = nativeVariants();
  const used = variants.find((one) => {
    try {
      one.load();
      return true;
    } catch {
      return false;
    }
  });
  return { kernels: { used: used?.name ?? "ref", best: variants[0]?.name ?? "ref" } };
}
