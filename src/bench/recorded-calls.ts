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

export interface StageCalls {
  readonly stage: string;
  /** The arguments of each call, in order; arrays are those that the task used, as it left them. */
  readonly calls: ReadonlyMap<KernelName, readonly unknown[][]>;
}

/** The program's defaults. */
export const SIZES = { n_t: 128, n_phi: 50, n_e: 128, maxDrop: 20 };
/** Waveforms of a task. */
export const N_WAVEFORMS = 4;

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
  const incoherent = planIncoherent(bins, reference, items, {
    ...{ n_t, n_phi, dt, symmetric: true, taskSize: N_WAVEFORMS },
  });
  const coherent = planCoherent(bins, reference, items, repeated(extrinsic, n_e), {
    ...{ n_phi, maxDrop, bestPerBank: false, seed: 0, probeEvery: 2 ** 31 },
    ...{ iTile: N_WAVEFORMS, eTile: n_e },
  });
  const best = evaluate(coherent, loadKernels("auto"), 0);
  const sizes = `${event.n_d} detectors, ${bins.mArr.length} modes, ${bins.fbin.length} bins, ${n_t} times, ${n_phi} phases, ${n_e} extrinsic samples`;
  const stages = [
    { stage: "stage 2", calls: recorded((kernels) => openIncoherent(incoherent, kernels).run(0)) },
    { stage: "stage 5", calls: recorded((kernels) => void evaluate(coherent, kernels, best - maxDrop)) },
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

function recorded(task: (kernels: Kernels) => void): Map<KernelName, unknown[][]> {
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
  return calls;
}

/** All recorded calls of one kernel, again. */
export function replay(kernels: Kernels, name: KernelName, calls: readonly unknown[][]): void {
  const kernel = kernels[name] as AnyKernel;
  for (const args of calls) kernel(...args);
}

/**
 * Additions and multiplications of a call, padding included; undefined where they depend on the data (bounds that skip
 * work) or are mostly sines.
 */
export function flopsOf(name: KernelName, args: readonly unknown[]): number | undefined {
  const counter = FLOPS[name] as ((...args: readonly unknown[]) => number) | undefined;
  return counter?.(...args);
}

type Counter<K extends KernelName> = (...args: Parameters<Kernels[K]>) => number;

const FLOPS: { readonly [K in KernelName]?: Counter<K> } = {
  weighted: (_g, _w, _h, n_d, n_mp, n_bp) => 6 * n_d * n_mp * n_bp,
  modeProducts: (_hh, _h, _w, terms, _size, _n_g, n_s, n_d, _n_mp, n_bp) => {
    const perBin = [3 + 2 * n_d, 6 + 4 * n_d, 6 + 8 * n_d];
    let sum = 0;
    for (let t = 2; t < terms.length; t += 3) sum += perBin[terms[t]];
    return sum * n_s * n_bp;
  },
  project: (_y, _ldy, _a, _start, _lda, _q, n_r, n_b, n_k) => 2 * n_r * n_b * n_k,
  expandGrid: (_z, _y, _ldy, _ec, _es, _cos, _sin, n_r, rc, rs, n_h) => n_r * n_h * (4 * (rc + rs) + 20),
  expandSet: (_dh, _a, _start, _x, _cos, _sin, n_m, n_k, n_e) => n_m * n_e * (4 * n_k + 8),
};
