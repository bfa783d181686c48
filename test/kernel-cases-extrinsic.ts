/** Cases of the kernels of stage 4 and of the marginalization over distance. See kernel-cases.ts. */
import { buildDistanceTable, D_LUMINOSITY_MAX, lnLikeMarginalized } from "../src/gw/distance.ts";
import { type KernelCase, randomNumbers, type Size } from "./kernel-cases.ts";

const table = buildDistanceTable();

/** Every kernel of stage 4 on inputs of one size. */
export function extrinsicCases(size: Size, seed: number): KernelCase[] {
  return [distanceCase(97 + size.n_b, seed)];
}

/** Rows inside the table and some beyond its rim, which are integrated and come out as NaN from the kernel alone. */
function distanceCase(n: number, seed: number): KernelCase {
  const [where, place] = [randomNumbers(n, seed), randomNumbers(n, seed + 1)];
  const z_j = where.map((u, j) => (j % 2 === 0 ? 2 + 9 * u : 49 + 53 * u));
  const norm_j = place.map((u, j) => {
    const [low, high] = [Math.log(4e-5), Math.log(Math.max(z_j[j], 0) + 10.5)];
    return D_LUMINOSITY_MAX * Math.exp((low + high) / 2 + (u * (high - low)) / 2);
  });
  return {
    name: "distanceMarginal",
    run(kernels) {
      const lnl = new Float64Array(n);
      lnLikeMarginalized(
        table,
        z_j.map((z, j) => z * norm_j[j]),
        norm_j.map((norm) => norm * norm),
        ...([lnl, n, kernels.distanceMarginal] as const),
      );
      return { lnl };
    },
  };
}
