/** One chunk of quasi-random points of stage 4: draws them from a proposal, evaluates them, keeps what matters. */

import type { SkyDictionary } from "../gw/sky-dictionary.ts";
import type {
  PairBuffers,
  PhaseGrid,
  PlacedPoints,
  PointBuffers,
  PointProducts,
} from "../kernels/extrinsic-table.ts";
import type { Kernels } from "../kernels/table.ts";
import { type InnerProducts, phaseGrid, pointBuffers } from "./extrinsic-products.ts";

/** Fills out_j with ln of the likelihood marginalized over distance, from n pairs <d|h>, <h|h> at 1 Mpc. */
export type DistanceMarginal = (
  dh_j: Float64Array,
  hh_j: Float64Array,
  out_j: Float64Array,
  n: number,
) => void;

/** With an SNR below this, and others kept beside it, the likelihood is nothing: not worth an integral. */
const LEAST_SNR = -6;

/** The kept points of a chunk: the fields of `MargInfo`, and the following. */
export interface ChunkPoints {
  readonly n_q: number;
  readonly index_q: Int32Array;
  readonly direction_q: Int32Array;
  readonly psi_q: Float64Array;
  readonly position0_q: Float64Array;
  readonly prior_q: Float64Array;
  readonly bin_dq: Int32Array;
  /** Arrival times in bins of the time grid. */
  readonly position_dq: Float64Array;
  readonly pairStart_q: Int32Array;
  readonly phase: Uint16Array;
  readonly dh: Float64Array;
  readonly hh: Float64Array;
  /** Pairs with an lnL, maximised over distance, above this were kept. Infinity without points. */
  readonly threshold: number;
  /** Sum over the point's pairs of the likelihood marginalized over distance, divided by exp(lnScale). */
  readonly likelihood_q: Float64Array;
  readonly lnScale: number;
}

interface Settings {
  readonly sky: SkyDictionary;
  readonly kernels: Kernels;
  readonly lnLikeMarginalized: DistanceMarginal;
  readonly options: { readonly n_chunk: number; readonly n_phi: number; readonly maxLnLDrop: number };
}

let ofThread: { readonly key: string; readonly sampler: ChunkSampler } | undefined;

/** Chunks of waveforms of one size; one thread's, with its own buffers. */
export class ChunkSampler {
  /** The last one that was made in this thread, if it fits: its buffers take time to fill with zeros. */
  static reuse(of: Pick<InnerProducts, "mArr" | "n_d" | "n_t">, using: Settings): ChunkSampler {
    const { n_chunk, n_phi } = using.options;
    const key = [...of.mArr, of.n_d, of.n_t, n_chunk, n_phi].join();
    if (ofThread?.key !== key) ofThread = { key, sampler: new ChunkSampler(of, using) };
    ofThread.sampler.using = using;
    return ofThread.sampler;
  }

  private readonly grid: PhaseGrid;
  private readonly drawn: PointBuffers;
  private readonly placed: PlacedPoints;
  private readonly products: PointProducts;
  private readonly kept: PairBuffers;
  /** Pairs that are worth an integral over distance. */
  private readonly worth: {
    readonly dh: Float64Array;
    readonly hh: Float64Array;
    readonly lnl: Float64Array;
    readonly start_q: Int32Array;
  };

  constructor(
    { mArr, n_d, n_t }: Pick<InnerProducts, "mArr" | "n_d" | "n_t">,
    private using: Settings,
  ) {
    const { n_chunk, n_phi } = using.options;
    const n_pairs = n_chunk * n_phi;
    this.grid = phaseGrid(mArr, n_phi);
    this.drawn = {
      ld: n_chunk,
      index_q: new Int32Array(n_chunk),
      bin_dq: new Int32Array(n_d * n_chunk),
      direction_q: new Int32Array(n_chunk),
      prior_q: new Float64Array(n_chunk),
      psi_q: new Float64Array(n_chunk),
      position0_q: new Float64Array(n_chunk),
      cumulative_dt: new Float64Array(n_d * n_t),
    };
    this.placed = {
      ld: n_chunk,
      position_dq: new Float64Array(n_d * n_chunk),
      response_dpq: new Float64Array(2 * n_d * n_chunk),
    };
    this.products = pointBuffers(mArr, n_chunk);
    this.kept = {
      point_q: new Int32Array(n_chunk),
      pairStart_q: new Int32Array(n_chunk + 1),
      phase: new Uint16Array(n_pairs),
      dh: new Float64Array(n_pairs),
      hh: new Float64Array(n_pairs),
      best: new Float64Array(1),
      bound_q: new Float64Array(n_chunk),
    };
    this.worth = {
      dh: new Float64Array(n_pairs),
      hh: new Float64Array(n_pairs),
      lnl: new Float64Array(n_pairs),
      start_q: new Int32Array(n_chunk + 1),
    };
  }

  /**
   * @param u n_chunk coordinates in [0, 1): arrival bin in each detector, place within the first's bin, psi, direction.
   * Shape (dims, points). @param first index of the first point.
   */
  run(of: InnerProducts, proposal_dt: Float64Array, first: number, u: Float64Array): ChunkPoints {
    const { drawn, placed, products, kept, grid, using } = this;
    const { sky, kernels, options } = using;
    const { n_d, n_t, tStep, dh_dtx, hh_dck } = of;
    const { n_chunk, maxLnLDrop } = options;
    const cellPrior = tStep / sky.n_s;
    const n = kernels.drawPoints(drawn, proposal_dt, u, sky, n_chunk, n_d, n_t, first, cellPrior);
    kernels.placePoints(placed, drawn.direction_q, drawn.psi_q, drawn.position0_q, sky, n);
    const { position_dq, response_dpq, ld } = placed;
    kernels.pointProducts(products, dh_dtx, hh_dck, position_dq, response_dpq, ld, n, n_d, n_t);
    const n_q = kernels.keepPairs(kept, products, n, grid, maxLnLDrop);
    const point_q = kept.point_q.subarray(0, n_q);
    const n_pairs = kept.pairStart_q[n_q]!;
    const [dh, hh] = [kept.dh.slice(0, n_pairs), kept.hh.slice(0, n_pairs)];
    const pairStart_q = kept.pairStart_q.slice(0, n_q + 1);
    return {
      n_q,
      index_q: pick(drawn.index_q, point_q),
      direction_q: pick(drawn.direction_q, point_q),
      psi_q: pick(drawn.psi_q, point_q),
      position0_q: pick(drawn.position0_q, point_q),
      prior_q: pick(drawn.prior_q, point_q),
      bin_dq: pick(drawn.bin_dq, point_q, n_d, ld),
      position_dq: pick(position_dq, point_q, n_d, ld),
      ...{ pairStart_q, phase: kept.phase.slice(0, n_pairs), dh, hh },
      threshold: n > 0 ? kept.best[0]! - maxLnLDrop : Infinity,
      ...this.likelihoods(n_q),
    };
  }

  private likelihoods(n_q: number) {
    const { kept, using, worth } = this;
    const { dh, hh, pairStart_q } = kept;
    const { kernels, lnLikeMarginalized } = using;
    const likelihood_q = new Float64Array(Math.max(1, n_q));
    const n = kernels.worthwhilePairs(worth.dh, worth.hh, worth.start_q, dh, hh, pairStart_q, n_q, LEAST_SNR);
    lnLikeMarginalized(worth.dh, worth.hh, worth.lnl, n);
    const lnScale = kernels.sumExp(likelihood_q, worth.lnl, worth.start_q, n_q);
    return { likelihood_q, lnScale };
  }
}

/** Columns `kept` of an array of shape (rows, q), rows being ld apart. */
function pick<T extends Float64Array | Int32Array>(values: T, kept: Int32Array, rows = 1, ld = 0): T {
  const out = new (values.constructor as new (length: number) => T)(rows * kept.length);
  for (let row = 0; row < rows; row++)
    for (let k = 0; k < kept.length; k++) out[row * kept.length + k] = values[row * ld + kept[k]!]!;
  return out;
}
