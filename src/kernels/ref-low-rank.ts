/** Twin of c/low-rank.c: layouts in `setup-table.ts`. */
import type { SetupKernels } from "./setup-table.ts";

export const fitBasis: SetupKernels["fitBasis"] = (
  q_rb,
  e_rh,
  work,
  offset_b,
  tau_h,
  sine,
  smallest,
  n_b,
  n_h,
) => {
  const columns = work.subarray(0, n_h * n_b);
  const residual = work.subarray(n_h * n_b, 2 * n_h * n_b);
  const squares = work.subarray(2 * n_h * n_b, 2 * n_h * n_b + n_h);
  for (let h = 0; h < n_h; h++) {
    for (let b = 0; b < n_b; b++) {
      const turns = offset_b[b] * tau_h[h];
      const angle = 2 * Math.PI * (turns - Math.round(turns));
      columns[h * n_b + b] = sine ? Math.sin(angle) : Math.cos(angle);
    }
  }
  residual.set(columns);
  for (let h = 0; h < n_h; h++) squares[h] = dot(residual, h * n_b, residual, h * n_b, n_b);
  let rank = 0;
  for (; rank < Math.min(n_b, n_h); rank++) {
    let pivot = 0;
    for (let h = 1; h < n_h; h++) if (squares[h] > squares[pivot]) pivot = h;
    if (Math.sqrt(squares[pivot]) <= smallest) break;
    const vector = q_rb.subarray(rank * n_b, (rank + 1) * n_b);
    vector.set(residual.subarray(pivot * n_b, (pivot + 1) * n_b));
    for (let r = 0; r < rank; r++) {
      const earlier = q_rb.subarray(r * n_b, (r + 1) * n_b);
      subtract(vector, 0, earlier, dot(earlier, 0, vector, 0, n_b), n_b);
    }
    const norm = Math.sqrt(dot(vector, 0, vector, 0, n_b));
    for (let b = 0; b < n_b; b++) vector[b] /= norm;
    for (let h = 0; h < n_h; h++) {
      e_rh[rank * n_h + h] = dot(vector, 0, columns, h * n_b, n_b);
      subtract(residual, h * n_b, vector, dot(vector, 0, residual, h * n_b, n_b), n_b);
      squares[h] = dot(residual, h * n_b, residual, h * n_b, n_b);
    }
    squares[pivot] = 0;
  }
  return rank;
};

/** sum_k a_k b_k from a0 and b0 on: those of even and of odd k, then both. */
export function dot(a: Float64Array, a0: number, b: Float64Array, b0: number, n: number): number {
  let even = 0;
  let odd = 0;
  const paired = n - (n % 2);
  for (let j = 0; j < paired; j += 2) {
    even += a[a0 + j] * b[b0 + j];
    odd += a[a0 + j + 1] * b[b0 + j + 1];
  }
  if (paired < n) even += a[a0 + paired] * b[b0 + paired];
  return even + odd;
}

/** a[a0 ...] -= factor * b */
function subtract(a: Float64Array, a0: number, b: Float64Array, factor: number, n: number): void {
  for (let j = 0; j < n; j++) a[a0 + j] -= factor * b[j];
}
