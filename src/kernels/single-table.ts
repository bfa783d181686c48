/** Kernels in single precision: the transform of stage 2 for a first look at every sample. Sizes as in `table.ts`. */
export interface SingleKernels {
  /** As `weighted`, computed in double precision and rounded. */
  weightedSingle(
    g_dmpcb: Float32Array,
    w_dmpcb: Float64Array,
    h_mpcb: Float64Array,
    n_d: number,
    n_mp: number,
    n_bp: number,
  ): void;

  /** As `project`, n_k a multiple of 16. */
  projectSingle(
    y: Float32Array,
    ldy: number,
    a: Float32Array,
    start: number,
    lda: number,
    q: Float32Array,
    n_r: number,
    n_b: number,
    n_k: number,
  ): void;

  /** As `expandGrid`, n_h a multiple of 16. */
  expandGridSingle(
    z_rct: Float32Array,
    y: Float32Array,
    ldy: number,
    ec_kh: Float32Array,
    es_kh: Float32Array,
    cosFc_h: Float32Array,
    sinFc_h: Float32Array,
    n_r: number,
    rc: number,
    rs: number,
    n_h: number,
    first: boolean,
  ): void;

  /** out = x, n numbers, a multiple of 16. */
  widen(out: Float64Array, x: Float32Array, n: number): void;
}
