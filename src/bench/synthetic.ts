/**
 * A made-up event and bank of the usual shape (three detectors, four modes, 378 bins), for a benchmark without data:
 * post-Newtonian waveforms around a chirp mass of 28 Msun, one of them in Gaussian noise of an analytic spectrum.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CONFIG_FILE, SAMPLES_FILE } from "../gw/bank.ts";
import { arrivalTimes, detectorResponses, detectorsNamed } from "../gw/detectors.ts";
import { SOLAR_MASS_SECONDS } from "../gw/prior.ts";
import { uniform } from "../gw/random.ts";
import { type InspiralParameters, inspiralPhase } from "../gw/taylor-f2.ts";
import { encodeFeather } from "../io/feather.ts";
import { encodeNpy, type NpyData } from "../io/npy-write.ts";
import { encodeNpz } from "../io/npz.ts";

const DETECTORS = "HLV";
const [F_LOW, F_HIGH, DF] = [20, 512, 1 / 16];
const N_F = F_HIGH / DF + 1;
const TCOARSE = 8;
const N_BINS = 378;
const MODES = [
  { l: 2, m: 2, size: 1 },
  { l: 2, m: 1, size: 0.05 },
  { l: 3, m: 3, size: 0.1 },
  { l: 4, m: 4, size: 0.04 },
];
const MPC_SECONDS = 1.0292712503e14;
const COS_IOTA = 0.6;
/** Of the injection. */
const PLACE = { lat: 0.6, lon: 1.9, psi: 0.8, t: 0.004, mpc: 500 };
const [SEED, MASS_STREAM, NOISE_STREAM] = [1, 2001, 2002];

type Sample = Readonly<InspiralParameters>;

/** Sample 0 is the one that is injected; the others lie around it, about one in six near enough to be accepted. */
function sampleAt(i: number): Sample {
  const draw = (k: number) => (i === 0 ? 0 : uniform(SEED, MASS_STREAM, 4 * i + k) - 0.5);
  const q = 0.7 + 0.5 * draw(0);
  const mchirp = 28 * (1 + 0.8 * draw(1));
  const m1 = (mchirp * (1 + q) ** 0.2) / q ** 0.6;
  return { m1, m2: q * m1, s1z: 0.6 * draw(2), s2z: 0.6 * draw(3) };
}

/** Amplitude and phase of one mode at 1 Mpc; the cross polarization lags by a quarter turn. */
function waveform(sample: Sample) {
  const { m1, m2 } = sample;
  const mchirp = ((m1 * m2) ** 0.6 / (m1 + m2) ** 0.2) * SOLAR_MASS_SECONDS;
  const scale = (Math.sqrt(5 / 24) * Math.PI ** (-2 / 3) * mchirp ** (5 / 6)) / MPC_SECONDS;
  const psi = inspiralPhase(sample);
  return (mode: number, p: number, f: number): [amplitude: number, phase: number] => {
    const { m, size } = MODES[mode];
    const inclined = p === 0 ? (1 + COS_IOTA * COS_IOTA) / 2 : COS_IOTA;
    const phase = (m / 2) * psi((2 * f) / m) - (p * Math.PI) / 2;
    return [scale * size * inclined * f ** (-7 / 6), phase];
  };
}

/** One-sided power spectral density (1/Hz) of the shape of Advanced LIGO's design. */
function noiseDensity(f: number): number {
  const x = f / 215;
  const x2 = x * x;
  return 1e-48 * (x ** -4.14 - 5 / x2 + (111 * (1 - x2 + (x2 * x2) / 2)) / (1 + x2 / 2));
}

function gaussian(counter: number): number {
  const radius = Math.sqrt(-2 * Math.log(1 - uniform(SEED, NOISE_STREAM, 2 * counter)));
  return radius * Math.cos(2 * Math.PI * uniform(SEED, NOISE_STREAM, 2 * counter + 1));
}

/** Strain and whitening filter (d, f). */
function makeData() {
  const detectors = detectorsNamed(DETECTORS);
  const [lat, lon, psi, t] = [PLACE.lat, PLACE.lon, PLACE.psi, PLACE.t].map((x) => Float64Array.of(x));
  const arrival_d = arrivalTimes(detectors, lat, lon, t, TCOARSE);
  const response_dp = detectorResponses(detectors, lat, lon, psi);
  const h = waveform(sampleAt(0));
  const strain_dfc = new Float64Array(detectors.length * N_F * 2);
  const whiten_df = new Float64Array(detectors.length * N_F);
  detectors.forEach((_, d) => {
    for (let k = Math.ceil(F_LOW / DF); k < N_F - 1; k++) {
      const f = k * DF;
      const at = d * N_F + k;
      const density = noiseDensity(f);
      whiten_df[at] = 1 / Math.sqrt(density);
      const sigma = Math.sqrt(density / (4 * DF));
      let [re, im] = [sigma * gaussian(2 * at), sigma * gaussian(2 * at + 1)];
      for (let mode = 0; mode < MODES.length; mode++) {
        for (let p = 0; p < 2; p++) {
          const [amplitude, phase] = h(mode, p, f);
          const angle = phase - 2 * Math.PI * f * arrival_d[d];
          const size = (amplitude * response_dp[2 * d + p]) / PLACE.mpc;
          re += size * Math.cos(angle);
          im += size * Math.sin(angle);
        }
      }
      strain_dfc[2 * at] = re;
      strain_dfc[2 * at + 1] = im;
    }
  });
  return { strain_dfc, whiten_df, n_d: detectors.length };
}

/** Writes the event; returns its path. */
export function writeSyntheticEvent(folder: string): string {
  const { strain_dfc, whiten_df, n_d } = makeData();
  const f = Float64Array.from({ length: N_F }, (_, k) => k * DF);
  const arrays: [string, readonly number[], NpyData][] = [
    ["detector_names", [], { dtype: "U", data: [DETECTORS] }],
    ["eventname", [], { dtype: "U", data: ["synthetic"] }],
    ["frequencies", [N_F], { dtype: "f8", data: f }],
    ["strain", [n_d, N_F], { dtype: "c16", data: strain_dfc }],
    ["wht_filter", [n_d, N_F], { dtype: "f8", data: whiten_df }],
    ["tgps", [], { dtype: "f8", data: Float64Array.of(1e9) }],
    ["tcoarse", [], { dtype: "f8", data: Float64Array.of(TCOARSE) }],
  ];
  const path = join(folder, "synthetic.npz");
  writeFileSync(path, encodeNpz(arrays.map(([name, shape, content]) => ({ name, shape, ...content }))));
  return path;
}

/** Writes a bank of one block of n samples; returns its folder. */
export function writeSyntheticBank(folder: string, n: number): string {
  mkdirSync(join(folder, "waveforms"), { recursive: true });
  const fbin = Array.from({ length: N_BINS }, (_, b) => {
    const f = F_LOW * (F_HIGH / F_LOW) ** (b / (N_BINS - 1));
    return Math.round(f / DF) * DF;
  });
  const samples = Array.from({ length: n }, (_, i) => sampleAt(i));
  const config = {
    ...{ bank_size: n, blocksize: n, f_ref: 50, approximant: "TaylorF2", fbin },
    ...{ m_arr: MODES.map(({ m }) => m), harmonic_modes: MODES.map(({ l, m }) => [l, m]) },
  };
  writeFileSync(join(folder, CONFIG_FILE), JSON.stringify(config));
  writeFileSync(join(folder, SAMPLES_FILE), encodeFeather(columnsOf(samples)));
  const shape = [n, MODES.length, 2, N_BINS];
  const amplitude = new Float64Array(n * MODES.length * 2 * N_BINS);
  const phase = new Float64Array(amplitude.length);
  samples.forEach((sample, i) => {
    const h = waveform(sample);
    for (let row = 0; row < 2 * MODES.length; row++) {
      for (let b = 0; b < N_BINS; b++) {
        const at = (i * 2 * MODES.length + row) * N_BINS + b;
        [amplitude[at], phase[at]] = h(row >> 1, row & 1, fbin[b]);
      }
    }
  });
  for (const [kind, data] of [["amplitudes", amplitude] as const, ["phase", phase] as const]) {
    writeFileSync(join(folder, `waveforms/${kind}_block_0.npy`), encodeNpy(shape, { dtype: "f8", data }));
  }
  return folder;
}

function columnsOf(samples: readonly Sample[]) {
  const column = (name: string, of: (sample: Sample) => number) =>
    ({ name, type: "f64", data: Float64Array.from(samples, of) }) as const;
  const zero = ["s1x_n", "s1y_n", "s2x_n", "s2y_n", "log_prior_weights"].map((name) => column(name, () => 0));
  return [
    column("m1", ({ m1 }) => m1),
    column("m2", ({ m2 }) => m2),
    column("s1z", ({ s1z }) => s1z),
    column("s2z", ({ s2z }) => s2z),
    column("iota", () => Math.acos(COS_IOTA)),
    ...zero,
  ];
}
