/** The grid of orbital phases and the differences of modes that the inner products depend on. */
import { modeDifferences } from "../axes.ts";
import type { PhaseTables } from "../kernels/table.ts";
import { sharedF64 } from "../workers/arena.ts";

export const roundUp8 = (n: number) => Math.ceil(n / 8) * 8;

/** The distinct |m - m'| > 0 of the pairs of modes, ascending. */
export function positiveDifferences(mArr: readonly number[]): number[] {
  return modeDifferences(mArr).filter((k) => k > 0);
}

/** Tables of cos and sin of m phi_o and k phi_o, phi_o = 2 pi o / n_o. Shared. */
export function phaseTables(mArr: readonly number[], n_o: number): PhaseTables {
  const n_op = roundUp8(n_o);
  const differences = positiveDifferences(mArr);
  const table = (multiples: readonly number[], f: (x: number) => number) => {
    const out = sharedF64(multiples.length * n_op);
    multiples.forEach((multiple, row) => {
      // Reduced exactly before it is turned into an angle; the padding repeats phase 0.
      for (let o = 0; o < n_op; o++)
        out[row * n_op + o] = f((2 * Math.PI * ((multiple * (o < n_o ? o : 0)) % n_o)) / n_o);
    });
    return out;
  };
  const tables = {
    cosM_mo: table(mArr, Math.cos),
    sinM_mo: table(mArr, Math.sin),
    cosK_ko: table(differences, Math.cos),
    sinK_ko: table(differences, Math.sin),
  };
  return { n_o, n_op, n_k: differences.length, ...tables, waves_Oxo: wavesByBlock(tables, n_op) };
}

type Waves = Pick<PhaseTables, "cosM_mo" | "sinM_mo" | "cosK_ko" | "sinK_ko">;

function wavesByBlock({ cosM_mo, sinM_mo, cosK_ko, sinK_ko }: Waves, n_op: number): Float64Array {
  const pairs = [
    [cosM_mo, sinM_mo],
    [cosK_ko, sinK_ko],
  ];
  const out = sharedF64(2 * (cosM_mo.length + cosK_ko.length));
  let to = 0;
  for (let o = 0; o < n_op; o += 8) {
    for (const [cos, sin] of pairs) {
      for (let row = 0; row < cos.length; row += n_op) {
        for (const wave of [cos, sin]) {
          out.set(wave.subarray(row + o, row + o + 8), to);
          to += 8;
        }
      }
    }
  }
  return out;
}
