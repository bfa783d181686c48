import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { asdDrift, robustStd } from "../src/gw/asd-drift.ts";
import { type Event, readEvent } from "../src/gw/event.ts";
import { MatchedFilter } from "../src/gw/matched-filter.ts";
import { openNpz } from "../src/io/npz.ts";
import { loadKernels } from "../src/kernels/table.ts";

const FIXTURES = join(import.meta.dir, "fixtures");
const SHARED = join(import.meta.dir, "../../shared/reference");
const M_ARR = [2, 1, 3, 4];
const KERNELS = loadKernels("auto");

/**
 * `drift_d` is what cogwheel 1.6.0's own `compute_asd_drift` gives for the template sum_mp F_p h0_raw_mpf e^(i m phi)
 * e^(-2 pi i f t_d); response_pd, t_d (s) and phi are those of the reference run's par_dic_0.
 * `reference_d` is the asd_drift in reference.npz: cogwheel computes it from the same source with other precession angles
 * (h0_raw forces the NNLO ones), hence the small difference.
 */
type Case = { response_pd: number[][]; t_d: number[]; phi: number; drift_d: number[]; reference_d: number[] };

const GW170814: Case = {
  response_pd: [
    [-0.29435972700851537, 0.4243700696203499, 0.4741977360906],
    [0.41324213541950855, -0.28027636760118235, -0.14328214945607878],
  ],
  t_d: [0.030969502118217175, 0.022690493750126356, 0.0366573084039182],
  phi: 0.274510035548161,
  drift_d: [0.9829791420021528, 1.005869586660645, 0.9799442897293106],
  reference_d: [0.98301577, 1.00619214, 0.97998071],
};

const INJECTION_C: Case = {
  response_pd: [
    [-0.7411874330007809, 0.9007996731695911, -0.09642370777253606],
    [0.28039750215312753, -0.3849884590523375, 0.5463491444041024],
  ],
  t_d: [-0.017009992671524445, -0.0210152075282043, -0.007199214582721579],
  phi: 0.40270155441905053,
  drift_d: [1.001626967469431, 1.000362187999912, 1.010023990858775],
  reference_d: [1.00192412, 1.00040239, 1.00994274],
};

/** Drift of every detector with the reference run's waveform turned to the case's phase and moved to its arrival times. */
function driftOf(event: Event, referencePath: string, { response_pd, t_d, phi }: Case): number[] {
  const h0_mpf = openNpz(referencePath).get("h0_raw_mpf").toComplex();
  const filter = new MatchedFilter(event.f, KERNELS);
  return t_d.map((t, d) => {
    const templateRe = new Float64Array(event.n_f);
    const templateIm = new Float64Array(event.n_f);
    for (let f = 0; f < event.n_f; f++) {
      for (let m = 0; m < M_ARR.length; m++) {
        const angle = M_ARR[m] * phi - 2 * Math.PI * event.f[f] * t;
        const [c, s] = [Math.cos(angle), Math.sin(angle)];
        for (let p = 0; p < 2; p++) {
          const at = 2 * ((2 * m + p) * event.n_f + f);
          templateRe[f] += response_pd[p][d] * (h0_mpf[at] * c - h0_mpf[at + 1] * s);
          templateIm[f] += response_pd[p][d] * (h0_mpf[at] * s + h0_mpf[at + 1] * c);
        }
      }
    }
    const row = (x_df: Float64Array) => x_df.subarray(d * event.n_f, (d + 1) * event.n_f);
    const power_f = row(event.whiten_df).map((x) => x * x);
    const data = { re_f: row(event.strainRe_df), im_f: row(event.strainIm_df), power_f };
    const output = filter.run(data, { re_f: templateRe, im_f: templateIm });
    return asdDrift(output, 2 * event.f[event.n_f - 1], KERNELS);
  });
}

function expectDrift(found: number[], { drift_d, reference_d }: Case) {
  found.forEach((drift, d) => {
    expect(Math.abs(drift - drift_d[d])).toBeLessThan(1e-9);
    expect(Math.abs(drift - reference_d[d])).toBeLessThan(5e-4);
  });
}

test("GW170814: cogwheel's drift in H, L and V", () => {
  const event = readEvent(join(FIXTURES, "events/GW170814.npz"));
  expectDrift(driftOf(event, join(FIXTURES, "runs/small/reference.npz"), GW170814), GW170814);
});

const injectionPath = join(SHARED, "events/injection-c.npz");
test.skipIf(!existsSync(injectionPath))("injection-c: cogwheel's drift (needs ../shared/reference)", () => {
  const event = readEvent(injectionPath);
  expectDrift(driftOf(event, join(SHARED, "runs/injection-c/reference.npz"), INJECTION_C), INJECTION_C);
});

describe("robustStd", () => {
  const values = Float64Array.of(
    ...[0.3, -1.2, 0.8, 1.5, -0.2, 0.1, 0.05, 0.3, -0.4, 0.2, 0.6, 1.1],
    ...[-2, 0.7, 9, -1.3, 0.4, 1.2, -0.9, 0.2, -1.6, 0.5, 1.9, -0.1],
  );

  test("drops the hole, the glitch and their neighbours", () => {
    // The hole of seven at 4-10 and the 9 at 14, each with two on both sides, leave 0.3 -1.2 and the seven at the end.
    const kept = [0.3, -1.2, 1.2, -0.9, 0.2, -1.6, 0.5, 1.9, -0.1];
    const mean = kept.reduce((sum, v) => sum + v, 0) / 9;
    const expected = Math.sqrt(kept.reduce((sum, v) => sum + (v - mean) ** 2, 0) / 9);
    expect(robustStd(values, 5, 2, KERNELS)).toBeCloseTo(expected, 14);
    expect(expected).toBeCloseTo(1.0666666666666667, 14);
  });

  test("a hole at the very start is widened to the right only", () => {
    const start = Float64Array.of(0, 0, 0, 0, 1.1, -1.2, 1.3, -1.4, 1.2, -1.1);
    const kept = [1.3, -1.4, 1.2, -1.1];
    const square = kept.reduce((sum, v) => sum + v * v, 0) / 4;
    expect(robustStd(start, 3, 2, KERNELS)).toBeCloseTo(Math.sqrt(square), 14);
  });

  test("nothing left is an error", () => {
    expect(() => robustStd(new Float64Array(50), 10, 2, KERNELS)).toThrow("every sample");
  });
});

test("a template without norm is an error", () => {
  const zero = new Float64Array(17);
  const one = new Float64Array(17).fill(1);
  const f = Float64Array.from({ length: 17 }, (_, j) => j);
  const data = { re_f: one, im_f: one, power_f: one };
  const output = new MatchedFilter(f, KERNELS).run(data, { re_f: zero, im_f: zero });
  expect(() => asdDrift(output, 32, KERNELS)).toThrow("signal-to-noise ratio in a detector is 0");
});
