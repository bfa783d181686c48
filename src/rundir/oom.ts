/** Whether the system has killed processes for lack of memory: what the control groups of this process count. */
import { readGroups } from "../machine/control-groups.ts";
import { SystemFiles } from "../machine/system-files.ts";

export interface OomCount {
  readonly folder: string;
  readonly kills: number;
}

/** What is told where memory was probably lacking, and what to do. @param threads that the process had */
export function lackOfMemory(
  { folder, kills }: OomCount,
  threads: number | undefined,
): [why: string, todo: string] {
  return [
    `probably for lack of memory (oom_kill of ${folder} is ${kills} now)`,
    `ask for more (sbatch --mem), or give fewer --n-procs (it had ${threads}), a smaller --i-batch or --memory-fraction`,
  ];
}

/** By control group, the outermost first: `oom_kill` of memory.events (version 2) or memory.oom_control (version 1). */
export function oomCounts(files = new SystemFiles()): OomCount[] {
  return readGroups(files)("memory").flatMap(({ folder }) => countOf(files, folder) ?? []);
}

function countOf(files: SystemFiles, folder: string): OomCount | undefined {
  for (const name of ["memory.events", "memory.oom_control"]) {
    const kills = /^oom_kill (\d{1,15})$/m.exec(files.text(`${folder}/${name}`) ?? "")?.[1];
    if (kills !== undefined) return { folder, kills: Number(kills) };
  }
  return undefined;
}

/** Where control groups are; what else a file names is not looked at. */
const CONTROL_GROUPS = /^\/sys\/fs\/cgroup\/(?!.*\.\.)/;

/** Of groups that were counted on this host since it was started: those in which more were killed since. */
export function moreKills(before: readonly OomCount[], files = new SystemFiles()): OomCount[] {
  return before.flatMap(({ folder, kills }) => {
    const now = CONTROL_GROUPS.test(`${folder}/`) ? countOf(files, folder) : undefined;
    return now !== undefined && now.kills > kills ? [now] : [];
  });
}
