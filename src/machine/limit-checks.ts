/** What the system lets a process have: open files, threads, memory of several kinds, time. */
import { statfsSync } from "node:fs";
import type { Check } from "./checklist.ts";
import { readGroups } from "./control-groups.ts";
import type { SystemFiles } from "./system-files.ts";

/** Files that a thread keeps open: two blocks of a bank, of two files each, and a spare; and the program itself. */
const FILES_A_THREAD = 5;
const FILES = 64;
/** Threads of the runtime beside the workers. */
const THREADS = 32;
/** What containers have unless told; Python's multiprocessing and some MPI libraries need more. */
const SMALL_SHM = 64 * 2 ** 20;

export function limitChecks(files: SystemFiles, threads: number): Check[] {
  const text = files.text("/proc/self/limits");
  if (text === undefined) return [{ name: "limits", level: "skip", found: "not said" }];
  const soft = (name: string) => limitOf(text, name, 0);
  const hard = (name: string) => limitOf(text, name, 1);
  const needFiles = FILES + FILES_A_THREAD * threads;
  return [
    // The runtime raises the soft limit to the hard one.
    atLeast("open files (nofile)", hard("Max open files"), needFiles, "ulimit -Hn"),
    atLeast("threads (nproc)", soft("Max processes"), threads + THREADS, "ulimit -u"),
    ...groupThreads(files, threads),
    unlimited(
      "address space",
      soft("Max address space"),
      "ulimit -v unlimited: the runtime reserves far more than it uses",
    ),
    unlimited("processor time", soft("Max cpu time"), "ulimit -t unlimited: the run would be killed"),
    unlimited("file size", soft("Max file size"), "ulimit -f unlimited: files of rows are large"),
    {
      name: "locked memory (memlock)",
      level: "pass",
      found: `${shown(soft("Max locked memory"))}; not used`,
    },
    ...(files.isLive ? [sharedMemory()] : []),
  ];
}

/** Infinity for "unlimited", NaN where it does not stand there. @param column 0: soft, 1: hard */
function limitOf(text: string, name: string, column: 0 | 1): number {
  const line = text.split("\n").find((one) => one.startsWith(`${name} `));
  const word = line?.slice(name.length).trim().split(/\s+/)[column];
  if (word === "unlimited") return Infinity;
  return word !== undefined && /^\d{1,20}$/.test(word) ? Number(word) : Number.NaN;
}

const shown = (limit: number) =>
  limit === Infinity ? "unlimited" : Number.isNaN(limit) ? "not said" : limit.toLocaleString("en-US");

function atLeast(name: string, limit: number, need: number, command: string): Check {
  const found = `${shown(limit)}, a run needs ${need}`;
  if (Number.isNaN(limit)) return { name, level: "skip", found: "not said" };
  if (limit >= need) return { name, level: "pass", found };
  const todo = `use fewer --n-procs, or have the limit raised (${command})`;
  return { name, level: "fail", found, todo, exit: "tryAgain" };
}

function unlimited(name: string, limit: number, todo: string): Check {
  if (Number.isNaN(limit)) return { name, level: "skip", found: "not said" };
  if (limit === Infinity) return { name, level: "pass", found: "unlimited" };
  return { name, level: "warn", found: shown(limit), todo };
}

function groupThreads(files: SystemFiles, threads: number): Check[] {
  const name = "threads of the control group";
  return readGroups(files)("memory").flatMap(({ name: group, folder }): Check[] => {
    const most = files.count(`${folder}/pids.max`);
    if (most === undefined) return [];
    const left = most - (files.count(`${folder}/pids.current`) ?? 0);
    const found = `${left} of ${most} left in ${group}`;
    if (left >= threads + THREADS) return [{ name, level: "pass", found }];
    const todo = "use fewer --n-procs, or have pids.max raised";
    return [{ name, level: "fail", found, todo, exit: "tryAgain" }];
  });
}

function sharedMemory(): Check {
  const name = "shared memory (/dev/shm)";
  try {
    const { blocks, bavail, bsize } = statfsSync("/dev/shm");
    const found = `${((bavail * bsize) / 1e9).toPrecision(3)} of ${((blocks * bsize) / 1e9).toPrecision(3)} GB free; not used by this program`;
    if (bavail * bsize > SMALL_SHM) return { name, level: "pass", found };
    return { name, level: "warn", found, todo: "Python tools beside it may need more (docker: --shm-size)" };
  } catch {
    return { name, level: "warn", found: "missing", todo: "Python tools beside this program may need it" };
  }
}
