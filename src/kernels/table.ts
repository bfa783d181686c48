/** The kernels: what each computes is defined by `ref-*.ts`; `native.ts` computes the same in C. */
import { DotpeError } from "../errors.ts";
import type { ExtrinsicKernels } from "./extrinsic-table.ts";
import { nativeVariants } from "./native.ts";
import type { PackKernels } from "./pack-table.ts";
import { referenceKernels } from "./ref.ts";
import type { RowKernels } from "./row-table.ts";
import type { SetupKernels } from "./setup-table.ts";
import type { SingleKernels } from "./single-table.ts";

/**
 * Sizes: n_mp rows (m, p); n_bp bins padded to a multiple of 8 (padding is zero); n_op phases padded to a multiple of 8
 * (padding repeats phase 0); n_h times of half the grid, a multiple of 8. Component c of complex arrays: 0 re, 1 im.
 * Kernels write only their first argument (and `coherentTile` its `rows`), keep no state, and may run in any thread.
 */
export interface Kernels extends SetupKernels, ExtrinsicKernels, RowKernels, SingleKernels, PackKernels {
  readonly name: string;

  /** h_mpcb = amplitude exp(i (phase + 2 pi f dt)); rows of the bank file begin at `start` and are `stride` apart. */
  waveform(
    h_mpcb: Float64Array,
    amplitude: Float64Array,
    phase: Float64Array,
    start: number,
    stride: number,
    f_b: Float64Array,
    dt: number,
    n_mp: number,
    n_b: number,
    n_bp: number,
  ): void;

  /**
   * dt (s) that aligns a waveform with the reference: minus the slope over 2 pi of the linear fit, weighted by
   * fitWeight_b A_b, to the unwrapped phase_b - refPhase_b.
   */
  align(
    amplitude: Float64Array,
    phase: Float64Array,
    start: number,
    f_b: Float64Array,
    refPhase_b: Float64Array,
    fitWeight_b: Float64Array,
    fMiddle: number,
    n_b: number,
  ): number;

  /** g_dmpcb = w_dmpb conj(h_mpb). */
  weighted(
    g_dmpcb: Float64Array,
    w_dmpcb: Float64Array,
    h_mpcb: Float64Array,
    n_d: number,
    n_mp: number,
    n_bp: number,
  ): void;

  /**
   * hh_sdgc = sum over the terms (a, b) of group g and over b of w h_a conj(h_b), for n_s waveforms.
   * @param terms (row a, row b, kind) by group: kind 0 a = b, 1 only the real part is needed, 2 complex
   * @param w (term, d, c, b)
   */
  modeProducts(
    hh_sdgc: Float64Array,
    h_smpcb: Float64Array,
    w: Float64Array,
    terms: Int32Array,
    groupSize_g: Int32Array,
    n_g: number,
    n_s: number,
    n_d: number,
    n_mp: number,
    n_bp: number,
  ): void;

  /** y_rk = sum_b a_rb q_bk; n_r a multiple of 4, n_k of 8; a begins at `start`, its rows are lda apart. */
  project(
    y_rk: Float64Array,
    ldy: number,
    a: Float64Array,
    start: number,
    lda: number,
    q_bk: Float64Array,
    n_r: number,
    n_b: number,
    n_k: number,
  ): void;

  /**
   * z_rct (+)= one band's part of sum_b g_rb exp(2 pi i f_b tau_t), t = positive then negative times, from
   * y (2 n_r rows: re, im of each r; cosine then sine coefficients). Adds unless `first`.
   */
  expandGrid(
    z_rct: Float64Array,
    y: Float64Array,
    ldy: number,
    ec_kh: Float64Array,
    es_kh: Float64Array,
    cosFc_h: Float64Array,
    sinFc_h: Float64Array,
    n_r: number,
    rc: number,
    rs: number,
    n_h: number,
    first: boolean,
  ): void;

  /**
   * dh_mce (+)= exp(2 pi i f_c tau_e) sum_k a_mk x_ke of one detector, x real and a complex: x the basis at tau_e times the
   * response, a the projections on it (`setCoefficients`). Adds unless `first`.
   */
  expandSet(
    dh_mce: Float64Array,
    a_mck: Float64Array,
    start: number,
    x_ke: Float64Array,
    cosFc_e: Float64Array,
    sinFc_e: Float64Array,
    n_m: number,
    n_k: number,
    n_e: number,
    first: boolean,
  ): void;

  /**
   * max over o, t of lnL = 1/2 d^T H^-1 d of one detector (arXiv:2507.16022), d_p = Re sum_m z_mp e^{-i m phi_o},
   * H_pP = Re sum_k hh_kpP e^{-i k phi_o}. NaN if the waveform was not finite or vanished.
   * @param z_mpct as `expandGrid` writes it @param hh_gc groups 00, 11, 01 of equal modes, then 4 for each k
   * @param symmetric take (H + H^T)/2
   */
  incoherentMax(
    z_mpct: Float64Array,
    zStart: number,
    hh_gc: Float64Array,
    hhStart: number,
    phases: PhaseTables,
    n_m: number,
    n_t: number,
    symmetric: boolean,
  ): number;

  /**
   * Rows (e, o) of one intrinsic sample whose lnL = dh^2 / (2 hh), dh > 0, exceeds the threshold.
   * @param hh_ce scratch, (1 + 2 n_k) n_e @param c_cdx coefficients of F+F+, F+Fx, FxFx @returns how many rows
   */
  coherentTile(
    rows: TileRows,
    hh_ce: Float64Array,
    dh_mce: Float64Array,
    c_cdx: Float64Array,
    ff_dxe: Float64Array,
    phases: PhaseTables,
    n_m: number,
    n_d: number,
    n_e: number,
    n_valid: number,
    threshold: number,
  ): number;
}

/** cos and sin of m phi_o and of k phi_o on the phase grid phi_o = 2 pi o / n_o. */
export interface PhaseTables {
  readonly n_o: number;
  readonly n_op: number;
  readonly n_k: number;
  readonly cosM_mo: Float64Array;
  readonly sinM_mo: Float64Array;
  readonly cosK_ko: Float64Array;
  readonly sinK_ko: Float64Array;
  /** All of them again, by blocks of eight phases: (o div 8; cos, sin of each m, then of each k; o mod 8). */
  readonly waves_Oxo: Float64Array;
}

/** Room for the rows of a tile: n_e n_o each. */
export interface TileRows {
  readonly e: Int32Array;
  readonly o: Int32Array;
  readonly dh: Float64Array;
  readonly hh: Float64Array;
}

/** Best first: what this machine can run, then the TypeScript definition of it all. */
export function availableKernels(): string[] {
  return [...nativeVariants().map((variant) => variant.name), referenceKernels.name];
}

/**
 * @param name 'auto' (the best this machine runs) or one of `availableKernels()`
 * @throws DotpeError usage if this machine cannot run it
 */
export function loadKernels(name: string): Kernels {
  const variants = nativeVariants();
  if (name === referenceKernels.name) return referenceKernels;
  if (name === "auto") return variants[0]?.load() ?? referenceKernels;
  const variant = variants.find((v) => v.name === name);
  if (variant) return variant.load();
  throw new DotpeError(
    "usage",
    `--kernel: found '${name}', expected one of auto, ${availableKernels().join(", ")}`,
    "Leave --kernel out to take the fastest that this machine can run.",
  );
}
