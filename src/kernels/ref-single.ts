/**
 * Twins of c/single.c: the same functions in double precision, on Float32Arrays, which round what is stored; C rounds its
 * sums at every term too. They define the kernels and no more: in TypeScript single precision is no faster, so no run uses
 * them. Layouts: `single-table.ts`.
 */
import { expandGrid, project } from "./ref-project.ts";
import { weighted } from "./ref-waveform.ts";
import type { SingleKernels } from "./single-table.ts";

const asDoubles = (x: Float32Array) => x as unknown as Float64Array;

export const singleReference: SingleKernels = {
  weightedSingle: (g, ...rest) => weighted(asDoubles(g), ...rest),
  projectSingle: (y, ldy, a, start, lda, q, ...sizes) =>
    project(asDoubles(y), ldy, asDoubles(a), start, lda, asDoubles(q), ...sizes),
  expandGridSingle: (z, y, ldy, ec, es, cosFc, sinFc, ...rest) =>
    expandGrid(
      asDoubles(z),
      asDoubles(y),
      ldy,
      asDoubles(ec),
      asDoubles(es),
      asDoubles(cosFc),
      asDoubles(sinFc),
      ...rest,
    ),
  widen(out, x, n) {
    for (let k = 0; k < n; k++) out[k] = x[k];
  },
};
