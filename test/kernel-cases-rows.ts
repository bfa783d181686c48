/** Cases of the kernels of the rows of stage 5. See kernel-cases.ts. */
import { N_PART, N_PROBE, PROBE } from "../src/kernels/row-table.ts";
import { phaseTables } from "../src/stages/phases.ts";
import { type KernelCase, randomNumbers, type Size } from "./kernel-cases.ts";

export function rowCases(size: Size, seed: number): KernelCase[] {
  return [
    probeCase(size, seed, 3),
    probeCase(size, seed + 10, 1),
    ...[1, 7, 8, 203].map((n) => partSumsCase(n, seed + n, 12)),
    partSumsCase(64, seed + 20, 900),
  ];
}

/** @param every one in so many is a probe */
function probeCase({ mArr, n_phi }: Size, seed: number, every: number): KernelCase {
  const phases = phaseTables(mArr, n_phi);
  const [n_e, n_valid] = [72, 67];
  const dh_mce = randomNumbers(2 * mArr.length * n_e, seed);
  const hh_ce = randomNumbers((1 + 2 * phases.n_k) * n_e, seed + 1);
  const key = new Int32Array(N_PROBE);
  key[PROBE.half] = -1234567 * (seed + 1);
  key[PROBE.bank] = 1;
  key[PROBE.i] = 1000 + seed;
  key[PROBE.e0] = 640;
  key[PROBE.every] = every;
  return {
    name: `probeTile, one in ${every}`,
    run(kernels) {
      const found = {
        ...{ e: new Int32Array(n_e), o: new Int32Array(n_e) },
        ...{ dh: new Float64Array(n_e), hh: new Float64Array(n_e) },
      };
      const n = kernels.probeTile(found, dh_mce, hh_ce, phases, mArr.length, n_e, n_valid, key);
      const { e, o, dh, hh } = found;
      return { n: Float64Array.of(n), e: Float64Array.from(e), o: Float64Array.from(o), dh, hh };
    },
  };
}

/** Rows start <= r < start + n, a few of each extrinsic sample. @param range of lnL: terms beyond e^-700 are 0 */
function partSumsCase(n: number, seed: number, range: number): KernelCase {
  const start = 5;
  const of = (at: number) => randomNumbers(start + n, seed + at);
  const lnl = of(1).map((x) => 100 + (range * x) / 2);
  const e = Int32Array.from(lnl, (_, r) => Math.floor(r / 3));
  const weight_e = randomNumbers(start + n, seed + 2);
  const values = { e, dh: of(3), hh: of(4), bestfit: lnl.map((x) => x + 10), lnl };
  return {
    name: `partSums of ${n} rows, lnL over ${range}`,
    run(kernels) {
      const out = new Float64Array(N_PART);
      const pairs = { e: new Int32Array(n), sum: new Float64Array(n) };
      const rows = { ...values, lnPosterior: new Float64Array(start + n) };
      const n_pairs = kernels.partSums(out, pairs, rows, start, start + n, -3.5, weight_e);
      const { e, sum } = pairs;
      return {
        ...{ out, n_pairs: Float64Array.of(n_pairs), sum, lnPosterior: rows.lnPosterior },
        e: Float64Array.from(e.subarray(0, n_pairs)),
      };
    },
  };
}
