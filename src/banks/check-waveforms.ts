/** What was found in the waveforms, as lines of the list. */
import type { Bank } from "../gw/bank.ts";
import { bankFiles, placeOf } from "../gw/bank-reader.ts";
import type { Pool } from "../workers/pool.ts";
import {
  type CheckPlan,
  type CheckResult,
  emptyTallies,
  MAX_REASONS,
  type Tallies,
  worse,
} from "./check-job.ts";
import { type BankCheck, brief, failed, ofSamples, passed, skipped, warned } from "./check-list.ts";
import { FAULT_KINDS, type FaultKind } from "./check-rows.ts";
import { CopyCount, eachCopy } from "./copies.ts";

/** Runs the job, and puts the threads' results together: the same for any number of threads. */
export async function lookAtWaveforms(
  plan: CheckPlan,
  pool: Pool,
  onProgress: (share: number) => void,
): Promise<CheckResult> {
  const n = plan.tasks.length / 2;
  const results = await pool.run("checkBank", plan, n, (done) => onProgress(done / n));
  const tallies = emptyTallies();
  for (const kind of FAULT_KINDS) {
    for (const { tallies: one } of results) {
      tallies[kind].n += one[kind].n;
      tallies[kind].worst = worse(tallies[kind].worst, one[kind].worst);
    }
  }
  const reasons = new Map<string, number>();
  for (const { i, message } of results.flatMap(({ unread }) => unread.reasons)) {
    reasons.set(message, Math.min(i, reasons.get(message) ?? i));
  }
  const sorted = [...reasons].map(([message, i]) => ({ i, message })).sort((a, b) => a.i - b.i);
  sorted.splice(MAX_REASONS);
  const n_unread = results.reduce((sum, { unread }) => sum + unread.n, 0);
  return { tallies, unread: { n: n_unread, reasons: sorted }, sums: results.flatMap(({ sums }) => sums) };
}

const AGAIN = "copy or make the bank again";

const NAMES: Readonly<Record<FaultKind, string>> = {
  notFinite: "numbers",
  negative: "amplitudes",
  zero: "empty waveforms",
  step: "phases",
  jump: "smoothness",
};

const GOOD: Readonly<Record<FaultKind, string>> = {
  notFinite: "all finite",
  negative: "none is negative",
  zero: "every sample has amplitude in m = 2, plus",
  step: "no step above pi from bin to bin, or beyond the inspiral's",
  jump: "no jump from bin to bin",
};

export function waveformChecks(bank: Bank, plan: CheckPlan, found: CheckResult): BankCheck[] {
  const { n_i } = bank;
  const unread = found.unread.reasons.map(({ i, message }, k) => {
    const first =
      k === 0 ? `${ofSamples(found.unread.n, n_i)} cannot be read, the first is sample ${i}: ` : "";
    return failed("reading", `${first}${message}`, AGAIN, { file: fileOf(bank, i, 0), sample: i });
  });
  const n_read = n_i - found.unread.n;
  if (n_read === 0) return unread;
  return [
    ...unread,
    ...FAULT_KINDS.map((kind) =>
      kind === "jump" && plan.masses.m1.length === 0
        ? skipped(NAMES.jump, "the masses cannot be read")
        : faultCheck(bank, kind, found.tallies),
    ),
    copyCheck(bank, plan),
  ];
}

function faultCheck(bank: Bank, kind: FaultKind, tallies: Tallies): BankCheck {
  const { n, worst } = tallies[kind];
  if (worst === null) return passed(NAMES[kind], GOOD[kind]);
  const { i, m, p, b, value } = worst;
  const { fbin, m_arr } = bank.config;
  const row = `m = ${m_arr[m]} ${p === 0 ? "plus" : "cross"}`;
  const where = `sample ${i}, ${row}, bin ${b} (${brief(fbin[b])} Hz)`;
  const at = { file: fileOf(bank, i, kind === "step" || kind === "jump" ? 1 : 0), sample: i };
  const some = ofSamples(n, bank.n_i);
  if (kind === "notFinite") {
    return failed(NAMES[kind], `${some} have NaN or infinity, the first is ${where}: ${value}`, AGAIN, at);
  }
  if (kind === "negative") {
    const found = `${some} have a negative amplitude, the largest is ${where}: ${brief(value)}`;
    return failed(NAMES[kind], found, `${AGAIN}; a sign belongs to the phase`, at);
  }
  if (kind === "zero") {
    const found = `${some} have amplitude zero over the whole band, the first is sample ${i}, ${row}`;
    return failed(NAMES[kind], found, "leave these samples out, or make the bank again", at);
  }
  if (kind === "step") {
    const found = `${some} have phases that go by more than pi from bin to bin, most: ${where}: ${brief(value)} rad`;
    return failed(NAMES[kind], found, `${AGAIN}, with unwrapped phases`, at);
  }
  const found = `${some} are not smooth from one bin to the next, most: ${where}: a jump of ${value.toPrecision(2)} of the waveform`;
  const todo =
    "a few in a thousand are usual with precession; many: too few bins; else damage: see checksums, and waveforms made again";
  return warned(NAMES[kind], found, todo, at);
}

/** Equal waveforms of different samples: a block that was written twice. */
function copyCheck(bank: Bank, { prints, masses }: CheckPlan): BankCheck {
  const name = "copies";
  const { samples, n_i } = bank;
  if (masses.m1.length === 0) return skipped(name, "the samples cannot be read");
  const { m1, m2, s1z, s2z, iota } = samples;
  const alike = (i: number, j: number) =>
    m1[i] === m1[j] && m2[i] === m2[j] && s1z[i] === s1z[j] && s2z[i] === s2z[j] && iota[i] === iota[j];
  const same = (i: number, j: number) =>
    prints[2 * i] === prints[2 * j] && prints[2 * i + 1] === prints[2 * j + 1];
  const isUnread = (i: number) => prints[2 * i] === 0 && prints[2 * i + 1] === 0;
  const count = new CopyCount();
  eachCopy(
    n_i,
    (i) => prints[2 * i],
    same,
    (i, original) => {
      if (!alike(i, original) && !isUnread(i)) count.add(i, original);
    },
  );
  if (count.first === null) return passed(name, "no two samples have one waveform");
  const [i, original] = count.first;
  const found = `${ofSamples(count.n, n_i)} have the waveform of another sample, the first is sample ${i}: that of ${original}`;
  return failed(name, found, AGAIN, { file: fileOf(bank, i, 0), sample: i });
}

/** Of sample i: 0 its amplitudes', 1 its phases'. */
function fileOf(bank: Bank, i: number, c: 0 | 1): string {
  const { paths } = placeOf(bankFiles(bank), i);
  return paths[c] ?? paths[0];
}
