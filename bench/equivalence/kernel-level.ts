/** Inner products from the reference run's own weights and waveforms. */
import { modePairs } from "../../src/axes.ts";
import type { Reference } from "../../src/gw/reference.ts";
import type { ComplexArray } from "../../src/gw/reference-entries.ts";
import { openNpz } from "../../src/io/npz.ts";
import { availableKernels, loadKernels } from "../../src/kernels/table.ts";
import { samplePlan } from "../../src/stages/bank-samples.ts";
import type { ExtrinsicSet } from "../../src/stages/coherent-plan.ts";
import { termsByPair } from "../../test/pair-terms.ts";
import { complexOf, real, relativeError, runPath } from "../../test/reference-cases.ts";
import { phaseProducts, type Waveforms } from "./given-waveforms.ts";
import type { Level } from "./level.ts";
import { firstSamples, readExtrinsic, type Subject } from "./subject.ts";

const ALLOWED = 1e-12;

/** The worst over every kernel variant that this machine runs. */
export const kernelLevel: Level = {
  name: "kernel",
  quantities: ["dh_iem", "hh_iem", "dh_ieo", "hh_ieo"].map((name) => ({
    name,
    unit: "relative",
    allowed: ALLOWED,
  })),
  async measure(subject) {
    const block = readBlock(subject);
    const worst = [0, 0, 0, 0];
    for (const kernels of availableKernels()) {
      const errors = await errorsOf(subject, block, kernels);
      errors.forEach((error, k) => {
        worst[k] = Math.max(worst[k], error);
      });
    }
    return worst;
  },
};

interface Block {
  readonly reference: Reference;
  readonly set: ExtrinsicSet;
  readonly n_i: number;
  readonly h_impb: ComplexArray;
  readonly dh_iem: ComplexArray;
  readonly hh_ieM: ComplexArray;
  readonly dh_ieo: Float64Array;
  readonly hh_ieo: Float64Array;
}

function readBlock(subject: Subject): Block {
  const { one, reference, event } = subject;
  const extrinsic = readExtrinsic(one, { ...event, tcoarse: 0 });
  const file = openNpz(runPath(one, "coherent_block.npz"));
  const weights = openNpz(runPath(one, "reference.npz"));
  const dh = turnedToTcoarse(complexOf(weights, "dh_weights_dmpb"), subject);
  const hh = complexOf(weights, "hh_weights_dmppb");
  const [n_i, n_e] = file.get("dh_iem").shape;
  return {
    reference: {
      ...reference,
      coherent: { dhRe_dmpb: dh.re, dhIm_dmpb: dh.im, hhRe_dMpPb: hh.re, hhIm_dMpPb: hh.im },
    },
    set: firstSamples(extrinsic, n_e),
    n_i,
    h_impb: complexOf(file, "h_impb"),
    dh_iem: complexOf(file, "dh_iem"),
    hh_ieM: complexOf(file, "hh_iem"),
    dh_ieo: file.get("dh_ieo").toFloat64(),
    hh_ieo: file.get("hh_ieo").toFloat64(),
  };
}

/**
 * dot_pe moves signals by exp(2 pi i f tcoarse) with the angle, up to 10^6 rad, in one double: that rounding is in the
 * recorded numbers. So it is given here, in the weights, and arrival times count from tcoarse.
 */
function turnedToTcoarse({ re, im }: ComplexArray, { bins, event }: Subject): ComplexArray {
  const angle_b = bins.fbin.map((f) => 2 * Math.PI * f * event.tcoarse);
  const [cos, sin] = [angle_b.map(Math.cos), angle_b.map(Math.sin)];
  const n_b = angle_b.length;
  return {
    re: re.map((x, k) => x * cos[k % n_b] - im[k] * sin[k % n_b]),
    im: re.map((x, k) => x * sin[k % n_b] + im[k] * cos[k % n_b]),
  };
}

async function errorsOf(subject: Subject, block: Block, kernels: string): Promise<number[]> {
  const { n_phi } = subject.digest.kwargs;
  const { reference, set, n_i, h_impb } = block;
  const waveforms: Waveforms = {
    n_i,
    amplitude_impb: h_impb.re.map((re, k) => Math.hypot(re, h_impb.im[k])),
    phase_impb: h_impb.re.map((re, k) => Math.atan2(h_impb.im[k], re)),
  };
  const { dh_ieo, hh_ieo } = await phaseProducts(subject, reference, waveforms, set, n_phi, kernels);
  return [
    relativeError(modesOf(dh_ieo, subject.mArr, n_phi), block.dh_iem),
    relativeError(pairProducts(subject, block, kernels), block.hh_ieM),
    relativeError(real(dh_ieo), real(block.dh_ieo)),
    relativeError(real(hh_ieo), real(block.hh_ieo)),
  ];
}

/** dh_m of dh(o) = Re sum_m dh_m e^{-i m phi_o}: stage 5 keeps no products by mode, but the phase grid holds them all. */
function modesOf(dh_ieo: Float64Array, mArr: readonly number[], n_o: number): ComplexArray {
  const n_m = mArr.length;
  const n_ie = dh_ieo.length / n_o;
  const [re, im] = [0, 1].map(() => new Float64Array(n_ie * n_m));
  for (let at = 0; at < re.length; at++) {
    const [ie, m] = [Math.floor(at / n_m), mArr[at % n_m]];
    for (let o = 0; o < n_o; o++) {
      const phi = (2 * Math.PI * ((m * o) % n_o)) / n_o;
      re[at] += (2 / n_o) * dh_ieo[ie * n_o + o] * Math.cos(phi);
      im[at] += (2 / n_o) * dh_ieo[ie * n_o + o] * Math.sin(phi);
    }
  }
  return { re, im };
}

/** hh_ieM = sum_dpP hh_dMpP F_dpe F_dPe, with the kernel that stages 2, 4 and 5 form their products with. */
function pairProducts({ bins }: Subject, block: Block, name: string): ComplexArray {
  const { reference, set, n_i, h_impb } = block;
  const { n_e, response_dpe } = set;
  const data = Array.from(reference.asdDrift_d, (drift, d) => ({
    of: reference.coherent,
    d,
    drift,
    centre: 0,
  }));
  const weights = { data, norms: data, alignment: reference.coherentAlignment };
  const { n_d, n_m, n_b, n_bp, products } = samplePlan(bins, weights, termsByPair(bins.mArr));
  const { w, terms, groupSize_g, n_g } = products;
  const n_M = modePairs(n_m).length;
  const h_mpcb = new Float64Array(4 * n_m * n_bp);
  const hh_dgc = new Float64Array(n_d * n_g * 2);
  const [re, im] = [0, 1].map(() => new Float64Array(n_i * n_e * n_M));
  for (let i = 0; i < n_i; i++) {
    for (let mp = 0; mp < 2 * n_m; mp++) {
      const from = (i * 2 * n_m + mp) * n_b;
      h_mpcb.set(h_impb.re.subarray(from, from + n_b), 2 * mp * n_bp);
      h_mpcb.set(h_impb.im.subarray(from, from + n_b), (2 * mp + 1) * n_bp);
    }
    loadKernels(name).modeProducts(hh_dgc, h_mpcb, w, terms, groupSize_g, n_g, 1, n_d, 2 * n_m, n_bp);
    for (let at = 0; at < n_e * n_M * n_d * 4; at++) {
      const [pP, d] = [at % 4, Math.floor(at / 4) % n_d];
      const M = Math.floor(at / 4 / n_d) % n_M;
      const e = Math.floor(at / 4 / n_d / n_M);
      const f = response_dpe[(2 * d + (pP >> 1)) * n_e + e] * response_dpe[(2 * d + (pP & 1)) * n_e + e];
      const to = (i * n_e + e) * n_M + M;
      re[to] += f * hh_dgc[2 * (d * n_g + 4 * M + pP)];
      im[to] += f * hh_dgc[2 * (d * n_g + 4 * M + pP) + 1];
    }
  }
  return { re, im };
}
