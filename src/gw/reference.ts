/** What the reference waveform h0 gives to the stages: summary weights, time alignment, arrival times, noise drift. */
import type { NetworkFrame } from "./prior.ts";

/**
 * Relative-binning weights of some detectors (complex, split), without the noise drift:
 *   <d|h>_dmp  = sum_b dh_dmpb conj(h_mpb)            for a waveform at the reference time of the segment
 *   <h|h>_dMpP = sum_b hh_dMpPb h_mpb conj(h_m'Pb)     pairs M = (m, m') with m != m' counted twice
 */
export interface Weights {
  readonly dhRe_dmpb: Float64Array;
  readonly dhIm_dmpb: Float64Array;
  readonly hhRe_dMpPb: Float64Array;
  readonly hhIm_dMpPb: Float64Array;
}

/** The part of `Weights` that <d|h> needs. */
export type DataWeights = Pick<Weights, "dhRe_dmpb" | "dhIm_dmpb">;

/** The weighted linear fit that aligns a waveform's (m = 2, plus) phase with the reference's. */
export interface Alignment {
  /** Fit weights: the square root of the summed SNR^2 of h0 around each bin. */
  readonly polyfit_b: Float64Array;
  /** h0 (m = 2, plus) on the bins. */
  readonly h2plusRe_b: Float64Array;
  readonly h2plusIm_b: Float64Array;
}

/** What stage 2 needs of a reference: each detector by itself. */
export interface SingleReference {
  readonly fbin: Float64Array;
  readonly mArr: readonly number[];
  readonly n_d: number;
  /** Local noise standard deviation over the average, by detector: inner products carry its square's inverse. */
  readonly asdDrift_d: Float64Array;
  /** For each detector alone (n_d = 1 in each). */
  readonly single: readonly Weights[];
  /** Of the first detector alone. */
  readonly singleAlignment: Alignment;
  /** Arrival of h0 in each detector, s from the start of the segment (includes tcoarse). */
  readonly arrival_d: Float64Array;
}

export interface Reference extends SingleReference {
  /** 'native' with the bank sample it came from, or the file's path. */
  readonly source: string;
  /** The bank sample it was made of, by the bank's place in the list (of the run that made it); absent for others' files. */
  readonly sample?: { readonly bank: number; readonly i: number };
  /** Letters of the detectors, in the order of every axis d. */
  readonly detectors: readonly string[];
  /** All detectors: stages 4 and 5. */
  readonly coherent: Weights;
  readonly coherentAlignment: Alignment;
  readonly frame: NetworkFrame;
  /**
   * Weights of <d|h> in detector d, (1, m, p, b), with h0 moved to another arrival (s from the start of the segment): as
   * precise there as `coherent` is around arrival_d. Absent where h0 is not known well enough to move it.
   */
  readonly dataWeightsAt?: (d: number, arrival: number) => DataWeights;
}
