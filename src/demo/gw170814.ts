/** The event of the demo, and what is published of it. */
import type { Interval } from "../report/interval.ts";
import type { Published } from "../report/published.ts";

/** As the catalogue writes it: 24.1 +1.4 -1.1. */
function measured(median: number, plus: number, minus: number): Interval {
  return { median, hi: median + plus, lo: median - minus };
}

/** Table III (source properties; medians and 90% intervals) of GWTC-1, which has the sky area too. */
export const GW170814_PUBLISHED: Published = {
  label: "GWTC-1",
  citation: "Abbott et al. 2019, Phys. Rev. X 9, 031040 (arXiv:1811.12907), table III",
  values: {
    m1_source: measured(30.6, 5.6, 3.0),
    m2_source: measured(25.2, 2.8, 4.0),
    mchirp_source: measured(24.1, 1.4, 1.1),
    chieff: measured(0.07, 0.12, 0.12),
    d_luminosity: measured(600, 150, 220),
    redshift: measured(0.12, 0.03, 0.04),
  },
  skyArea90: 87,
};
