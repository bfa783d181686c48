/** Small weighted least squares, many of them: Householder reflections in arrays that are used again. */

export class LeastSquares {
  /** The system (column by column) and its right side, `n_rows` + n_columns each; the extra rows hold the ridge. */
  private readonly columns: Float64Array;
  private readonly right: Float64Array;
  private readonly stride: number;
  /** The solution of the last call. */
  readonly solution: Float64Array;

  constructor(
    private readonly n_rows: number,
    n_columns: number,
  ) {
    this.stride = n_rows + n_columns;
    this.columns = new Float64Array(this.stride * n_columns);
    this.right = new Float64Array(this.stride);
    this.solution = new Float64Array(n_columns);
  }

  /**
   * Minimizes sum_s weight_s^2 (y_s - sum_k c_k d_ks)^2 + sum_k (ridge |d_k| c_k)^2, |d_k| the weighted norm of column k.
   * @param d_ks columns, `n_rows` apart; n of them
   */
  solve(d_ks: Float64Array, n: number, y_s: Float64Array, weight_s: Float64Array, ridge: number): void {
    const { columns, right, stride, n_rows, solution } = this;
    const rows = n_rows + n;
    for (let s = 0; s < n_rows; s++) right[s] = weight_s[s] * y_s[s];
    right.fill(0, n_rows, rows);
    for (let k = 0; k < n; k++) {
      const at = k * stride;
      let square = 0;
      for (let s = 0; s < n_rows; s++) {
        const x = weight_s[s] * d_ks[k * n_rows + s];
        columns[at + s] = x;
        square += x * x;
      }
      columns.fill(0, at + n_rows, at + rows);
      // An empty column is kept apart from the others, with the solution 0.
      columns[at + n_rows + k] = square > 0 ? ridge * Math.sqrt(square) : 1;
    }
    for (let k = 0; k < n; k++) this.reflect(k, n, rows);
    for (let k = n - 1; k >= 0; k--) {
      let sum = right[k];
      for (let j = k + 1; j < n; j++) sum -= columns[j * stride + k] * solution[j];
      const pivot = columns[k * stride + k];
      solution[k] = pivot === 0 ? 0 : sum / pivot;
    }
  }

  /** Makes column k zero below its k-th element. */
  private reflect(k: number, n: number, rows: number): void {
    const { columns, right, stride } = this;
    const own = k * stride;
    let square = 0;
    for (let s = k; s < rows; s++) square += columns[own + s] * columns[own + s];
    const head = columns[own + k];
    const norm = head > 0 ? -Math.sqrt(square) : Math.sqrt(square);
    if (norm === 0) return;
    const first = head - norm;
    // v = column - norm e_k; v^T v = 2 norm (norm - head)
    const scale = 1 / (norm * (norm - head));
    columns[own + k] = first;
    for (let j = k + 1; j < n; j++) apply(columns, j * stride, columns, own, k, rows, scale);
    apply(right, 0, columns, own, k, rows, scale);
    columns[own + k] = norm;
  }
}

function apply(
  to: Float64Array,
  at: number,
  v: Float64Array,
  own: number,
  k: number,
  rows: number,
  scale: number,
): void {
  let dot = 0;
  for (let s = k; s < rows; s++) dot += v[own + s] * to[at + s];
  dot *= scale;
  for (let s = k; s < rows; s++) to[at + s] -= dot * v[own + s];
}
