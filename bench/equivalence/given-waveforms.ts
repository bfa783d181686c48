/** Stage 5 for waveforms that are given, aligned already: the program's own plan and tasks, without threshold. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Bank, BankBlock } from "../../src/gw/bank.ts";
import type { Reference } from "../../src/gw/reference.ts";
import { encodeNpy, readNpyHeader } from "../../src/io/npy.ts";
import { type Kernels, loadKernels } from "../../src/kernels/table.ts";
import { Coherent } from "../../src/stages/coherent.ts";
import { type CoherentPlan, type ExtrinsicSet, planCoherent } from "../../src/stages/coherent-plan.ts";
import type { Subject } from "./subject.ts";

export interface Waveforms {
  readonly n_i: number;
  readonly amplitude_impb: Float64Array;
  /** At the time alignment wanted. */
  readonly phase_impb: Float64Array;
}

/** Real inner products on the phase grid, (i, e, o). */
export interface PhaseProducts {
  readonly dh_ieo: Float64Array;
  readonly hh_ieo: Float64Array;
}

/** <d|h> and <h|h> of all waveforms with all extrinsic samples, as stage 5 computes them. */
export async function phaseProducts(
  subject: Subject,
  reference: Reference,
  waveforms: Waveforms,
  set: ExtrinsicSet,
  n_phi: number,
  kernels: string,
): Promise<PhaseProducts> {
  const folder = mkdtempSync(join(tmpdir(), "dotpe-equivalence-"));
  try {
    const block = writeBlock(folder, subject, waveforms);
    const plan = planWithoutThreshold(subject, reference, block, set, n_phi);
    return evaluateAll(plan, waveforms, loadKernels(kernels));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function writeBlock(folder: string, { bins }: Subject, waveforms: Waveforms): BankBlock {
  const { n_i, amplitude_impb, phase_impb } = waveforms;
  const [n_m, n_b] = [bins.mArr.length, bins.fbin.length];
  mkdirSync(join(folder, "waveforms"));
  const write = (name: string, data: Float64Array) => {
    const path = join(folder, "waveforms", name);
    writeFileSync(path, encodeNpy([n_i, n_m, 2, n_b], { dtype: "f8", data }));
    return path;
  };
  const amplitudesPath = write("amplitudes_block_0.npy", amplitude_impb);
  const phasePath = write("phase_block_0.npy", phase_impb);
  const [dataOffset, phaseDataOffset] = [amplitudesPath, phasePath].map(
    (path) => readNpyHeader(path).dataOffset,
  );
  return { amplitudesPath, phasePath, i0: 0, n_i, n_m, n_b, dataOffset, phaseDataOffset };
}

function planWithoutThreshold(
  { bins }: Subject,
  reference: Reference,
  block: BankBlock,
  set: ExtrinsicSet,
  n_phi: number,
): CoherentPlan {
  const { n_i, n_b } = block;
  const bank: Bank = { ...bins.banks[0], n_i, blocks: [block] };
  const items = { bank_j: new Int32Array(n_i), i_j: Int32Array.from({ length: n_i }, (_, i) => i) };
  const ones = new Float64Array(n_b).fill(1);
  const anyAlignment = { polyfit_b: ones, h2plusRe_b: ones, h2plusIm_b: new Float64Array(n_b) };
  const eTile = 8 * Math.ceil(set.n_e / 8);
  return planCoherent(
    { ...bins, b0: 0, banks: [bank] },
    { ...reference, coherentAlignment: anyAlignment },
    items,
    set,
    {
      ...{ n_phi, maxDrop: Infinity, bestPerBank: false, seed: 0, probeEvery: 2 ** 31 },
      ...{ iTile: 1, eTile },
    },
  );
}

/** One waveform at a time: its own phase is the one it is aligned with, so that it stays where it is. */
function evaluateAll(plan: CoherentPlan, waveforms: Waveforms, kernels: Kernels): PhaseProducts {
  const { n_i, phase_impb } = waveforms;
  const { n_m, n_b, m2 } = plan.samples;
  const { n_o } = plan.phases;
  const size = plan.grid.n_e * n_o;
  const [dh_ieo, hh_ieo] = [0, 1].map(() => new Float64Array(n_i * size));
  for (let i = 0; i < n_i; i++) {
    const from = (i * n_m + m2) * 2 * n_b;
    const samples = { ...plan.samples, refPhase_b: phase_impb.slice(from, from + n_b) };
    const items = { bank_j: Int32Array.of(0), i_j: Int32Array.of(i) };
    const evaluator = new Coherent({ ...plan, samples, items }, kernels, 1);
    evaluator.prepare(0, 0);
    const { found } = evaluator;
    let n_rows = 0;
    for (let t = 0; t < plan.tiles.n; t++) {
      const n = evaluator.rowsAbove(0, t, -Infinity);
      const { e0 } = evaluator.rangeOf(t);
      for (let r = 0; r < n; r++) {
        const at = i * size + (e0 + found.e[r]) * n_o + found.o[r];
        dh_ieo[at] = found.dh[r];
        hh_ieo[at] = found.hh[r];
      }
      n_rows += n;
    }
    evaluator.close();
    if (n_rows !== size) throw new Error(`found ${n_rows} rows of waveform ${i}, expected ${size}`);
  }
  return { dh_ieo, hh_ieo };
}
