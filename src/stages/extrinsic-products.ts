/** The inner products of one waveform on a fine grid of times, from which those at any extrinsic point follow. */

import { modeDifferences } from "../axes.ts";
import type { PhaseGrid, PointProducts } from "../kernels/extrinsic-table.ts";
import { scratchF64 } from "../workers/arena.ts";
import { phaseTables, roundUp8 } from "./phases.ts";

/**
 * One waveform against the data, at 1 Mpc and orbital phase 0, divided by asd_drift^2; times (s) are
 * tStart + t tStep, relative to the event's GPS time, and are arrival times in the detector.
 */
export interface InnerProducts {
  readonly mArr: readonly number[];
  readonly n_d: number;
  readonly n_t: number;
  readonly tStart: number;
  readonly tStep: number;
  /**
   * <d|h> = sum_b w_dmpb conj(h_mpb) exp(2 pi i f_b (t + tcoarse)) by detector, time, polarization; x: (m, re/im), padded
   * with zeros to a multiple of 8.
   */
  readonly dh_dtx: Float64Array;
  /**
   * <h|h> as a trigonometric polynomial of the phase, sum_k C_k cos(k phi) + S_k sin(k phi), by detector, part (plus plus,
   * plus cross, cross cross), and k: |m - m'| ascending from 0, (cos, sin), padded with zeros to a multiple of 8.
   */
  readonly hh_dck: Float64Array;
}

/** Entries of a time in `dh_dtx`, for one polarization. */
export function paddedModes(mArr: readonly number[]): number {
  return roundUp8(2 * mArr.length);
}

/** Entries of a part in `hh_dck`. */
export function paddedDifferences(mArr: readonly number[]): number {
  return roundUp8(2 * modeDifferences(mArr).length);
}

/** Room for the products of n_q points. */
export function pointBuffers(mArr: readonly number[], n_q: number): PointProducts {
  const [n_x, n_kp] = [paddedModes(mArr), paddedDifferences(mArr)];
  return { n_x, n_kp, dh_qx: scratchF64(n_q * n_x), hh_qk: scratchF64(n_q * n_kp) };
}

/** @param n_phi an even number of phases. */
export function phaseGrid(mArr: readonly number[], n_phi: number): PhaseGrid {
  if (n_phi % 2 !== 0) throw new RangeError(`phase grid: ${n_phi} phases, an even number is needed`);
  const positive = modeDifferences(mArr).slice(1);
  const even = (multiples: readonly number[]) =>
    Array.from(multiples.keys()).filter((k) => multiples[k]! % 2 === 0);
  const odd = (multiples: readonly number[]) =>
    Array.from(multiples.keys()).filter((k) => multiples[k]! % 2 !== 0);
  const counts = [even(mArr).length, even(positive).length];
  const order = [...counts, ...even(mArr), ...odd(mArr), ...even(positive), ...odd(positive)];
  return { tables: phaseTables(mArr, n_phi), order: Int32Array.from(order) };
}
