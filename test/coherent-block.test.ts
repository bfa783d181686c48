/**
 * The kernel level of equivalence: from a reference run's own weights and aligned waveforms (`coherent_block.npz`: the first
 * 8 accepted and 16 extrinsic samples), its inner products by mode and on the phase grid.
 */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { modePairs } from "../src/axes.ts";
import { arrivalTimes, detectorsNamed } from "../src/gw/detectors.ts";
import { timeSetBasis } from "../src/gw/low-rank.ts";
import { readFeather } from "../src/io/feather.ts";
import { readNpy } from "../src/io/npy.ts";
import { openNpz } from "../src/io/npz.ts";
import { availableKernels, type Kernels, loadKernels } from "../src/kernels/table.ts";
import { type BankBins, type SamplePlan, samplePlan, type WeightSet } from "../src/stages/bank-samples.ts";
import { setCoefficients } from "../src/stages/coherent.ts";
import { phaseTables } from "../src/stages/phases.ts";
import { tileRows } from "./kernel-cases.ts";
import { termsByPair } from "./pair-terms.ts";
import {
  CASES,
  caseName,
  complexOf,
  openCase,
  type ReferenceCase,
  real,
  relativeError,
  runPath,
} from "./reference-cases.ts";

const TOLERANCE = 1e-12;
/**
 * The reference takes exp(2 pi i f t) of angles up to 6e5 rad (injection-c), whose rounding alone is 1e-10 rad. Its own
 * numbers, recomputed in NumPy with the angles in long double, move by 6e-13 (small) and 2.9e-12 (injection-c).
 */
const TIME_TOLERANCES: Record<string, number> = { "injection-c": 4e-12 };
const [N_I, N_E] = [8, 16];

for (const one of CASES) {
  describe.skipIf(one.absent)(caseName(one), () => {
    test.each(availableKernels())("%s gives the reference's inner products", (name) => {
      const block = openNpz(runPath(one, "coherent_block.npz"));
      const found = innerProducts(one, loadKernels(name));
      const timeTolerance = TIME_TOLERANCES[one.name] ?? TOLERANCE;
      expect(relativeError(found.dh_iem, complexOf(block, "dh_iem"))).toBeLessThan(timeTolerance);
      expect(relativeError(found.hh_iem, complexOf(block, "hh_iem"))).toBeLessThan(TOLERANCE);
      const grid = (entry: string) => real(block.get(entry).toFloat64());
      expect(relativeError(real(found.dh_ieo), grid("dh_ieo"))).toBeLessThan(timeTolerance);
      expect(relativeError(real(found.hh_ieo), grid("hh_ieo"))).toBeLessThan(TOLERANCE);
    });
  });
}

/** What the block is made from. */
function openBlock(one: ReferenceCase) {
  const { event, mArr } = openCase(one);
  const reference = openNpz(runPath(one, "reference.npz"));
  const table = readFeather(runPath(one, "extrinsic_samples.feather"));
  const column = (name: string) => table.f64(name).slice(0, N_E);
  const detectors = detectorsNamed(event.detectors);
  // From tcoarse on, not from the start of the segment: tens of seconds would cost the last digits.
  const arrival_de = arrivalTimes(detectors, column("lat"), column("lon"), column("t_geocenter"));
  const response = readNpy(runPath(one, "response_dpe.npy"));
  const n_all = response.shape[2];
  const all_dpe = response.toFloat64();
  const response_dpe = Float64Array.from({ length: 2 * event.n_d * N_E }, (_, at) => {
    return all_dpe[Math.floor(at / N_E) * n_all + (at % N_E)];
  });
  const [dh, hh] = ["dh_weights_dmpb", "hh_weights_dmppb"].map((name) => complexOf(reference, name));
  const drift_d = reference.get("asd_drift").toFloat64();
  const of = { dhRe_dmpb: dh.re, dhIm_dmpb: dh.im, hhRe_dMpPb: hh.re, hhIm_dMpPb: hh.im };
  const norms = Array.from(drift_d, (drift, d) => ({ of, d, drift }));
  const centre_d = norms.map((_, d) => middle(arrival_de.subarray(d * N_E, (d + 1) * N_E)));
  const h2plus = complexOf(reference, "h2plus0_fbin");
  const set: WeightSet = {
    data: norms.map((norm, d) => ({ ...norm, centre: event.tcoarse + centre_d[d] })),
    norms,
    alignment: {
      polyfit_b: reference.get("polyfit_weights").toFloat64(),
      h2plusRe_b: h2plus.re,
      h2plusIm_b: h2plus.im,
    },
  };
  const bins: BankBins = { banks: [], mArr, b0: 0, fbin: reference.get("fbin").toFloat64() };
  const { n_phi } = JSON.parse(readFileSync(runPath(one, "digest.json"), "utf8")).kwargs;
  return { bins, set, response_dpe, arrival_de, centre_d, n_phi: n_phi as number, n_d: event.n_d };
}

type Block = ReturnType<typeof openBlock>;

/** Rounded, so that adding tcoarse is exact. */
function middle(times: Float64Array): number {
  return Math.round((Math.min(...times) + Math.max(...times)) * 2 ** 19) / 2 ** 20;
}

function innerProducts(one: ReferenceCase, kernels: Kernels) {
  const block = openBlock(one);
  const { bins, set, response_dpe, n_d, n_phi } = block;
  const plan = samplePlan(bins, set);
  const pairPlan = samplePlan(bins, set, termsByPair(bins.mArr));
  const { n_m } = plan;
  const n_M = modePairs(n_m).length;
  const { n_k } = phaseTables(bins.mArr, n_phi);
  const empty = (n: number) => ({ re: new Float64Array(n), im: new Float64Array(n) });
  const [dh_iem, hh_iem] = [empty(N_I * N_E * n_m), empty(N_I * N_E * n_M)];
  const [dh_ieo, hh_ieo] = [new Float64Array(N_I * N_E * n_phi), new Float64Array(N_I * N_E * n_phi)];
  const ff_dxe = responseProducts(response_dpe, n_d);
  const all = complexOf(openNpz(runPath(one, "coherent_block.npz")), "h_impb");
  for (let i = 0; i < N_I; i++) {
    const h_mpcb = padded(all, i, plan);
    const dh_mce = dataProducts(block, plan, h_mpcb, kernels);
    for (let e = 0; e < N_E; e++) {
      for (let m = 0; m < n_m; m++) {
        const at = (i * N_E + e) * n_m + m;
        dh_iem.re[at] = dh_mce[2 * m * N_E + e];
        dh_iem.im[at] = dh_mce[(2 * m + 1) * N_E + e];
      }
    }
    const pairs_dgc = normProducts(pairPlan, h_mpcb, kernels);
    for (let at = 0; at < N_E * n_M; at++) {
      const [e, M] = [Math.floor(at / n_M), at % n_M];
      for (let d = 0; d < n_d; d++) {
        for (let c = 0; c < 4; c++) {
          const ff = ff_dxe[(d * 3 + [0, 1, 1, 2][c]) * N_E + e];
          const from = 2 * ((d * n_M + M) * 4 + c);
          hh_iem.re[i * N_E * n_M + at] += pairs_dgc[from] * ff;
          hh_iem.im[i * N_E * n_M + at] += pairs_dgc[from + 1] * ff;
        }
      }
    }
    const c_cdx = coefficients(normProducts(plan, h_mpcb, kernels), n_d, n_k);
    const tile = { dh_mce, c_cdx, ff_dxe, n_e: N_E, n_valid: N_E };
    // A threshold below zero keeps every row, in the order of e, o.
    const rows = tileRows(tile, { mArr: bins.mArr, n_d, n_phi }, kernels, -1);
    dh_ieo.set(rows.dh, i * N_E * n_phi);
    hh_ieo.set(rows.hh, i * N_E * n_phi);
  }
  return { dh_iem, hh_iem, dh_ieo, hh_ieo };
}

/** Waveform i of h_impb as the kernels take it: re and im apart, bins padded. */
function padded(all: { re: Float64Array; im: Float64Array }, i: number, { n_m, n_b, n_bp }: SamplePlan) {
  const h_mpcb = new Float64Array(n_m * 2 * 2 * n_bp);
  for (let row = 0; row < 2 * n_m; row++) {
    const from = (i * 2 * n_m + row) * n_b;
    h_mpcb.set(all.re.subarray(from, from + n_b), row * 2 * n_bp);
    h_mpcb.set(all.im.subarray(from, from + n_b), (row * 2 + 1) * n_bp);
  }
  return h_mpcb;
}

/** <d|h> by mode, summed over detectors: (m, c, e). */
function dataProducts(block: Block, plan: SamplePlan, h_mpcb: Float64Array, kernels: Kernels): Float64Array {
  const { bins, arrival_de, centre_d, response_dpe, n_d } = block;
  const { n_m, n_b, n_bp, w_smpcb } = plan;
  const g_dmpcb = new Float64Array(w_smpcb.length);
  kernels.weighted(g_dmpcb, w_smpcb, h_mpcb, n_d, 2 * n_m, n_bp);
  const dh_mce = new Float64Array(n_m * 2 * N_E);
  for (let d = 0; d < n_d; d++) {
    const tau_e = arrival_de.slice(d * N_E, (d + 1) * N_E).map((t) => t - centre_d[d]);
    const { rc, rs, rp, q, ec, es, cosFc_e, sinFc_e } = timeSetBasis(bins.fbin, tau_e, 8);
    const y = new Float64Array(2 * 2 * n_m * rp);
    kernels.project(y, rp, g_dmpcb, d * 2 * n_m * 2 * n_bp, n_bp, q, 4 * n_m, n_b, rp);
    const x_pke = Float64Array.from({ length: 2 * (rc + rs) * N_E }, (_, at) => {
      const [e, k, p] = [at % N_E, Math.floor(at / N_E) % (rc + rs), Math.floor(at / N_E / (rc + rs))];
      return response_dpe[(2 * d + p) * N_E + e] * (k < rc ? ec[k * N_E + e] : es[(k - rc) * N_E + e]);
    });
    const a_mcpk = new Float64Array(n_m * 4 * (rc + rs));
    setCoefficients(a_mcpk, y, rp, n_m, { rc, rs });
    kernels.expandSet(dh_mce, a_mcpk, 0, x_pke, cosFc_e, sinFc_e, n_m, 2 * (rc + rs), N_E, d === 0);
  }
  return dh_mce;
}

function normProducts({ n_m, n_d, n_bp, products }: SamplePlan, h_mpcb: Float64Array, kernels: Kernels) {
  const { w, terms, groupSize_g, n_g } = products;
  const hh_dgc = new Float64Array(n_d * n_g * 2);
  kernels.modeProducts(hh_dgc, h_mpcb, w, terms, groupSize_g, n_g, 1, n_d, 2 * n_m, n_bp);
  return hh_dgc;
}

/** F+F+, F+Fx, FxFx: (d, x, e). */
function responseProducts(response_dpe: Float64Array, n_d: number): Float64Array {
  return Float64Array.from({ length: n_d * 3 * N_E }, (_, at) => {
    const [e, x, d] = [at % N_E, Math.floor(at / N_E) % 3, Math.floor(at / N_E / 3)];
    const [p, P] = [x >> 1, (x + 1) >> 1];
    return response_dpe[(2 * d + p) * N_E + e] * response_dpe[(2 * d + P) * N_E + e];
  });
}

/** Groups of `modeProducts` (00, 11, 01 of equal modes, then 00, 01, 10, 11 of each difference) as `coherentTile` wants them. */
function coefficients(hh_dgc: Float64Array, n_d: number, n_k: number): Float64Array {
  const c_cdx = new Float64Array((1 + 2 * n_k) * n_d * 3);
  for (let d = 0; d < n_d; d++) {
    const group = (g: number, part: number) => hh_dgc[(d * (3 + 4 * n_k) + g) * 2 + part];
    c_cdx.set([group(0, 0), 2 * group(2, 0), group(1, 0)], 3 * d);
    for (let c = 1; c < 1 + 2 * n_k; c++) {
      const [g, part] = [3 + 4 * ((c - 1) >> 1), (c - 1) & 1];
      const mixed = group(g + 1, part) + group(g + 2, part);
      c_cdx.set([group(g, part), mixed, group(g + 3, part)], 3 * (c * n_d + d));
    }
  }
  return c_cdx;
}
