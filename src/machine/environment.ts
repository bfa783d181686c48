/**
 * Settings for the Python tools that run beside this program (cogwheel, dot_pe, numpy, numba, JAX): how many threads their
 * libraries start, and where OpenMP puts them. Written for sh, bash and zsh.
 */
import type { Allowed } from "./allowed.ts";
import type { FoundLibrary } from "./libraries.ts";
import type { Topology } from "./topology.ts";

export const MODES = ["workstation", "hpc", "hpc_large"] as const;
export type Mode = (typeof MODES)[number];

export interface Use {
  readonly mode: Mode;
  /** Threads of one process's BLAS, OpenMP, numexpr and numba. */
  readonly threads: number;
  /** Whether OpenMP binds them to `places`. */
  readonly isBound: boolean;
  /** One CPU of each physical core that may be used: cores that share a cache stand together, fast ones first. */
  readonly places: readonly number[];
  /** What was decided and why, a line each. */
  readonly reasons: readonly string[];
}

/** More threads than this make the small matrices of these tools no faster. */
const MOST_ON_WORKSTATION = 8;
/** From so many cores on, many processes of one thread are the better use. */
const MANY_CORES = 32;

/**
 * workstation: all cores but one, at most `MOST_ON_WORKSTATION`, not bound. hpc: one process with every core, bound to them
 * unless a quota grants fewer, since then it is not said which. hpc_large: one thread a process, since dot_pe starts a process
 * a core; not bound, since every process would go to the first place of the list.
 */
export function chooseUse(
  topology: Topology,
  allowed: Allowed,
  mode: Mode | "auto",
  environment: Readonly<Record<string, string | undefined>>,
): Use {
  const places = onePerCore(topology, allowed);
  const cores = Math.max(1, Math.min(places.length, Math.floor(allowed.quota)));
  const auto = mode === "auto" ? chooseMode(topology, places, cores, environment) : undefined;
  const chosen = auto?.mode ?? (mode as Mode);
  const isGranted = cores === places.length;
  const few = isGranted ? "" : `, a quota of ${Number(allowed.quota.toFixed(2))}`;
  const { threads, isBound, reason } = ruleOf(chosen, cores, isGranted);
  return {
    ...{ mode: chosen, threads, isBound, places },
    reasons: [
      `mode ${chosen}${auto === undefined ? "" : `, chosen because ${auto.because}`}`,
      `${allowed.cpus.length} of ${topology.cpus.length} CPUs may be used: ${places.length} physical cores${few}`,
      reason,
    ],
  };
}

function ruleOf(mode: Mode, cores: number, isGranted: boolean) {
  if (mode === "hpc_large") {
    const reason = `one thread a process, for tools that start processes themselves, up to ${cores}`;
    return { threads: 1, isBound: false, reason };
  }
  if (mode === "hpc") {
    const reason = isGranted
      ? `one process, threads: ${cores}, bound to cores: processes that it forks would all be on the first`
      : `one process, threads: ${cores}, not bound: a quota does not say which cores`;
    return { threads: cores, isBound: isGranted, reason };
  }
  const threads = Math.max(1, Math.min(cores - 1, MOST_ON_WORKSTATION));
  const left = cores > 1 ? "a core at least left for the desktop" : "the only core";
  return { threads, isBound: false, reason: `threads: ${threads}, not bound, ${left}` };
}

function chooseMode(
  topology: Topology,
  places: readonly number[],
  cores: number,
  environment: Readonly<Record<string, string | undefined>>,
): { readonly mode: Mode; readonly because: string } {
  const nodeOf = new Map(topology.cpus.map(({ id, node }) => [id, node]));
  const nodes = new Set(places.map((id) => nodeOf.get(id))).size;
  if (cores >= MANY_CORES) return { mode: "hpc_large", because: `${cores} cores are ${MANY_CORES} or more` };
  if (nodes > 1 && cores > 1)
    return {
      mode: "hpc_large",
      because: `the cores are of ${nodes} NUMA nodes, which one process uses badly`,
    };
  if (environment.SLURM_JOB_ID) return { mode: "hpc", because: "this is a Slurm job of one NUMA node" };
  return { mode: "workstation", because: `there are fewer than ${MANY_CORES} cores and no Slurm job` };
}

/** The first allowed CPU of every physical core. */
function onePerCore({ cpus }: Topology, allowed: Allowed): number[] {
  const isAllowed = new Set(allowed.cpus);
  const cores = Map.groupBy(
    cpus.filter(({ id }) => isAllowed.has(id)),
    ({ core }) => core,
  );
  const isSlow = (kind: string) => (kind === "efficiency" ? 1 : 0);
  return [...cores.values()]
    .map(([first]) => first)
    .sort((a, b) => isSlow(a.kind) - isSlow(b.kind) || a.node - b.node || a.l3 - b.l3 || a.id - b.id)
    .map(({ id }) => id);
}

type Variable = readonly [name: string, value: string];

function usualVariables({ threads, isBound, places }: Use): Variable[] {
  const n = `${threads}`;
  return [
    ["OMP_NUM_THREADS", n],
    ["OPENBLAS_NUM_THREADS", n],
    ["MKL_NUM_THREADS", n],
    ["BLIS_NUM_THREADS", n],
    ["OMP_PROC_BIND", isBound ? "close" : "false"],
    ["OMP_PLACES", places.map((id) => `{${id}}`).join(",")],
    // numexpr refuses more threads than its maximum.
    ["NUMEXPR_MAX_THREADS", n],
    ["NUMEXPR_NUM_THREADS", n],
  ];
}

function moreVariables({ threads, isBound }: Use): Variable[] {
  const n = `${threads}`;
  return [
    ["GOTO_NUM_THREADS", n],
    ["NUMBA_NUM_THREADS", n],
    // MKL takes fewer threads than it is told where it thinks so; bound threads are meant to be all there.
    ["MKL_DYNAMIC", isBound ? "FALSE" : "TRUE"],
    // The number of threads of JAX on processors, in new and in old versions.
    ["PJRT_NPROC", n],
    ["NPROC", n],
  ];
}

/**
 * XLA ends the program at a flag that it does not know, and reads no further than a word that is none:
 * intra_op_parallelism_threads, which is often seen here, does nothing. A value that does not begin with a dash is the name of a
 * file of flags, and is left alone.
 */
function xlaLine({ threads }: Use): string {
  const flag = `--xla_cpu_multi_thread_eigen=${threads > 1}`;
  return `case "\${XLA_FLAGS-}" in ''|-*) export XLA_FLAGS="\${XLA_FLAGS:+$XLA_FLAGS }${flag}";; esac`;
}

/**
 * What `machine env` prints: exports, then comments. In this order an `eval` without quotes, which joins the lines, works too.
 */
export function formatExports(use: Use): string {
  return `${[...usualVariables(use).map(exportLine), ...use.reasons.map(comment)].join("\n")}\n`;
}

/** What `machine env --write` saves. */
export function formatFile(use: Use, libraries: readonly FoundLibrary[]): string {
  const found = libraries.map(({ kind, path }) => `${kind}: ${path}`);
  return `${[
    ...[
      "Threads of numpy and other Python tools, by dotpe-hpc machine env. Source it: . FILE",
      ...use.reasons,
    ].map(comment),
    ...usualVariables(use).map(exportLine),
    ...moreVariables(use).map(exportLine),
    xlaLine(use),
    comment(found.length === 0 ? "no OpenBLAS, MKL or AOCL found in the usual places" : "libraries found:"),
    ...found.map((line) => comment(`  ${line}`)),
  ].join("\n")}\n`;
}

function exportLine([name, value]: Variable): string {
  return `export ${name}=${quoted(value)}`;
}

/** A word that no shell changes: within single quotes, where only a quote itself is special. */
export function quoted(text: string): string {
  return /^[A-Za-z0-9_./:-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

/** A line that cannot end early: a path or a limit may hold any character. */
function comment(text: string): string {
  return `# ${text.replace(/[^\x20-\x7e]/g, "?")}`;
}
