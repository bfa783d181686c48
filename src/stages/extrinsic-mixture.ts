/** The density of the proposals of several marginalizations at each other's points: docs/extrinsic-weights.md, (2). */

import type { SkyDictionary } from "../gw/sky-dictionary.ts";
import type { PhaseGrid, PlacedPoints, PointProducts } from "../kernels/extrinsic-table.ts";
import type { Kernels } from "../kernels/table.ts";
import type { GatheredPoints } from "./extrinsic.ts";
import { type InnerProducts, phaseGrid, pointBuffers } from "./extrinsic-products.ts";
import type { MargInfo } from "./marginalization.ts";

/** Points handled at a time: their products stay in the nearest cache. */
const BLOCK = 512;

/** A point at the threshold itself must count as kept where it was kept. */
const THRESHOLD_ROUNDING = 1e-9;

/** A marginalization as a source of points. */
export interface MixturePart
  extends Pick<MargInfo, "n_d" | "n_t" | "n_phi" | "n_qmc" | "n_c" | "proposal_cdt" | "threshold_c"> {
  /** Its waveform: a proposal counts only where its points are kept. Absent: it counts everywhere. */
  readonly products?: InnerProducts;
}

/** How many blocks the points make. */
export function countBlocks({ n_q }: GatheredPoints): number {
  return Math.ceil(n_q / BLOCK);
}

/** Computes densities block by block; one thread's, with its own buffers. */
export class MixtureDensity {
  private readonly thresholds: readonly Float64Array[];
  private readonly grid?: PhaseGrid;
  private readonly placed: PlacedPoints;
  private readonly products?: PointProducts;
  private readonly lnl_q = new Float64Array(BLOCK).fill(Infinity);

  constructor(
    private readonly parts: readonly MixturePart[],
    private readonly sky: SkyDictionary,
    private readonly kernels: Kernels,
  ) {
    const { n_d, n_phi, products } = parts[0]!;
    this.thresholds = parts.map((part) =>
      part.threshold_c.map((threshold) => (part.products ? threshold - THRESHOLD_ROUNDING : -Infinity)),
    );
    if (products) {
      this.grid = phaseGrid(products.mArr, n_phi);
      this.products = pointBuffers(products.mArr, BLOCK);
    }
    this.placed = {
      ld: BLOCK,
      position_dq: new Float64Array(n_d * BLOCK),
      response_dpq: new Float64Array(2 * n_d * BLOCK),
    };
  }

  /**
   * Fills density_q of a block: sum over k and its chunks c of N_kc [q is kept by c] prod_d prob_kc,d(bin_dq).
   * @param density_q of all points
   */
  run(density_q: Float64Array, points: GatheredPoints, block: number): void {
    const q0 = block * BLOCK;
    const q1 = Math.min(q0 + BLOCK, points.n_q);
    const n = q1 - q0;
    const cut = <T extends { subarray(begin: number, end: number): T }>(values: T) => values.subarray(q0, q1);
    const place = [cut(points.direction_q), cut(points.psi_q), cut(points.position0_q)] as const;
    if (this.products) this.kernels.placePoints(this.placed, ...place, this.sky, n);
    const bin_dq = points.bin_dq.subarray(q0);
    const density = cut(density_q).fill(0);
    this.parts.forEach((part, k) => {
      const { n_d, n_t, n_c, n_qmc, proposal_cdt } = part;
      if (part.products) this.bestLnL(part.products, this.thresholds[k]!, n);
      const sizes = [points.n_q, n, n_c, n_d, n_t] as const;
      const threshold_c = this.thresholds[k]!;
      const scale = n_qmc / n_c;
      this.kernels.proposalDensity(density, bin_dq, this.lnl_q, proposal_cdt, threshold_c, scale, ...sizes);
    });
  }

  /**
   * lnL of the placed points, best over phases with <d|h> > 0, maximised over distance, as far as it takes to know which of
   * the thresholds it exceeds.
   */
  private bestLnL(of: InnerProducts, threshold_c: Float64Array, n: number): void {
    const { kernels, placed, products, grid, lnl_q } = this;
    if (!products || !grid) return;
    const { position_dq, response_dpq, ld } = placed;
    kernels.pointProducts(products, of.dh_dtx, of.hh_dck, position_dq, response_dpq, ld, n, of.n_d, of.n_t);
    let [lowest, highest] = [Infinity, -Infinity];
    for (const threshold of threshold_c) {
      lowest = Math.min(lowest, threshold);
      if (threshold < Infinity) highest = Math.max(highest, threshold);
    }
    kernels.bestPositive(lnl_q, products, n, grid, lowest - 1, highest);
  }
}
