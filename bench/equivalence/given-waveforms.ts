/** Stage 5 for waveforms that are given, aligned already: the program's own plan and tasks, without threshold. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Bank, BankBlock } from "../../src/gw/bank.ts";
import type { Reference } from "../../src/gw/reference.ts";
import { encodeNpy, readNpyHeader } from "../../src/io/npy.ts";
import { type CoherentPlan, type ExtrinsicSet, planCoherent } from "../../src/stages/coherent-plan.ts";
import { sharedF64 } from "../../src/workers/arena.ts";
import { Pool } from "../../src/workers/pool.ts";
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
    return await evaluateAll(plan, waveforms, new Pool(1, kernels));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function writeBlock(folder: string, { bins }: Subject, waveforms: Waveforms): BankBlock {
  const { n_i, amplitude_impb, phase_impb } = waveforms;
  const [n_m, n_b] = [bins.mArr.length, bins.fbin.length];
  const write = (name: string, data: Float64Array) => {
    const path = join(folder, name);
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
      ...{ taskItems: 1, iTile: 1, eBatch: eTile, eTile },
    },
  );
}

/** One waveform at a time: its own phase is the one it is aligned with, so that it stays where it is. */
async function evaluateAll(plan: CoherentPlan, waveforms: Waveforms, pool: Pool): Promise<PhaseProducts> {
  const { n_i, phase_impb } = waveforms;
  const { n_m, n_b, m2 } = plan.samples;
  const size = plan.n_e * plan.phases.n_o;
  const [dh_ieo, hh_ieo] = [0, 1].map(() => new Float64Array(n_i * size));
  for (let i = 0; i < n_i; i++) {
    const from = (i * n_m + m2) * 2 * n_b;
    const samples = { ...plan.samples, refPhase_b: phase_impb.slice(from, from + n_b) };
    const items = { bank_j: Int32Array.of(0), i_j: Int32Array.of(i) };
    const alone = { ...plan, samples, items, best: sharedF64(1) };
    const [{ rows }] = await pool.run("coherent", alone, 1);
    if (rows.n !== size) throw new Error(`found ${rows.n} rows of waveform ${i}, expected ${size}`);
    for (let r = 0; r < rows.n; r++) {
      const at = i * size + rows.e[r] * plan.phases.n_o + rows.o[r];
      dh_ieo[at] = rows.dh[r];
      hh_ieo[at] = rows.hh[r];
    }
  }
  return { dh_ieo, hh_ieo };
}
