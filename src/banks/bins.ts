/** The frequencies at which a bank gives its waveforms. */
import { DotpeError } from "../errors.ts";
import { MIN_BINS } from "../gw/bank-config.ts";

/** A band and the grid that its bins lie on, Hz. */
export interface BinGrid {
  readonly f0: number;
  readonly f1: number;
  readonly df: number;
}

/** Powers of f in the phase difference of two waveforms: 0PN, 1PN, and the merger's (Zackay, Dai & Venumadhav, arXiv:1806.08792). */
const EXPONENTS = [-5 / 3, -2 / 3, 1];
/** Points between which the phase is taken as linear. */
const N_FINE = 10_000;
const MOST_BINS = 20_000;

/**
 * Bins between which the phases of two similar waveforms differ by about `tolerance` rad: the differential phase
 * sum_k 2 pi s_k f^gamma_k / |f0^gamma_k - f1^gamma_k| is cut into equal parts, each end moved to the grid. This is the rule of
 * cogwheel's relative_binning.py and of dot_pe's fbin_from_event_data.
 * @returns (b) Hz, multiples of df, increasing
 * @throws DotpeError usage for a band that gives too few or too many bins.
 */
export function binsOf({ f0, f1, df }: BinGrid, tolerance: number): Float64Array {
  const fine_f = Float64Array.from({ length: N_FINE }, (_, k) => f0 + ((f1 - f0) * k) / (N_FINE - 1));
  const weights = EXPONENTS.map(
    (power) => (2 * Math.PI * Math.sign(power)) / Math.abs(f0 ** power - f1 ** power),
  );
  const phase = (f: number) => EXPONENTS.reduce((sum, power, k) => sum + weights[k] * f ** power, 0);
  const start = phase(f0);
  const phase_f = fine_f.map((f) => phase(f) - start);
  const n_parts = Math.ceil(phase_f[N_FINE - 1] / tolerance);
  if (!(n_parts <= MOST_BINS)) throw badNumber(n_parts, `at most ${MOST_BINS}`);
  const bins = new Set<number>();
  let at = 0;
  for (let b = 0; b <= n_parts; b++) {
    const wanted = (phase_f[N_FINE - 1] * b) / n_parts;
    while (at < N_FINE - 2 && phase_f[at + 1] < wanted) at++;
    const part = (wanted - phase_f[at]) / (phase_f[at + 1] - phase_f[at]);
    const f = fine_f[at] + part * (fine_f[at + 1] - fine_f[at]);
    bins.add(Math.ceil((f - df / 2) / df) * df);
  }
  if (bins.size < MIN_BINS) throw badNumber(bins.size, `at least ${MIN_BINS}`);
  return Float64Array.from(bins);
}

function badNumber(found: number, expected: string): DotpeError {
  return new DotpeError(
    "usage",
    `bins: the band and --phase-tolerance give ${found}, expected ${expected}`,
    "Choose another band, another tolerance, or a finer --df.",
  );
}
