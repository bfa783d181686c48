/** The reference waveform h0: the smooth phase of a bank sample, and a plain power law for its amplitude. */
import type { SummaryGrid } from "../kernels/setup-table.ts";
import type { DataWeights } from "./reference.ts";
import { dataWeightsOf, type GridWaveform } from "./relative-binning.ts";
import type { Setting } from "./setting.ts";
import { type InspiralParameters, inspiralSeries } from "./taylor-f2.ts";

/** All that h0 is made of: a few kilobytes that give it back exactly on any grid. */
export interface SmoothRecipe {
  /** Phase beyond the inspiral's on the bins, for both polarizations (m, b). */
  readonly rest_mb: Float64Array;
  readonly inspiral: InspiralParameters;
}

/**
 * h0 on the FFT grid (zero outside the bins; views of the setting's h0) and on the bins, its merger at time zero; both
 * polarizations are the same.
 */
export function smoothWaveform(
  setting: Setting,
  mArr: readonly number[],
  { rest_mb, inspiral }: SmoothRecipe,
): GridWaveform {
  const { event, summary, kernels } = setting;
  const n_b = summary.n_b;
  const onBins = binGrid(summary.grid);
  const [n_mf, n_mb] = [mArr.length * event.n_f, mArr.length * n_b];
  const { h0_cmf: h_cmf } = setting;
  const h_cmb = new Float64Array(2 * n_mb);
  const pieces = new Float64Array(4 * (n_b - 1));
  mArr.forEach((mode, m) => {
    summary.writeSpline(pieces, rest_mb.subarray(m * n_b, (m + 1) * n_b));
    const series = inspiralSeries(inspiral, mode);
    kernels.smoothMode(h_cmf.subarray(m * event.n_f), event.f, summary.grid, pieces, series, n_mf);
    kernels.smoothMode(h_cmb.subarray(m * n_b), summary.grid.knots, onBins, pieces, series, n_mb);
  });
  return {
    n_p: 1,
    ...{ re_mpf: h_cmf.subarray(0, n_mf), im_mpf: h_cmf.subarray(n_mf) },
    ...{ re_mpb: h_cmb.subarray(0, n_mb), im_mpb: h_cmb.subarray(n_mb) },
  };
}

/** The bins themselves as the grid: each interval holds its own knot, the last one both of its. */
function binGrid(grid: SummaryGrid): SummaryGrid {
  const edges = Int32Array.from({ length: grid.n_b }, (_, b) => (b === grid.n_b - 1 ? grid.n_b : b));
  return { ...grid, edges };
}

/** `Reference.dataWeightsAt` of an h0. */
export function dataWeightsOfRecipe(
  setting: () => Setting,
  mArr: readonly number[],
  recipe: SmoothRecipe,
): (d: number, arrival: number) => DataWeights {
  let made: { setting: Setting; h0: GridWaveform } | undefined;
  return (d, arrival) => {
    if (made === undefined) {
      const opened = setting();
      made = { setting: opened, h0: smoothWaveform(opened, mArr, recipe) };
    }
    return dataWeightsOf({ ...made, detectors: [d], delay_d: [arrival] });
  };
}
