/** Reads bank samples as aligned waveforms and forms their products with the weights: shared by stages 2, 4 and 5. */
import { modePairs } from "../axes.ts";
import type { Bank } from "../gw/bank.ts";
import { type BankFiles, BankReader, bankFiles } from "../gw/bank-reader.ts";
import type { Alignment, DataWeights, Weights } from "../gw/reference.ts";
import type { Kernels } from "../kernels/table.ts";
import { sharedF64, shareI32 } from "../workers/arena.ts";
import type { Items } from "./incoherent.ts";
import { positiveDifferences, roundUp8 } from "./phases.ts";

/** What every thread needs of the banks and the weights. Plain data on shared arrays, read only. */
export interface SamplePlan {
  readonly banks: readonly BankFiles[];
  /** First bin of the bank that is used, bins used, padded to a multiple of 8. */
  readonly b0: number;
  readonly n_b: number;
  readonly n_bp: number;
  readonly n_m: number;
  readonly n_d: number;
  /** Transforms of <d|h>: one a detector, or several around different times. */
  readonly n_s: number;
  /** Position of m = 2. */
  readonly m2: number;
  readonly f_b: Float64Array;
  readonly refPhase_b: Float64Array;
  readonly fitWeight_b: Float64Array;
  readonly fMiddle: number;
  /** dh weights, with the noise drift and turned to the centre of the times: sum_b w conj(h) exp(2 pi i f tau). */
  readonly w_smpcb: Float64Array;
  readonly products: ProductPlan;
}

/** The terms of <h|h> by group, as `Kernels.modeProducts` takes them. */
export interface ProductPlan {
  readonly terms: Int32Array;
  readonly groupSize_g: Int32Array;
  readonly n_g: number;
  readonly w: Float64Array;
}

export interface WeightSet {
  /** One for each transform s: weights, the detector's position in them, noise drift, time (s) that it is centred on. */
  readonly data: readonly {
    readonly of: DataWeights;
    readonly d: number;
    readonly drift: number;
    readonly centre: number;
  }[];
  /** One for each detector. */
  readonly norms: readonly { readonly of: Weights; readonly d: number; readonly drift: number }[];
  readonly alignment: Alignment;
}

export interface BankBins {
  readonly banks: readonly Bank[];
  readonly mArr: readonly number[];
  readonly b0: number;
  readonly fbin: Float64Array;
}

const COMPLEX = 2;

/** @param groups which products of modes are summed in <h|h> */
export function samplePlan(
  bins: BankBins,
  set: WeightSet,
  groups: readonly (readonly Term[])[] = termsByDifference(bins.mArr),
): SamplePlan {
  const n_b = bins.fbin.length;
  const n_bp = roundUp8(n_b);
  const n_m = bins.mArr.length;
  const f_b = sharedF64(n_bp);
  f_b.set(bins.fbin);
  const { polyfit_b, h2plusRe_b, h2plusIm_b } = set.alignment;
  const refPhase_b = sharedF64(n_b);
  const fitWeight_b = sharedF64(n_b);
  for (let b = 0; b < n_b; b++) {
    refPhase_b[b] = Math.atan2(h2plusIm_b[b], h2plusRe_b[b]);
    fitWeight_b[b] = (polyfit_b[b] * polyfit_b[b]) / Math.hypot(h2plusRe_b[b], h2plusIm_b[b]);
  }
  const sizes = { n_b, n_bp, n_m, n_d: set.norms.length, n_s: set.data.length };
  return {
    ...sizes,
    banks: bins.banks.map(bankFiles),
    b0: bins.b0,
    m2: bins.mArr.indexOf(2),
    f_b,
    refPhase_b,
    fitWeight_b,
    fMiddle: (bins.fbin[0] + bins.fbin[n_b - 1]) / 2,
    w_smpcb: dhWeights(set, bins.fbin, sizes),
    products: productPlan(set, groups, sizes),
  };
}

interface Sizes {
  readonly n_b: number;
  readonly n_bp: number;
  readonly n_m: number;
  readonly n_d: number;
  readonly n_s: number;
}

/** a_d^-2 w_mpb exp(2 pi i f_b centre) of each transform, padded. */
function dhWeights(set: WeightSet, fbin: Float64Array, { n_b, n_bp, n_m, n_s }: Sizes): Float64Array {
  const n_mp = 2 * n_m;
  const out = sharedF64(n_s * n_mp * 2 * n_bp);
  for (let s = 0; s < n_s; s++) {
    const { of, d: from, drift, centre } = set.data[s];
    const scale = 1 / (drift * drift);
    for (let b = 0; b < n_b; b++) {
      // Whole turns are taken off first: the centre is tens of seconds, and the angle would lose digits.
      const turns = fbin[b] * centre;
      const angle = 2 * Math.PI * (turns - Math.round(turns));
      const [cos, sin] = [scale * Math.cos(angle), scale * Math.sin(angle)];
      for (let row = 0; row < n_mp; row++) {
        const at = (from * n_mp + row) * n_b + b;
        const to = (s * n_mp + row) * 2 * n_bp + b;
        out[to] = of.dhRe_dmpb[at] * cos - of.dhIm_dmpb[at] * sin;
        out[to + n_bp] = of.dhRe_dmpb[at] * sin + of.dhIm_dmpb[at] * cos;
      }
    }
  }
  return out;
}

/** One product of modes. */
export interface Term {
  /** Rows (m, p) of the two waveforms, position of the weight, and whether it is conjugated. */
  readonly a: number;
  readonly b: number;
  readonly kind: 0 | 1 | 2;
  readonly weight: number;
  readonly conjugate: boolean;
}

/**
 * Groups in the order of `Kernels.incoherentMax`: 00, 11, 01 of equal modes, then (00, 01, 10, 11) for every k.
 * A pair with m > m' is conjugated, which leaves Re(x e^{i (m - m') phi}) as it is.
 */
function termsByDifference(mArr: readonly number[]): Term[][] {
  const differences = positiveDifferences(mArr);
  const groups: Term[][] = Array.from({ length: 3 + 4 * differences.length }, () => []);
  modePairs(mArr.length).forEach(([m, m2], pair) => {
    for (let c = 0; c < 4; c++) {
      const [p, P] = [c >> 1, c & 1];
      const [a, b, weight] = [2 * m + p, 2 * m2 + P, 4 * pair + c];
      const difference = mArr[m2] - mArr[m];
      if (difference === 0) {
        if (c === 2) continue; // the conjugate of (0, 1), and only its real part is needed
        groups[c === 3 ? 1 : c === 0 ? 0 : 2].push({ a, b, kind: c === 1 ? 1 : 0, weight, conjugate: false });
        continue;
      }
      const group = groups[3 + 4 * differences.indexOf(Math.abs(difference)) + c];
      const conjugate = difference < 0;
      group.push(
        conjugate
          ? { a: b, b: a, kind: COMPLEX, weight, conjugate }
          : { a, b, kind: COMPLEX, weight, conjugate },
      );
    }
  });
  return groups;
}

function productPlan(
  set: WeightSet,
  groups: readonly (readonly Term[])[],
  { n_b, n_bp, n_d, n_m }: Sizes,
): ProductPlan {
  const terms = groups.flat();
  const n_M = modePairs(n_m).length;
  const w = sharedF64(terms.length * n_d * 2 * n_bp);
  terms.forEach(({ weight, conjugate }, t) => {
    for (let d = 0; d < n_d; d++) {
      const { of, d: from, drift } = set.norms[d];
      const scale = 1 / (drift * drift);
      const at = (from * n_M * 4 + weight) * n_b;
      const to = (t * n_d + d) * 2 * n_bp;
      for (let b = 0; b < n_b; b++) {
        w[to + b] = scale * of.hhRe_dMpPb[at + b];
        w[to + n_bp + b] = (conjugate ? -scale : scale) * of.hhIm_dMpPb[at + b];
      }
    }
  });
  return {
    terms: shareI32(terms.flatMap(({ a, b, kind }) => [a, b, kind])),
    groupSize_g: shareI32(groups.map((group) => group.length)),
    n_g: groups.length,
    w,
  };
}

/** One thread's reader of bank samples. */
export class SampleReader {
  private readonly banks: readonly BankReader[];

  constructor(
    private readonly plan: SamplePlan,
    private readonly kernels: Kernels,
  ) {
    this.banks = plan.banks.map((bank) => new BankReader(bank, kernels));
  }

  /** Loads as many of the items j0 <= j < j1 as follow each other in one block: reading them is then quick. */
  load(items: Items, j0: number, j1: number): void {
    const first = items.i_j[j0];
    this.banks[items.bank_j[j0]].load(first, first + this.following(items, j0, j1));
  }

  /** Says that the items j0 <= j < j1 will be read soon. */
  prefetch(items: Items, j0: number, j1: number): void {
    for (let j = j0; j < j1; ) {
      const n = this.following(items, j, j1);
      this.banks[items.bank_j[j]].prefetch(items.i_j[j], items.i_j[j] + n);
      j += n;
    }
  }

  /** How many of the items follow each other in one block, from j0 on. */
  private following({ bank_j, i_j }: Items, j0: number, j1: number): number {
    const [bank, first] = [bank_j[j0], i_j[j0]];
    const limit = Math.min(this.banks[bank].blockEnd(first), first + j1 - j0);
    let end = first + 1;
    while (end < limit && bank_j[j0 + end - first] === bank && i_j[j0 + end - first] === end) end++;
    return end - first;
  }

  /** Whether sample i is loaded. */
  holds(bank: number, i: number): boolean {
    const { first, end } = this.banks[bank];
    return i >= first && i < end;
  }

  /** Writes the aligned waveform of bank sample i into h_mpcb and returns its time alignment dt (s). */
  read(bank: number, i: number, h_mpcb: Float64Array): number {
    const { b0, n_b, n_bp, n_m, m2, f_b, refPhase_b, fitWeight_b, fMiddle } = this.plan;
    const files = this.banks[bank];
    if (!this.holds(bank, i)) files.load(i, i + 1);
    const { amplitude, phase } = files;
    const stride = files.bank.n_b;
    const start = (i - files.first) * 2 * n_m * stride + b0;
    const m2start = start + 2 * m2 * stride;
    const dt = this.kernels.align(amplitude, phase, m2start, f_b, refPhase_b, fitWeight_b, fMiddle, n_b);
    this.kernels.waveform(h_mpcb, amplitude, phase, start, stride, f_b, dt, 2 * n_m, n_b, n_bp);
    return dt;
  }

  close(): void {
    for (const bank of this.banks) bank.close();
  }
}
