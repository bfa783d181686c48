/** Cases of the kernels in single precision. See kernel-cases.ts. */
import { timeGrid } from "../src/stages/incoherent.ts";
import { SingleTransform } from "../src/stages/single-transform.ts";
import { type KernelCase, makeModel, randomNumbers, type Size } from "./kernel-cases.ts";

/** Of the largest number: sums of a hundred terms, each rounded to 6e-8. */
export const SINGLE_TOLERANCE = 2e-6;

export function singleCases(size: Size, seed: number): KernelCase[] {
  const model = makeModel(size, seed);
  const { n_bp, n_m, n_d, w_smpcb } = model.plan;
  const n_mp = 2 * n_m;
  return [
    {
      name: "weightedSingle",
      run(kernels) {
        const g = new Float32Array(w_smpcb.length);
        kernels.weightedSingle(g, w_smpcb, model.h_smpcb, n_d, n_mp, n_bp);
        return { g: Float64Array.from(g) };
      },
    },
    ...[16, 32, 48, 64, 80].map((n_k) => projectCase(n_k, seed + n_k)),
    {
      name: "projectSingle and expandGridSingle",
      run(kernels) {
        const { grid } = timeGrid(model.bins.fbin, model.dt, size.n_t);
        const g = new Float32Array(w_smpcb.length);
        kernels.weightedSingle(g, w_smpcb, model.h_smpcb, n_d, n_mp, n_bp);
        const transform = new SingleTransform(grid, n_d * n_mp, n_bp, kernels);
        transform.run(g);
        return { z: transform.z_rct };
      },
    },
  ];
}

function projectCase(n_k: number, seed: number): KernelCase {
  const [n_r, n_b, lda] = [12, 43, 48];
  const a = Float32Array.from(randomNumbers(5 + n_r * lda, seed));
  const q = Float32Array.from(randomNumbers(n_b * n_k, seed + 1));
  return {
    name: `projectSingle to rank ${n_k}`,
    run(kernels) {
      const y = new Float32Array(n_r * (n_k + 16));
      kernels.projectSingle(y, n_k + 16, a, 5, lda, q, n_r, n_b, n_k);
      return { y: Float64Array.from(y) };
    },
  };
}
