/** Which detectors the network coordinates refer to, and the signal's mean frequency: chosen as cogwheel chooses them. */
import type { Event } from "./event.ts";
import { IrfftPlan } from "./fft.ts";
import type { NetworkFrame } from "./prior.ts";

/** The signal in one detector, where it stands in the segment, on the FFT grid (f), any norm. */
export interface DetectorTemplate {
  readonly re_f: Float64Array;
  readonly im_f: Float64Array;
}

/** Half the width of the window around the template's place in which its best time is sought, s. */
const TIME_WINDOW = 0.1;

/**
 * Log likelihood of a template in detector d, maximised over amplitude, phase and time:
 * max_t |<d|h>(t)|^2 / (2 <h|h>), t within `TIME_WINDOW` of the template's place; without noise drift.
 * @param plan inverse transform of length 2 (n_f - 1)
 */
export function matchedFilterPeak(
  event: Event,
  d: number,
  template: DetectorTemplate,
  plan: IrfftPlan,
): number {
  const { n_f, df, f } = event;
  const re = new Float64Array(n_f);
  const im = new Float64Array(n_f);
  let h_h = 0;
  for (let k = 0; k < n_f; k++) {
    const weight = event.whiten_df[d * n_f + k] ** 2;
    const [sRe, sIm] = [event.strainRe_df[d * n_f + k], event.strainIm_df[d * n_f + k]];
    const [hRe, hIm] = [template.re_f[k], template.im_f[k]];
    re[k] = weight * (sRe * hRe + sIm * hIm);
    im[k] = weight * (sIm * hRe - sRe * hIm);
    h_h += 4 * df * weight * (hRe * hRe + hIm * hIm);
  }
  // A real transform gives Re <d|h>(t) and, with the series turned by -pi/2, Im <d|h>(t).
  const cos_t = plan.run(re, im);
  const sin_t = plan.run(
    im,
    re.map((x) => -x),
  );
  const n_window = Math.min(Math.ceil(TIME_WINDOW * 2 * f[n_f - 1]), plan.n >> 1);
  let best = 0;
  for (let lag = -n_window; lag <= n_window; lag++) {
    const t = lag < 0 ? lag + plan.n : lag;
    best = Math.max(best, cos_t[t] ** 2 + sin_t[t] ** 2);
  }
  const d_h2 = best * (2 * df * plan.n) ** 2;
  return h_h > 0 ? d_h2 / (2 * h_h) : 0;
}

/** Mean frequency (Hz, whole) of a template's SNR^2 in detector d. */
export function averageFrequency(event: Event, d: number, template: DetectorTemplate): number {
  let sum = 0;
  let weighted = 0;
  for (let k = 0; k < event.n_f; k++) {
    const power = event.whiten_df[d * event.n_f + k] ** 2 * (template.re_f[k] ** 2 + template.im_f[k] ** 2);
    sum += power;
    weighted += power * event.f[k];
  }
  return sum > 0 ? Math.round(weighted / sum) : 0;
}

/** Positions on the d axis, loudest first; of equally loud ones the later letter first. */
export function loudestFirst(names: readonly string[], lnl_d: ArrayLike<number>): number[] {
  const order = names.map((_, d) => d);
  return order.sort((a, b) => lnl_d[b] - lnl_d[a] || (names[a] < names[b] ? 1 : -1));
}

/**
 * The frame of a best-fitting signal.
 * @param templates the signal in each detector @param asdDrift_d the noise drift, which divides the likelihoods
 * @param phaseOf `phaseRefdet` of the signal in this frame (rad)
 */
export function networkFrameOf(
  event: Event,
  templates: readonly DetectorTemplate[],
  asdDrift_d: Float64Array,
  phaseOf: (frame: Omit<NetworkFrame, "phaseRefdet0">, d: number) => number,
): NetworkFrame {
  const plan = new IrfftPlan(2 * (event.n_f - 1));
  const lnl_d = templates.map(
    (template, d) => matchedFilterPeak(event, d, template, plan) / asdDrift_d[d] ** 2,
  );
  const order = loudestFirst(event.detectors, lnl_d);
  const [d] = order;
  const frame = {
    tgps: event.tgps,
    detectorPair: order
      .slice(0, 2)
      .map((k) => event.detectors[k])
      .join(""),
    refDetector: event.detectors[d],
    fAvg: averageFrequency(event, d, templates[d]),
  };
  return { ...frame, phaseRefdet0: phaseOf(frame, d) };
}
