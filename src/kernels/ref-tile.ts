/** What the matrix products of the TypeScript kernels have in common. In inner loops no destructuring: it costs a call. */

/**
 * Two rows times four columns of a matrix product, held in local variables: out_rj = sum_k a_rk q_kj. Each output is one
 * chain of additions in the order of k.
 * @param out0 @param out1 where the two rows of the result begin @param a0 @param a1 where the rows of `a` begin
 * @param q0 where the columns begin @param ldq distance of the rows of q
 */
export function tile2x4(
  out: Float64Array,
  out0: number,
  out1: number,
  a: Float64Array,
  a0: number,
  a1: number,
  q: Float64Array,
  q0: number,
  ldq: number,
  n_k: number,
): void {
  let u0 = 0;
  let u1 = 0;
  let u2 = 0;
  let u3 = 0;
  let v0 = 0;
  let v1 = 0;
  let v2 = 0;
  let v3 = 0;
  for (let k = 0, at = q0; k < n_k; k++, at += ldq) {
    const q_0 = q[at];
    const q_1 = q[at + 1];
    const q_2 = q[at + 2];
    const q_3 = q[at + 3];
    const u = a[a0 + k];
    const v = a[a1 + k];
    u0 += u * q_0;
    u1 += u * q_1;
    u2 += u * q_2;
    u3 += u * q_3;
    v0 += v * q_0;
    v1 += v * q_1;
    v2 += v * q_2;
    v3 += v * q_3;
  }
  out[out0] = u0;
  out[out0 + 1] = u1;
  out[out0 + 2] = u2;
  out[out0 + 3] = u3;
  out[out1] = v0;
  out[out1 + 1] = v1;
  out[out1 + 2] = v2;
  out[out1 + 3] = v3;
}
