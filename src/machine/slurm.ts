/**
 * What Slurm granted to this process, by its environment. A process may use no more than its task was given, even where Slurm
 * does not enforce it: the least of
 * * SLURM_CPUS_PER_TASK: --cpus-per-task, of sbatch and of srun;
 * * SLURM_CPUS_ON_NODE, else SLURM_JOB_CPUS_PER_NODE at SLURM_NODEID: what the job or step has on this node, divided by the
 *   tasks of a step on it (SLURM_STEP_TASKS_PER_NODE);
 * and of memory SLURM_MEM_PER_NODE divided by those tasks, and SLURM_MEM_PER_CPU for each of the CPUs above.
 */
import type { Limit } from "./allowed.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

const MB = 2 ** 20;

/** Of each variable that is set. What cannot be understood limits nothing, and says so. */
export function slurmLimits(environment: Environment): Limit[] {
  const limits: Limit[] = [];
  const tasks = Math.max(1, countHere(environment, "SLURM_STEP_TASKS_PER_NODE") ?? 1);
  const share = tasks > 1 ? `, shared by ${tasks} tasks` : "";
  const add = (source: string, note: string, grant: (value: number) => Partial<Limit>) => {
    const text = environment[source]?.trim().slice(0, 40);
    if (!text) return;
    const value = countHere(environment, source);
    if (value === undefined) limits.push({ source, found: `${text}: not understood` });
    else limits.push({ source, found: text + note, ...(value > 0 ? grant(value) : {}) });
  };
  const onNode = environment.SLURM_CPUS_ON_NODE ? "SLURM_CPUS_ON_NODE" : "SLURM_JOB_CPUS_PER_NODE";
  add("SLURM_CPUS_PER_TASK", "", (cores) => ({ cores }));
  add(onNode, share, (value) => ({ cores: Math.max(1, Math.floor(value / tasks)) }));
  const cores = Math.min(...limits.map((limit) => limit.cores ?? Infinity));
  add("SLURM_MEM_PER_NODE", ` MB${share}`, (value) => ({ memoryBytes: Math.floor((value * MB) / tasks) }));
  add("SLURM_MEM_PER_CPU", " MB", (value) => (cores < Infinity ? { memoryBytes: value * MB * cores } : {}));
  return limits;
}

const MOST_NODES = 2 ** 16;

/** A number, or of a list "72(x2),36" this node's, else the least. undefined if it is not set or something else. */
function countHere(environment: Environment, name: string): number | undefined {
  const counts: number[] = [];
  for (const part of environment[name]?.trim().split(",") ?? []) {
    const match = /^(\d{1,12})(?:\(x(\d{1,5})\))?$/.exec(part);
    const n = Number(match?.[2] ?? 1);
    if (!match || n < 1 || counts.length + n > MOST_NODES) return undefined;
    for (let k = 0; k < n; k++) counts.push(Number(match[1]));
  }
  if (counts.length === 0) return undefined;
  return counts[Number(environment.SLURM_NODEID)] ?? Math.min(...counts);
}
