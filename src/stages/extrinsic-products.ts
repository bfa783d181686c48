/** The inner products of one waveform on a fine grid of times, from which those at any extrinsic point follow. */

import { modeDifferences } from "../axes.ts";
import type { PhaseGrid, PointProducts } from "../kernels/extrinsic-table.ts";
import { scratchF64, sharedF64 } from "../workers/arena.ts";
import { roundUp8 } from "./phases.ts";

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
  const differences = modeDifferences(mArr).slice(1);
  const [modes, others] = [evenFirst(mArr), evenFirst(differences)];
  const multiples = [...modes.order.map((m) => mArr[m]!), ...others.order.map((k) => differences[k]!)];
  const waves = sharedF64(2 * multiples.length * roundUp8(n_phi / 2));
  multiples.forEach((multiple, row) => {
    for (let o = 0; o < roundUp8(n_phi / 2); o++) {
      // Reduced exactly before it is turned into an angle.
      const angle = (2 * Math.PI * ((multiple * o) % n_phi)) / n_phi;
      const at = ((o >> 3) * 2 * multiples.length + 2 * row) * 8 + (o & 7);
      waves[at] = Math.cos(angle);
      waves[at + 8] = Math.sin(angle);
    }
  });
  return {
    ...{ n_o: n_phi, n_m: mArr.length, n_k: differences.length, even_m: modes.n_even, even_k: others.n_even },
    order: Int32Array.from([...modes.order, ...others.order]),
    waves,
  };
}

/** Positions of the even numbers, then of the odd ones. */
function evenFirst(values: readonly number[]): { order: number[]; n_even: number } {
  const positions = Array.from(values.keys());
  const even = positions.filter((k) => values[k]! % 2 === 0);
  const odd = positions.filter((k) => values[k]! % 2 !== 0);
  return { order: [...even, ...odd], n_even: even.length };
}
