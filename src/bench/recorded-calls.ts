/** The calls of every kernel in a task of a stage, with the arguments that the program gives them. */
import type { Event } from "../gw/event.ts";
import type { Reference } from "../gw/reference.ts";
import { type Kernels, loadKernels } from "../kernels/table.ts";
import type { BankBins } from "../stages/bank-samples.ts";
import { bestfitLnL, Coherent } from "../stages/coherent.ts";
import { type CoherentPlan, type ExtrinsicSet, planCoherent } from "../stages/coherent-plan.ts";
import { openIncoherent, planIncoherent } from "../stages/incoherent.ts";

export type KernelName = Exclude<keyof Kernels, "name">;
type AnyKernel = (...args: unknown[]) => unknown;

export interface KernelCalls {
  /** The kernel's name, and what is special about these calls. */
  readonly label: string;
  readonly kernel: KernelName;
  /** The arguments of each call, in order; arrays are those that the task used, as it left them. */
  readonly calls: readonly unknown[][];
}

export interface StageCalls {
  readonly stage: string;
  readonly kernels: readonly KernelCalls[];
}

/** The program's defaults. */
export const SIZES = { n_t: 128, n_phi: 50, n_e: 128, maxDrop: 20 };
/** Waveforms of a task. */
export const N_WAVEFORMS = 4;

/** Kernels of which the peak is twice that of the others. */
export const IN_SINGLE_PRECISION: ReadonlySet<KernelName> = new Set([
  "weightedSingle",
  "projectSingle",
  "expandGridSingle",
  "widen",
]);

/** What calls are recorded on. */
export interface Subject {
  readonly event: Event;
  readonly bins: BankBins;
  readonly reference: Reference;
  readonly extrinsic: ExtrinsicSet;
  /** Accepted samples of the first bank, at least one. */
  readonly accepted: Int32Array;
}

/** Stage 2, and stage 5 with one tile of extrinsic samples, for the same accepted waveforms. */
export function recordStages({ event, bins, reference, extrinsic, accepted }: Subject): {
  stages: StageCalls[];
  sizes: string;
} {
  const i_j = Int32Array.from({ length: N_WAVEFORMS }, (_, j) => accepted[j % accepted.length]);
  const items = { bank_j: new Int32Array(N_WAVEFORMS), i_j };
  const { n_t, n_phi, n_e, maxDrop } = SIZES;
  const dt = 1 / (2 * event.f[event.n_f - 1]);
  const settings = { n_t, n_phi, dt, symmetric: true, taskSize: N_WAVEFORMS, batchSize: N_WAVEFORMS };
  const incoherent = planIncoherent(bins, reference, items, settings);
  const firstLook = { ...incoherent, single: true };
  const coherent = planCoherent(bins, reference, items, repeated(extrinsic, n_e), {
    ...{ n_phi, maxDrop, bestPerBank: false, seed: 0, probeEvery: 2 ** 31 },
    ...{ iTile: N_WAVEFORMS, eTile: n_e },
  });
  const best = evaluate(coherent, loadKernels("auto"), 0);
  const sizes = `${event.n_d} detectors, ${bins.mArr.length} modes, ${bins.fbin.length} bins, ${n_t} times, ${n_phi} phases, ${n_e} extrinsic samples`;
  const stages = [
    {
      stage: "stage 2",
      kernels: withEveryTime(recorded((kernels) => openIncoherent(incoherent, kernels).run(0))),
    },
    {
      stage: "stage 2",
      kernels: recorded((kernels) => openIncoherent(firstLook, kernels).run(0)).filter(({ kernel }) =>
        IN_SINGLE_PRECISION.has(kernel),
      ),
    },
    {
      stage: "stage 5",
      kernels: recorded((kernels) => void evaluate(coherent, kernels, best - maxDrop)),
    },
  ];
  return { stages, sizes };
}

/** All items with the one tile; the best lnL above the threshold. */
function evaluate(plan: CoherentPlan, kernels: Kernels, threshold: number): number {
  const evaluator = new Coherent(plan, kernels, N_WAVEFORMS);
  let best = 0;
  for (let j = 0; j < N_WAVEFORMS; j++) evaluator.prepare(j, j);
  for (let j = 0; j < N_WAVEFORMS; j++) {
    const n = evaluator.rowsAbove(j, 0, threshold);
    const { dh, hh } = evaluator.found;
    for (let r = 0; r < n; r++) best = Math.max(best, bestfitLnL(dh[r], hh[r]));
  }
  evaluator.close();
  return best;
}

/** The extrinsic samples again and again, until there are n_e. */
function repeated({ n_e: n, response_dpe, arrival_de }: ExtrinsicSet, n_e: number): ExtrinsicSet {
  const repeat = (x: Float64Array) =>
    new Float64Array((x.length / n) * n_e).map((_, k) => x[Math.floor(k / n_e) * n + ((k % n_e) % n)]);
  return { n_e, response_dpe: repeat(response_dpe), arrival_de: repeat(arrival_de) };
}

function recorded(task: (kernels: Kernels) => void): KernelCalls[] {
  const calls = new Map<KernelName, unknown[][]>();
  const kernels = loadKernels("auto");
  const recorder = new Proxy(kernels, {
    get(target, name: keyof Kernels) {
      if (name === "name") return target.name;
      return (...args: unknown[]) => {
        calls.set(name, [...(calls.get(name) ?? []), args]);
        return (target[name] as AnyKernel)(...args);
      };
    },
  });
  task(recorder);
  return [...calls].map(([kernel, ofKernel]) => ({ label: kernel, kernel, calls: ofKernel }));
}

/** `incoherentMax` again on <d|h> that are the same at all times: then no bound saves a time. */
function withEveryTime(kernels: readonly KernelCalls[]): KernelCalls[] {
  return kernels.flatMap((one) => {
    if (one.kernel !== "incoherentMax") return [one];
    const calls = one.calls.map((args) => {
      const [z, , , , , , n_t] = args as Parameters<Kernels["incoherentMax"]>;
      return [z.map((_, at) => z[at - (at % n_t)]), ...args.slice(1)];
    });
    return [one, { ...one, label: "incoherentMax without bounds", calls }];
  });
}

/** All recorded calls of one kernel, again. */
export function replay(kernels: Kernels, name: KernelName, calls: readonly unknown[][]): void {
  const kernel = kernels[name] as AnyKernel;
  for (const args of calls) kernel(...args);
}
