/** Single precision, which says what is worth another look, against double precision. */
import { describe, expect, test } from "bun:test";
import { referenceFromSample } from "../src/gw/reference-waveform.ts";
import { availableKernels, loadKernels } from "../src/kernels/table.ts";
import { margin, worthAnotherLook } from "../src/stages/first-look.ts";
import { openIncoherent, planIncoherent } from "../src/stages/incoherent.ts";
import { itemsOf, selectWithin } from "../src/stages/select.ts";
import { CASES, caseName, KERNELS, openCase, type ReferenceCase, SMALL } from "./reference-cases.ts";

/** lnL (d, i) of every sample of the case's first bank. */
function likelihoods(one: ReferenceCase, n_t: number, single: boolean, kernel: string) {
  const kernels = loadKernels(kernel);
  const { event, band, banks } = openCase(one);
  const [bank] = banks;
  const arrival_d = new Float64Array(event.n_d).fill(event.tcoarse);
  const reference = referenceFromSample(event, band, bank, bank.n_i >> 1, arrival_d, KERNELS);
  const bins = { banks: [bank], mArr: bank.config.m_arr, b0: band.b0, fbin: band.fbin };
  const items = itemsOf([{ i: new Int32Array(bank.n_i).map((_, i) => i) }]);
  const dt = 1 / (2 * event.f[event.n_f - 1]);
  const settings = { n_t, n_phi: 32, dt, symmetric: true, single, taskSize: bank.n_i, batchSize: 16 };
  const plan = planIncoherent(bins, reference, items, settings, kernels);
  const runner = openIncoherent(plan, kernels);
  runner.run(0);
  runner.close?.();
  return { items, lnlike_dj: plan.lnlike_dj };
}

/** The error of single precision stays a hundred times below what `worthAnotherLook` allows for. */
function expectPrecise(one: ReferenceCase, n_t: number, kernel: string) {
  const [single, double] = [true, false].map((how) => likelihoods(one, n_t, how, kernel));
  const n = single.items.i_j.length;
  const sum = (lnlike_dj: Float64Array, j: number) => {
    let lnl = 0;
    for (let at = j; at < lnlike_dj.length; at += n) lnl += lnlike_dj[at];
    return lnl;
  };
  let [worst, best] = [0, 0];
  for (let j = 0; j < n; j++) {
    worst = Math.max(worst, Math.abs(sum(single.lnlike_dj, j) - sum(double.lnlike_dj, j)));
    best = Math.max(best, sum(double.lnlike_dj, j));
  }
  expect(worst).toBeGreaterThan(0);
  expect(worst).toBeLessThan(margin(best) / 100);
}

test.each(availableKernels())("%s: GW170814, odd and even numbers of times", (kernel) => {
  for (const n_t of [65, 128, 200]) expectPrecise(SMALL, n_t, kernel);
});

for (const one of CASES.slice(1)) {
  test.skipIf(one.absent)(`precise in ${caseName(one)}`, () => {
    expectPrecise(one, 128, "auto");
  });
}

describe("what is worth another look", () => {
  const items = itemsOf([{ i: Int32Array.of(5, 6, 7) }, { i: Int32Array.of(1, 2) }]);

  test("all that may be accepted, of every bank, in their order", () => {
    const allowed = 2 * margin(100);
    const [below, above] = [80 - allowed - 1e-6, 80 - allowed + 1e-6];
    const { bank_j, i_j } = worthAnotherLook(items, Float64Array.of(below, 100, 90, above, 3), 20);
    expect([...bank_j]).toEqual([0, 0, 1]);
    expect([...i_j]).toEqual([6, 7, 1]);
  });

  test("a sample that single precision cannot hold is looked at, and sets no threshold", () => {
    const lnlike_j = Float64Array.of(Number.POSITIVE_INFINITY, 1, 30, 2, 29);
    expect([...worthAnotherLook(items, lnlike_j, 5).i_j]).toEqual([5, 7, 2]);
  });

  test("the accepted samples of real waveforms are among them", () => {
    const single = likelihoods(SMALL, 128, true, "auto");
    const double = likelihoods(SMALL, 128, false, "auto");
    for (const drop of [1, 5, 20]) {
      const [accepted] = selectWithin(double.items, double.lnlike_dj, 1, drop);
      const close = worthAnotherLook(single.items, single.lnlike_dj, drop);
      expect(close.i_j.length).toBeLessThan(single.items.i_j.length);
      for (const i of accepted.i) expect(close.i_j).toContain(i);
    }
  });
});
