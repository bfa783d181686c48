/** Fuzzing reference.npz: our own kind, and that of a run of dot_pe, from whose waveform weights are computed. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bandOfEvent, type EventBand } from "../../src/gw/band.ts";
import { type Event, readEvent } from "../../src/gw/event.ts";
import { encodeReference, readReference } from "../../src/gw/reference-file.ts";
import { encodeNpz, type NpzEntry } from "../../src/io/npz.ts";
import { type Kernels, loadKernels } from "../../src/kernels/table.ts";
import { eventEntries, mutateArchive } from "./event.ts";
import type { Format } from "./format.ts";
import type { Bytes } from "./mutate.ts";

const MODES = [2, 3];
const N_F = 129;
const BINS = Float64Array.from({ length: 12 }, (_, k) => 24 + 8 * k);

let made: Event;
let band: EventBand;
let kernels: Kernels;

/** An inspiral-like waveform (m, p, f or b), interleaved. */
function waveform(frequencies: Float64Array): Float64Array<ArrayBuffer> {
  const n = frequencies.length;
  const out = new Float64Array(2 * MODES.length * 2 * n);
  for (let row = 0; row < 2 * MODES.length; row++) {
    for (let k = 0; k < n; k++) {
      const f = Math.max(frequencies[k], 1);
      const amplitude = 1e-22 * (1 + row) * (f / 20) ** (-7 / 6);
      const phase = 10 * (f / 20) ** (-5 / 3) + row;
      out[2 * (row * n + k)] = amplitude * Math.cos(phase);
      out[2 * (row * n + k) + 1] = amplitude * Math.sin(phase);
    }
  }
  return out;
}

function rawEntries(): NpzEntry[] {
  const { fbin } = band;
  const [n_m, n_b] = [MODES.length, fbin.length];
  const onBins = waveform(fbin);
  const parameters = { iota: 0.7, ra: 1, dec: 0.3, psi: 0.2, phi_ref: 1, t_geocenter: 0.01 };
  return [
    { name: "detectors", shape: [], dtype: "U", data: [made.detectors.join("")] },
    { name: "m_arr", shape: [n_m], dtype: "i8", data: Int32Array.from(MODES) },
    { name: "fbin", shape: [n_b], dtype: "f8", data: Float64Array.from(fbin) },
    {
      name: "asd_drift",
      shape: [made.n_d],
      dtype: "f8",
      data: Float64Array.from(made.detectors, () => 1.01),
    },
    { name: "h0_raw_mpf", shape: [n_m, 2, N_F], dtype: "c16", data: waveform(made.f) },
    { name: "h0_raw_mpb", shape: [n_m, 2, n_b], dtype: "c16", data: onBins },
    { name: "polyfit_weights", shape: [n_b], dtype: "f8", data: new Float64Array(n_b).fill(1) },
    { name: "h2plus0_fbin", shape: [n_b], dtype: "c16", data: onBins.slice(0, 2 * n_b) },
    { name: "par_dic_0", shape: [], dtype: "U", data: [JSON.stringify(parameters)] },
  ];
}

function read(path: string) {
  return readReference(path, made, band, MODES, kernels);
}

export const reference: Format = {
  name: "reference",
  extension: "npz",
  stages: ["reference", "moved weights"],
  seeds() {
    kernels = loadKernels("auto");
    const folder = mkdtempSync(join(tmpdir(), "dotpe-fuzz-reference-"));
    const write = (name: string, bytes: Bytes) => {
      writeFileSync(join(folder, name), bytes);
      return join(folder, name);
    };
    try {
      made = readEvent(write("event.npz", encodeNpz(eventEntries(["H", "L"], N_F))));
      band = bandOfEvent(made, BINS);
      const raw = encodeNpz(rawEntries(), { deflate: true });
      const first = read(write("raw.npz", raw));
      const recipe = {
        rest_mb: new Float64Array(MODES.length * band.fbin.length),
        inspiral: { m1: 30, m2: 20, s1z: 0.1, s2z: 0 },
      };
      const own = encodeReference({ ...first, recipe, sample: { bank: 0, i: 4 } }, made);
      return [raw, own, encodeReference(first, made)];
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
  make: (random, corpus) => mutateArchive(random, random.pick(corpus), random.pick(corpus)),
  read(path, probe) {
    const found = read(path);
    probe.holds(32 * made.strainRe_df.length + 16 * found.h0Re_mpb.length);
    probe.reach("reference");
    for (let d = 0; d < made.n_d; d++) found.dataWeightsAt?.(d, found.arrival_d[d]);
    probe.reach("moved weights");
  },
};
