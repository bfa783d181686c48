/** `GridTransform` in single precision. */
import type { Kernels } from "../kernels/table.ts";
import { scratchF32, scratchF64 } from "../workers/arena.ts";
import { clearExtra, type GridBand, type TimeGrid } from "./incoherent.ts";

/** Columns of the tables are padded to a multiple of this. */
const LANES = 16;
const roundUp = (n: number) => Math.ceil(n / LANES) * LANES;

/** A band's tables, rounded. */
interface SingleBand extends Omit<GridBand, "rp" | "q" | "ec_kh" | "es_kh" | "cosFc_h" | "sinFc_h"> {
  readonly rp: number;
  readonly q: Float32Array;
  readonly ec_kh: Float32Array;
  readonly es_kh: Float32Array;
  readonly cosFc_h: Float32Array;
  readonly sinFc_h: Float32Array;
}

export class SingleTransform {
  readonly z_rct: Float64Array;
  /** Half the grid, padded. */
  readonly n_h: number;
  private readonly bands: readonly SingleBand[];
  private readonly y: Float32Array;
  private readonly z: Float32Array;
  private readonly ldy: number;

  constructor(
    private readonly grid: TimeGrid,
    private readonly n_rows: number,
    private readonly n_bp: number,
    private readonly kernels: Kernels,
  ) {
    this.n_h = roundUp(grid.n_h);
    this.bands = grid.bands.map((band) => roundedBand(band, grid.n_h, this.n_h));
    this.ldy = Math.max(...this.bands.map(({ rp }) => rp));
    this.y = scratchF32(2 * n_rows * this.ldy);
    this.z = scratchF32(n_rows * 4 * this.n_h);
    this.z_rct = scratchF64(n_rows * 4 * this.n_h);
  }

  run(g_rcb: Float32Array): void {
    const { n_h, n_rows, z_rct, kernels } = this;
    this.bands.forEach(({ b0, b1, rc, rs, rp, q, ec_kh, es_kh, cosFc_h, sinFc_h }, k) => {
      kernels.projectSingle(this.y, this.ldy, g_rcb, b0, this.n_bp, q, 2 * n_rows, b1 - b0, rp);
      const tables = [ec_kh, es_kh, cosFc_h, sinFc_h] as const;
      kernels.expandGridSingle(this.z, this.y, this.ldy, ...tables, n_rows, rc, rs, n_h, k === 0);
    });
    kernels.widen(z_rct, this.z, n_rows * 4 * n_h);
    clearExtra(z_rct, n_rows, n_h, this.grid.extra);
  }
}

function roundedBand(band: GridBand, n_h: number, wide_h: number): SingleBand {
  const { b0, b1, rc, rs, rp } = band;
  const wide_k = roundUp(rc + rs);
  const rounded = (rows: Float64Array, n: number, from: number, to: number) => {
    const out = scratchF32(n * to);
    for (let k = 0; k < n; k++) out.set(rows.subarray(k * from, k * from + Math.min(from, to)), k * to);
    return out;
  };
  return {
    ...{ b0, b1, rc, rs, rp: wide_k },
    q: rounded(band.q, b1 - b0, rp, wide_k),
    ec_kh: rounded(band.ec_kh, rc, n_h, wide_h),
    es_kh: rounded(band.es_kh, rs, n_h, wide_h),
    cosFc_h: rounded(band.cosFc_h, 1, n_h, wide_h),
    sinFc_h: rounded(band.sinFc_h, 1, n_h, wide_h),
  };
}
