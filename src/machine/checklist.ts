/** What to look at before a long run: what was found, whether it will do, and what to do if not. */
import type { BusyProcess } from "./busy-processes.ts";
import { readGroups } from "./control-groups.ts";
import { type FolderToCheck, folderChecks } from "./folder-checks.ts";
import { limitChecks } from "./limit-checks.ts";
import type { Machine } from "./machine.ts";
import { readMemoryLeft } from "./memory-left.ts";
import { memoryField } from "./numa.ts";
import { readState } from "./state.ts";
import type { SystemFiles } from "./system-files.ts";

export interface Check {
  readonly name: string;
  /** skip: it cannot be told here, which is no fault. */
  readonly level: "pass" | "warn" | "fail" | "skip";
  readonly found: string;
  /** Of warn and fail. */
  readonly todo?: string;
  /** Of fail: what the program would end with. */
  readonly exit?: "tryAgain" | "cannotCreate";
}

export interface Needs {
  /** Bytes at the peak of a run. */
  readonly memoryBytes: number;
  readonly threads: number;
}

export interface Looked {
  readonly files: SystemFiles;
  readonly machine: Machine;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly needs: Needs;
  readonly folders: readonly FolderToCheck[];
  /** The variant that runs, and those that this processor should run, best first; undefined: not looked at. */
  readonly kernels?: { readonly used: string; readonly best: string };
  /** undefined: not looked at, as of a captured machine. */
  readonly busy?: readonly BusyProcess[];
  /** Wall clock less monotonic clock over the time that was looked at (s). */
  readonly clockDrift?: number;
  /** ms since 1970. */
  readonly now: number;
}

/** All checks, in the order in which they are printed. */
export function checkMachine(looked: Looked): Check[] {
  return [
    ...memoryChecks(looked),
    ...processorChecks(looked),
    ...folderChecks(looked.folders),
    ...limitChecks(looked.files, looked.needs.threads),
    ...clockChecks(looked),
    ...slurmChecks(looked),
  ];
}

const gigabytes = (bytes: number) => `${(bytes / 1e9).toPrecision(3)} GB`;
/** So much more memory than is needed leaves room for what the forecast gets wrong. */
const ROOM = 1.3;
/** A share of swap in use that is more than what was moved there long ago. */
const MUCH_SWAP = 0.25;

function memoryChecks({ files, machine, needs }: Looked): Check[] {
  const { bytes, source } = readMemoryLeft(files, machine.allowed);
  const need = `a run needs ${gigabytes(needs.memoryBytes)}`;
  const memory: Check = Number.isNaN(bytes)
    ? { name: "memory", level: "skip", found: "not said" }
    : graded("memory", `${gigabytes(bytes)} (${source}), ${need}`, bytes, needs.memoryBytes, {
        todo: "use fewer --n-procs, end other programs, or ask for more memory (Slurm: --mem)",
        exit: "tryAgain",
      });
  return [memory, swapCheck(files), hugePageCheck(files)];
}

function graded(
  name: string,
  found: string,
  has: number,
  needs: number,
  { todo, exit }: Required<Pick<Check, "todo" | "exit">>,
): Check {
  if (has < needs) return { name, level: "fail", found, todo, exit };
  return has < ROOM * needs ? { name, level: "warn", found, todo } : { name, level: "pass", found };
}

function swapCheck(files: SystemFiles): Check {
  const meminfo = files.text("/proc/meminfo") ?? "";
  const [total, free] = [memoryField(meminfo, "SwapTotal"), memoryField(meminfo, "SwapFree")];
  if (!(total >= 0 && free >= 0)) return { name: "swap", level: "skip", found: "not said" };
  if (total === 0) return { name: "swap", level: "pass", found: "none" };
  const found = `${gigabytes(total - free)} of ${gigabytes(total)} used`;
  if (total - free <= MUCH_SWAP * total) return { name: "swap", level: "pass", found };
  const todo = "the machine has been short of memory: see who uses it (top, by memory)";
  return { name: "swap", level: "warn", found, todo };
}

function hugePageCheck(files: SystemFiles): Check {
  const found = /\[(\w+)\]/.exec(files.text("/sys/kernel/mm/transparent_hugepage/enabled") ?? "")?.[1];
  const name = "transparent huge pages";
  return found === undefined ? { name, level: "skip", found: "not said" } : { name, level: "pass", found };
}

/** Cores' worth of work beyond what is free that is noticed. */
const CROWDED = 0.5;
/** Of the periods of a quota, throttled. */
const MUCH_THROTTLED = 0.05;

function processorChecks({ files, machine, kernels, busy, needs }: Looked): Check[] {
  const { topology, allowed } = machine;
  const state = readState(files, allowed.cpus);
  const online = topology.cpus.length;
  const checks: Check[] = [];
  if (state.load.length > 0) {
    const found = `${state.load[0]} running on ${online} CPUs, ${allowed.cpus.length} of them allowed`;
    const isCrowded = state.load[0] + needs.threads > online + CROWDED;
    const todo = "other programs run: threads will wait for each other; use fewer --n-procs, or another node";
    checks.push({ name: "load", level: isCrowded ? "warn" : "pass", found, ...(isCrowded && { todo }) });
  } else checks.push({ name: "load", level: "skip", found: "not said" });
  if (busy !== undefined) checks.push(busyCheck(busy));
  checks.push(governorCheck(state.clock.governors), throttleCheck(files));
  if (kernels !== undefined) checks.push(kernelCheck(kernels));
  return checks;
}

function busyCheck(busy: readonly BusyProcess[]): Check {
  const name = "other programs";
  const cores = busy.reduce((sum, one) => sum + one.cores, 0);
  if (busy.length === 0) return { name, level: "pass", found: "none is busy" };
  const some = busy
    .slice(0, 3)
    .map((one) => `${one.command} (${one.pid}, user ${one.user}): ${one.cores.toFixed(1)} cores`);
  const found = `${some.join("; ")}${busy.length > 3 ? `; ${busy.length - 3} more` : ""}`;
  if (cores < CROWDED) return { name, level: "pass", found };
  return { name, level: "warn", found, todo: "wait for them, or ask who runs them" };
}

function governorCheck(governors: Readonly<Record<string, number>>): Check {
  const name = "clock governor";
  const names = Object.keys(governors);
  if (names.length === 0)
    return { name, level: "skip", found: "not said, as in virtual machines and containers" };
  const found = names.map((one) => `${one} on ${governors[one]} CPUs`).join(", ");
  if (names.every((one) => one === "performance")) return { name, level: "pass", found };
  const todo =
    "cores may take time to clock up: `cpupower frequency-set -g performance`, by who runs the machine";
  return { name, level: "warn", found, todo };
}

/** Of this group and those above it, the one that was throttled most. */
function throttleCheck(files: SystemFiles): Check {
  const name = "quota";
  const groups = readGroups(files)("cpu").flatMap(({ name: group, folder }) => {
    const stat = files.text(`${folder}/cpu.stat`) ?? "";
    const field = (key: string) => Number(new RegExp(`^${key} (\\d{1,15})$`, "m").exec(stat)?.[1] ?? 0);
    const periods = field("nr_periods");
    return periods > 0 ? [{ group, share: field("nr_throttled") / periods }] : [];
  });
  if (groups.length === 0) return { name, level: "pass", found: "none" };
  const { group, share } = groups.reduce((most, one) => (one.share > most.share ? one : most));
  const found = `${(100 * share).toFixed(1)}% of the periods throttled in ${group}`;
  if (share < MUCH_THROTTLED) return { name, level: "pass", found };
  const todo =
    "more threads run than the quota grants: use fewer --n-procs here and in the programs beside it";
  return { name, level: "warn", found, todo };
}

function kernelCheck({ used, best }: { readonly used: string; readonly best: string }): Check {
  const name = "kernels";
  if (used !== best) {
    const todo =
      "the best cannot be opened: set TMPDIR to a folder that can be written and is not mounted noexec";
    return { name, level: "warn", found: `${used}; this processor runs ${best}`, todo };
  }
  if (used === "x86-64-v2" || used === "ref") {
    const todo = "this processor, or its virtual machine, shows no AVX2: runs take several times longer";
    return { name, level: "warn", found: used, todo };
  }
  return { name, level: "pass", found: used };
}

/** Dates that the clock of a machine in use can have. */
const [FIRST, LAST] = [Date.UTC(2025), Date.UTC(2100)];
/** The wall clock was set while it was looked at (s). */
const STEP = 0.02;

function clockChecks({ now, clockDrift }: Looked): Check[] {
  const name = "clock";
  const date = new Date(now).toISOString().slice(0, 19).replace("T", " ");
  const todo = "have the clock set (chrony, ntpd): results and logs carry its time";
  if (now < FIRST || now > LAST) return [{ name, level: "warn", found: `${date} UTC`, todo }];
  if (Math.abs(clockDrift ?? 0) > STEP) {
    const found = `${date} UTC, changed by ${(clockDrift ?? 0).toFixed(3)} s meanwhile`;
    return [{ name, level: "warn", found, todo: "the clock is being set: wait until it is steady" }];
  }
  return [{ name, level: "pass", found: `${date} UTC` }];
}

/** A run that does not end before its job is lost (s). */
const SOON = 600;

function slurmChecks({ environment, machine, now }: Looked): Check[] {
  if (!environment.SLURM_JOB_ID) return [];
  const checks: Check[] = machine.allowed.limits
    .filter(({ source, memoryBytes }) => source.startsWith("SLURM_MEM") && memoryBytes !== undefined)
    .map(({ memoryBytes, source }) => ({
      ...{ name: "Slurm's memory", level: "pass" },
      found: `${gigabytes(memoryBytes!)} by ${source}`,
    }));
  const end = Number(environment.SLURM_JOB_END_TIME);
  if (!(end > 0)) return checks;
  const left = end - now / 1000;
  const found = `the job ends in ${Math.round(left / 60)} minutes`;
  const level = left < SOON ? "warn" : "pass";
  const todo = "compare with `dotpe-hpc machine estimate`; ask for more with --time";
  return [...checks, { name: "Slurm's time", level, found, ...(level === "warn" && { todo }) }];
}
