/** Reads all waveforms of a bank, and the files that have checksums: a task is some samples, or a file. */

import { DotpeError } from "../errors.ts";
import type { BankSamples } from "../gw/bank.ts";
import { type BankFiles, BankReader } from "../gw/bank-reader.ts";
import { firstNotFinite } from "../io/finite.ts";
import { sha256OfFile } from "../io/sha256.ts";
import { hash32 } from "../kernels/hash.ts";
import type { Kernels } from "../kernels/table.ts";
import { sharedI32, shareI32 } from "../workers/arena.ts";
import type { TaskRunner } from "../workers/protocol.ts";
import { FAULT_KINDS, type Fault, type FaultKind, type Faults, RowChecker } from "./check-rows.ts";

export interface CheckPlan {
  readonly files: BankFiles;
  readonly fbin: Float64Array;
  readonly mArr: readonly number[];
  /** Shared (i); empty where they cannot be read, and then jumps are not looked for. */
  readonly masses: Readonly<Record<"m1" | "m2" | "s1z" | "s2z", Float64Array>>;
  /** Files of which the checksum is taken. */
  readonly summed: readonly string[];
  /** A task: the samples from the first to before the second number, or (-1, k) for the file k. */
  readonly tasks: Int32Array;
  /** Output (i, 2): equal waveforms have equal numbers. */
  readonly prints: Int32Array;
}

/** What was found of one kind. */
export interface Tally {
  /** Samples that have it. */
  n: number;
  /** The worst one; of equal ones the first. */
  worst: (Fault & { readonly i: number }) | null;
}

export type Tallies = Record<FaultKind, Tally>;

export interface CheckResult {
  readonly tallies: Tallies;
  /** Samples that cannot be read, and why: the first sample of each reason. */
  readonly unread: { readonly n: number; readonly reasons: readonly { i: number; message: string }[] };
  /** By position in `summed`: the checksum, or why there is none. */
  readonly sums: readonly { readonly k: number; readonly sum?: string; readonly error?: string }[];
}

/** Bytes of waveforms that a task reads, about. */
const TASK_BYTES = 2 ** 23;
export const MAX_REASONS = 8;
/** Numbers of a waveform that its print is taken of, about. */
const N_PRINTED = 128;

export function checkPlan(
  files: BankFiles,
  { fbin, mArr }: Pick<CheckPlan, "fbin" | "mArr">,
  samples: Partial<BankSamples>,
  summed: readonly string[],
): CheckPlan {
  const { n_i, blockSize, n_m, n_b } = files;
  const atOnce = Math.max(1, Math.min(blockSize, Math.floor(TASK_BYTES / (16 * 2 * n_m * n_b))));
  const tasks: number[] = [];
  for (let block = 0; block < n_i; block += blockSize) {
    const end = Math.min(n_i, block + blockSize);
    for (let i = block; i < end; i += atOnce) tasks.push(i, Math.min(end, i + atOnce));
  }
  for (let k = 0; k < summed.length; k++) tasks.push(-1, k);
  const { m1, m2, s1z, s2z } = samples;
  const known = m1 && m2 && s1z && s2z;
  const none = new Float64Array(0);
  return {
    ...{ files, fbin, mArr, summed, tasks: shareI32(tasks), prints: sharedI32(2 * n_i) },
    masses: known ? { m1, m2, s1z, s2z } : { m1: none, m2: none, s1z: none, s2z: none },
  };
}

export function openCheck(plan: CheckPlan, kernels: Kernels): TaskRunner<CheckResult> {
  const reader = new BankReader(plan.files, kernels);
  const found = new Found();
  const checker = new RowChecker(plan.fbin, plan.mArr);
  const sums: { k: number; sum?: string; error?: string }[] = [];
  return {
    run(task) {
      const [first, end] = [plan.tasks[2 * task], plan.tasks[2 * task + 1]];
      if (first < 0) sums.push({ k: end, ...summed(plan.summed[end]) });
      else lookAt(plan, reader, checker, found, first, end);
    },
    result: () => ({ tallies: found.tallies, unread: found.unread, sums }),
    close: () => reader.close(),
  };
}

function summed(path: string): { sum?: string; error?: string } {
  try {
    return { sum: sha256OfFile(path) };
  } catch (error) {
    if (!(error instanceof DotpeError)) throw error;
    return { error: error.message };
  }
}

/** Of one thread. */
class Found {
  readonly tallies = emptyTallies();
  readonly unread: { n: number; reasons: { i: number; message: string }[] } = { n: 0, reasons: [] };

  add(i: number, faults: Faults): void {
    for (const kind of FAULT_KINDS) {
      const fault = faults[kind];
      if (fault === null) continue;
      const tally = this.tallies[kind];
      tally.n++;
      tally.worst = worse(tally.worst, { ...fault, i });
    }
  }

  /** Keeps the reasons of the first samples: which those are does not depend on the threads. */
  cannotRead(i: number, message: string): void {
    const { unread } = this;
    unread.n++;
    const known = unread.reasons.find((reason) => reason.message === message);
    if (known !== undefined) known.i = Math.min(known.i, i);
    else unread.reasons.push({ i, message });
    unread.reasons.sort((a, b) => a.i - b.i).splice(MAX_REASONS);
  }
}

export function emptyTallies(): Tallies {
  return Object.fromEntries(FAULT_KINDS.map((kind) => [kind, { n: 0, worst: null }])) as unknown as Tallies;
}

/** The one with the larger value; of equal ones, and of what is not a number, the first in the bank. */
export function worse(a: Tally["worst"], b: Tally["worst"]): Tally["worst"] {
  if (a === null || b === null) return a ?? b;
  const [sizeA, sizeB] = [Math.abs(a.value), Math.abs(b.value)];
  if (sizeA > sizeB || sizeB > sizeA) return sizeA > sizeB ? a : b;
  return a.i <= b.i ? a : b;
}

/** What cannot be read as a whole is read sample by sample: the others are looked at all the same. */
function lookAt(
  plan: CheckPlan,
  reader: BankReader,
  checker: RowChecker,
  found: Found,
  first: number,
  end: number,
): void {
  try {
    reader.load(first, end);
  } catch (error) {
    if (!(error instanceof DotpeError)) throw error;
    if (end - first === 1) found.cannotRead(first, error.message);
    else for (let i = first; i < end; i++) lookAt(plan, reader, checker, found, i, i + 1);
    return;
  }
  const { n_m, n_b } = plan.files;
  const size = 2 * n_m * n_b;
  const skip = (first - reader.first) * size;
  const part = (values: Float64Array) => values.subarray(skip, skip + (end - first) * size);
  const [amplitude, phase] = [part(reader.amplitude), part(reader.phase)];
  const allFinite = firstNotFinite(amplitude) < 0 && firstNotFinite(phase) < 0;
  const { m1, m2, s1z, s2z } = plan.masses;
  const words = [amplitude, phase].map(
    (values) => new Uint32Array(values.buffer, values.byteOffset, 2 * values.length),
  );
  for (let i = first; i < end; i++) {
    const start = (i - first) * size;
    setPrint(plan.prints, i, words, 2 * start, 2 * size);
    const bad = allFinite ? null : notFinite(amplitude, phase, start, n_m, n_b);
    if (bad !== null) found.add(i, { notFinite: bad, negative: null, zero: null, step: null, jump: null });
    else {
      const known = m1.length > 0;
      const faults = known
        ? checker.look(amplitude, phase, start, m1[i], m2[i], s1z[i], s2z[i])
        : checker.look(amplitude, phase, start, 0, 0, 0, 0);
      found.add(i, faults);
    }
  }
}

function notFinite(
  amplitude: Float64Array,
  phase: Float64Array,
  start: number,
  n_m: number,
  n_b: number,
): Fault | null {
  for (const values of [amplitude, phase]) {
    const at = firstNotFinite(values.subarray(start, start + 2 * n_m * n_b));
    if (at < 0) continue;
    const row = Math.floor(at / n_b);
    return { m: row >> 1, p: row & 1, b: at % n_b, value: values[start + at] };
  }
  return null;
}

function setPrint(prints: Int32Array, i: number, words: readonly Uint32Array[], start: number, n: number) {
  const stride = Math.max(1, Math.floor(n / N_PRINTED)) | 1;
  let [a, b] = [1, 2];
  for (const values of words) {
    for (let k = start; k < start + n; k += stride) {
      a = hash32(a, values[k], 0, 0);
      b = hash32(b, values[k], 1, 0);
    }
  }
  prints[2 * i] = a;
  prints[2 * i + 1] = b;
}
