/** `dotpe-hpc bank check` on bank s, and on copies of it that are damaged in one place. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { findLal } from "../src/approximants/lal-library.ts";
import { type BankReport, checkBank } from "../src/banks/check.ts";
import { checkPlan } from "../src/banks/check-job.ts";
import { RowChecker } from "../src/banks/check-rows.ts";
import { lookAtWaveforms, waveformChecks } from "../src/banks/check-waveforms.ts";
import { createBank } from "../src/banks/create.ts";
import { bankInfo } from "../src/banks/info.ts";
import { BANK_DEFAULTS, type BankOptions } from "../src/banks/options.ts";
import { packBank } from "../src/banks/pack/pack.ts";
import { openBank } from "../src/gw/bank.ts";
import { bankFiles } from "../src/gw/bank-reader.ts";
import { readEvent } from "../src/gw/event.ts";
import { SILENT_REPORTER } from "../src/report/reporter.ts";
import { Pool } from "../src/workers/pool.ts";
import { runBinary } from "./helpers.ts";
import { temporaryFolder } from "./io-helpers.ts";
import { BANK, type BankContent, EVENT, readBankContent, takeSamples, writeBank } from "./make-inputs.ts";

const FOLDER = temporaryFolder();
const WHOLE = readBankContent();
/** Eight samples in two blocks. */
const SMALL = { ...takeSamples(WHOLE, 0, 8), blocksize: 4 };
const N_B = WHOLE.config.fbin.length;
const SIZE = 8 * N_B;

const one = new Pool(1, "auto");
const two = new Pool(2, "auto");
beforeAll(() => two.start());
afterAll(() => two.close());

const D_OPTIONS: BankOptions = {
  ...{
    ...BANK_DEFAULTS,
    out: "",
    event: EVENT,
    mchirp: [26, 28.5],
    n: 256,
    seed: 1,
    blocksize: 256,
    nProcs: 1,
  },
};

const check = (folder: string, more: { event?: string; pool?: Pool } = {}) =>
  checkBank(
    folder,
    { lal: null, ...(more.event && { event: readEvent(more.event) }) },
    more.pool ?? one,
    SILENT_REPORTER,
  );

let n_copies = 0;

/** A copy of the small bank, changed. */
function damaged(change: (bank: BankContent) => void, base: BankContent = SMALL): string {
  const copy: BankContent = {
    ...{ config: structuredClone(base.config), blocksize: base.blocksize },
    ...{ amplitude: base.amplitude.slice(), phase: base.phase.slice() },
    samples: Object.fromEntries(Object.entries(base.samples).map(([name, values]) => [name, values.slice()])),
  };
  change(copy);
  return writeBank(join(FOLDER, `copy_${n_copies++}`), copy);
}

/** Position of (i, m, p, b). */
const at = (i: number, m: number, p: number, b: number) => i * SIZE + (2 * m + p) * N_B + b;

/** The checks that did not pass, but for one that needs a LALSimulation and may find the damage too. */
const faults = ({ checks }: BankReport) =>
  checks
    .filter(({ name, level }) => name !== "made again" && (level === "warn" || level === "fail"))
    .map(({ name, level }) => [name, level]);

const named = ({ checks }: BankReport, name: string) => {
  const found = checks.find((one) => one.name === name);
  if (found === undefined) throw new Error(`no check ${name}`);
  return found;
};

test("a good bank passes; its approximant cannot be made without LALSimulation, which is no fault", async () => {
  const report = await check(BANK);
  expect(faults(report)).toEqual([]);
  expect(report.read).toMatchObject({ samples: 96, bytes: 96 * SIZE * 16 });
  expect(named(report, "checksums")).toMatchObject({ level: "skip", found: "there is no SHA256SUMS" });
});

test("an approximant that nothing here makes is said, not guessed", async () => {
  const folder = damaged(({ config }) => Object.assign(config, { approximant: "IMRPhenomXODE" }));
  const report = await check(folder, { event: EVENT });
  for (const name of ["made again", "relative binning"]) {
    expect(named(report, name).level).toBe("skip");
    expect(named(report, name).found).toMatch(/^not checked: .*IMRPhenomXODE/);
  }
  // Eight samples are few, whatever the event.
  expect(faults(report).filter(([, level]) => level === "fail")).toEqual([]);
});

describe("damage in the waveforms is found and named", () => {
  test("NaN", async () => {
    const report = await check(
      damaged(({ amplitude }) => amplitude.fill(Number.NaN, at(5, 2, 1, 40), at(5, 2, 1, 42))),
    );
    expect(faults(report)).toEqual([["numbers", "fail"]]);
    expect(named(report, "numbers")).toMatchObject({ sample: 5, level: "fail" });
    expect(named(report, "numbers").found).toContain("1 of 8 samples");
    expect(named(report, "numbers").found).toContain(
      `sample 5, m = 3 cross, bin 40 (${WHOLE.config.fbin[40]} Hz): NaN`,
    );
    expect(named(report, "numbers").file).toEndWith("amplitudes_block_1.npy");
  });

  test("an infinite phase", async () => {
    const report = await check(damaged(({ phase }) => phase.fill(Infinity, at(2, 0, 0, 7), at(2, 0, 0, 8))));
    expect(named(report, "numbers").found).toContain("sample 2, m = 2 plus, bin 7");
  });

  test("a negative amplitude", async () => {
    const report = await check(
      damaged(({ amplitude }) => {
        amplitude[at(6, 1, 0, 100)] *= -1;
      }),
    );
    expect(named(report, "amplitudes")).toMatchObject({ level: "fail", sample: 6 });
    expect(named(report, "amplitudes").found).toContain("sample 6, m = 1 plus, bin 100");
  });

  test("no amplitude in a sample", async () => {
    const report = await check(damaged(({ amplitude }) => amplitude.fill(0, at(3, 0, 0, 0), at(4, 0, 0, 0))));
    expect(named(report, "empty waveforms")).toMatchObject({ level: "fail", sample: 3 });
  });

  test("a phase that jumps by 0.6 turns", async () => {
    const report = await check(
      damaged(({ phase }) => {
        for (let b = 101; b < N_B; b++) phase[at(4, 0, 0, b)] += 0.6 * 2 * Math.PI;
      }),
    );
    // With the waveform's own turn against it the step is below pi: no error by itself.
    const { phases, smoothness } = {
      phases: named(report, "phases"),
      smoothness: named(report, "smoothness"),
    };
    expect(smoothness).toMatchObject({ level: "warn", sample: 4 });
    expect(smoothness.found).toContain("1 of 8 samples");
    expect(smoothness.found).toContain("sample 4, m = 2 plus, bin 100");
    if (phases.level !== "pass") expect(phases.found).toContain("sample 4, m = 2 plus, bin 100");
  });

  test("a phase that is not unwrapped: the waveform is smooth, the phase steps by more than pi", async () => {
    const report = await check(
      damaged(({ phase }) => {
        for (let b = 201; b < N_B; b++) phase[at(1, 3, 1, b)] += 2 * Math.PI;
      }),
    );
    expect(faults(report)).toEqual([["phases", "fail"]]);
    expect(named(report, "phases").found).toContain("sample 1, m = 4 cross, bin 200");
  });

  test("phases where there is no amplitude do not count", async () => {
    const folder = damaged(({ amplitude, phase }) => {
      for (let b = 300; b < N_B; b++) {
        amplitude[at(1, 0, 0, b)] = 0;
        phase[at(1, 0, 0, b)] = 10 * b;
      }
    });
    expect(named(await check(folder), "phases").level).toBe("pass");
  });

  test("one waveform for two samples", async () => {
    const report = await check(
      damaged(({ amplitude, phase }) => {
        for (const values of [amplitude, phase])
          values.copyWithin(at(7, 0, 0, 0), at(2, 0, 0, 0), at(3, 0, 0, 0));
      }),
    );
    expect(faults(report)).toEqual([["copies", "fail"]]);
    expect(named(report, "copies").found).toContain("sample 7: that of 2");
  });

  test("a file that ends too early", async () => {
    const folder = damaged(() => {});
    truncateSync(join(folder, "waveforms/phase_block_1.npy"), 1000);
    const report = await check(folder);
    expect(report.checks.map(({ name, level }) => [name, level])).toEqual([["format", "fail"]]);
    expect(named(report, "format").found).toContain("phase_block_1.npy");
  });
});

test("what cannot be read is said once, and the rest is looked at", async () => {
  const folder = damaged(({ amplitude }) => {
    amplitude[at(2, 0, 0, 5)] = Number.NaN;
  });
  const bank = openBank(folder, "bank");
  rmSync(join(folder, "waveforms/phase_block_1.npy"));
  const grid = { fbin: bank.config.fbin, mArr: bank.config.m_arr };
  for (const pool of [one, two]) {
    const plan = checkPlan(bankFiles(bank), grid, bank.samples, []);
    const found = await lookAtWaveforms(plan, pool, () => {});
    expect(found.unread.n).toBe(4);
    expect(found.unread.reasons.map(({ i }) => i)).toEqual([4]);
    const checks = waveformChecks(bank, plan, found).filter(({ level }) => level === "fail");
    expect(checks.map(({ name, sample }) => [name, sample])).toEqual([
      ["reading", 4],
      ["numbers", 2],
    ]);
    expect(checks[0].found).toContain("4 of 8 samples cannot be read, the first is sample 4");
    expect(checks[0].found).toContain("phase_block_1.npy: no such file");
  }
});

describe("samples that cannot be are found and named", () => {
  const cases: [string, string, (samples: Record<string, Float64Array>) => void, string][] = [
    ["a spin of 1.2", "spin 2", ({ s2z }) => s2z.fill(1.2, 3, 4), "the first is sample 3: s2x_n"],
    [
      "m1 < m2",
      "masses",
      ({ m1 }) => m1.fill(2, 6, 8),
      "2 of 8 samples without m1 >= m2 > 0, the first is sample 6: m1 2",
    ],
    ["an inclination of 4", "inclination", ({ iota }) => iota.fill(4, 1, 2), "sample 1: iota 4"],
    ["NaN", "parameters", ({ s1z }) => s1z.fill(Number.NaN, 2, 3), "column s1z: found NaN in row 2"],
    [
      "no weight",
      "weights",
      ({ log_prior_weights }) => log_prior_weights.fill(-Infinity),
      "every log_prior_weights is -inf",
    ],
  ];
  for (const [what, name, change, words] of cases) {
    test(what, async () => {
      const report = await check(damaged(({ samples }) => change(samples)));
      expect(named(report, name).level).toBe("fail");
      expect(named(report, name).found).toContain(words);
    });
  }

  test("a sample that is there twice, and one of weight zero, are doubtful", async () => {
    const folder = damaged(({ samples, amplitude, phase }) => {
      for (const values of Object.values(samples)) values[5] = values[1];
      for (const values of [amplitude, phase])
        values.copyWithin(at(5, 0, 0, 0), at(1, 0, 0, 0), at(2, 0, 0, 0));
      samples.log_prior_weights[2] = -Infinity;
    });
    const report = await check(folder);
    expect(faults(report)).toEqual([
      ["weights", "warn"],
      ["duplicates", "warn"],
    ]);
    expect(named(report, "duplicates").found).toContain(
      "1 of 8 samples equal an earlier one, the first is sample 5, equal to 1",
    );
  });

  test("a chirp mass beyond what bank_config.json says", async () => {
    const report = await check(damaged(({ config }) => Object.assign(config, { mchirp_max: 27 })));
    expect(faults(report)).toEqual([["as stated", "warn"]]);
    expect(named(report, "as stated").found).toContain("mchirp_max 27");
  });
});

describe("checksums", () => {
  const sum = (path: string) => createHash("sha256").update(readFileSync(path)).digest("hex");
  const names = (folder: string) => [
    "bank_config.json",
    "intrinsic_sample_bank.feather",
    ...readdirSync(join(folder, "waveforms")).map((name) => `waveforms/${name}`),
  ];
  const withSums = (lines: (folder: string) => string[]): string => {
    const folder = damaged(() => {});
    writeFileSync(
      join(folder, "SHA256SUMS"),
      lines(folder)
        .map((line) => `${line}\n`)
        .join(""),
    );
    return folder;
  };
  const all = (folder: string) => names(folder).map((name) => `${sum(join(folder, name))}  ${name}`);

  test("that are right", async () => {
    const report = await check(withSums(all), { pool: two });
    expect(named(report, "checksums")).toMatchObject({
      level: "pass",
      found: "6 files are what SHA256SUMS says",
    });
  });

  test("that are wrong name the file", async () => {
    const report = await check(
      withSums((folder) =>
        all(folder).map((line, k) => (k === 3 ? `${"0".repeat(64)}${line.slice(64)}` : line)),
      ),
    );
    expect(named(report, "checksums")).toMatchObject({
      level: "fail",
      file: expect.stringContaining("waveforms/"),
    });
  });

  test("of other files are refused, whatever they are", async () => {
    for (const name of ["../../etc/passwd", "/etc/passwd", "waveforms/../bank_config.json", "SHA256SUMS"]) {
      const report = await check(withSums((folder) => [...all(folder), `${"0".repeat(64)}  ${name}`]));
      expect(named(report, "checksums")).toMatchObject({ level: "fail", file: "SHA256SUMS" });
      expect(named(report, "checksums").found).toContain(
        `line 7: found ${name}, which is no file of this bank`,
      );
    }
  });

  test("that leave a file out are doubtful; other lines are refused", async () => {
    const short = await check(withSums((folder) => all(folder).slice(1)));
    expect(named(short, "checksums")).toMatchObject({ level: "warn" });
    expect(named(short, "checksums").found).toContain("says nothing of bank_config.json");
    const other = await check(withSums(() => ["hello"]));
    expect(named(other, "checksums").found).toContain("line 1");
  });
});

test("two threads find what one finds", async () => {
  const folder = damaged(({ amplitude, phase }) => {
    for (let i = 0; i < 90; i += 7) amplitude[at(i, 0, 0, i)] = i % 2 === 0 ? Number.NaN : -1e-22;
    for (let i = 1; i < 90; i += 5) phase[at(i, 1, 0, 50)] += 4;
  }, WHOLE);
  const [alone, together] = [await check(folder), await check(folder, { pool: two })];
  expect(together.checks).toEqual(alone.checks);
  expect(faults(alone).length).toBeGreaterThan(2);
});

describe("a packed bank", () => {
  const pack = async (name: string, tolerance: number | null) => {
    const out = join(FOLDER, name);
    const rounding = tolerance === null ? null : { tolerance, snr: 20 };
    await packBank({ bank: BANK, out, rounding, nProcs: 1 }, SILENT_REPORTER);
    return out;
  };

  test("passes, packed exactly or with a tolerance; info says how", async () => {
    for (const tolerance of [null, 0.01]) {
      const folder = await pack(`packed_${tolerance}`, tolerance);
      const report = await check(folder, { pool: two });
      expect(report.checks.filter(({ level }) => level === "fail")).toEqual([]);
      expect(bankInfo(folder).packed).toEqual({ tolerance });
      expect(bankInfo(folder).bytesOnDisk).toBeLessThan(bankInfo(BANK).bytesOnDisk);
    }
  });

  test("that is damaged: the chunk and its samples are named, the others are looked at", async () => {
    const folder = await pack("packed_bad", null);
    const path = join(folder, "waveforms.pack");
    const bytes = readFileSync(path);
    bytes[1_000_000] ^= 1;
    writeFileSync(path, bytes);
    const report = await check(folder, { pool: two });
    expect(faults(report)).toEqual([
      ["reading", "fail"],
      ["checksums", "fail"],
    ]);
    expect(named(report, "reading").found).toMatch(
      /^\d+ of 96 samples cannot be read, .*waveforms.pack: chunk \d+/,
    );
    expect(named(report, "reading").file).toEndWith("waveforms.pack");
  });
});

const lal = (() => {
  try {
    return findLal(null).path;
  } catch {
    return null;
  }
})();

test.skipIf(lal === null)(
  "with LALSimulation: bank s is what it makes, and relative binning is exact enough",
  async () => {
    const report = await checkBank(BANK, { lal, event: readEvent(EVENT) }, two, SILENT_REPORTER);
    expect(named(report, "made again").level).toBe("pass");
    expect(named(report, "relative binning").level).toBe("pass");
    // Sample 76 is not smooth between the bins: bench/equivalence/accuracy-level.ts finds 0.016 from dot_pe's exact products.
    expect(report.binning?.worst).toBe(76);
    expect(report.binning?.max).toBeCloseTo(0.016, 2);
    expect(report.binning?.median).toBeLessThan(1e-3);
  },
);

test("a bank that does not cover the event", async () => {
  const out = join(FOLDER, "elsewhere");
  await createBank({ ...D_OPTIONS, mchirp: [6, 7], n: 64, out }, SILENT_REPORTER);
  const report = await check(out, { event: EVENT });
  expect(named(report, "near the event").level).toBe("warn");
  expect(named(report, "near the event").todo).toContain("nothing in the bank fits the event");
  // Its waveforms turn by up to ten radians from bin to bin.
  expect(named(report, "phases").level).toBe("pass");
});

describe("a bank of IMRPhenomD and its event", () => {
  const make = async (name: string, more: Partial<BankOptions> = {}) => {
    const out = join(FOLDER, name);
    await createBank({ ...D_OPTIONS, ...more, out }, SILENT_REPORTER);
    return out;
  };
  const rewrite = (folder: string, change: object) => {
    const path = join(folder, "bank_config.json");
    writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, "utf8")), ...change }));
  };

  test("the waveforms are those made again, and relative binning is exact to 1e-3", async () => {
    const folder = await make("good");
    const report = await check(folder, { event: EVENT });
    expect(faults(report).filter(([name]) => name !== "near the event")).toEqual([]);
    expect(named(report, "made again").found).toContain("32 samples by dotpe-hpc");
    expect(report.event).toBe("GW170814");
    expect(report.binning?.max).toBeLessThan(1e-3);
    expect(report.binning?.samples.length).toBeGreaterThan(4);
    // What the numbers are of: the event is loud.
    expect(report.binning?.samples[0].lnl).toBeGreaterThan(100);

    rewrite(folder, { f_ref: 20 });
    const wrong = await check(folder);
    expect(named(wrong, "made again").level).toBe("fail");
    expect(named(wrong, "made again").todo).toContain("f_ref");
    expect(named(wrong, "checksums")).toMatchObject({ level: "fail", file: "bank_config.json" });
  });

  test("too few bins are an error", async () => {
    const report = await check(await make("coarse", { phaseTolerance: 0.5, n: 64 }), { event: EVENT });
    expect(named(report, "relative binning").level).toBe("fail");
    expect(report.binning?.max).toBeGreaterThan(1);
  });

  test("bins off the event's grid, and a band that is too narrow, are doubtful", async () => {
    const band = { f0: 30.03, f1: 300.3, df: 0.0231 };
    const folder = await make("off", { event: null, band, n: 64 });
    const report = await check(folder, { event: EVENT });
    expect(named(report, "grid").level).toBe("warn");
    expect(named(report, "band")).toMatchObject({ level: "warn" });
  });

  test("bins that the event cannot use are an error of the list", async () => {
    const folder = damaged(({ config }) => {
      config.fbin = config.fbin.map((f) => f + 600);
    });
    const report = await check(folder, { event: EVENT });
    expect(named(report, "event")).toMatchObject({ level: "fail" });
    expect(named(report, "event").found).toContain("expected at least 8");
  });
});

test("a jump of 0.6 turns is found nearly wherever the waveform is not faint", () => {
  const { fbin, m_arr } = WHOLE.config;
  const checker = new RowChecker(Float64Array.from(fbin), m_arr);
  const { m1, m2, s1z, s2z } = WHOLE.samples;
  const i = 16;
  const amplitude = WHOLE.amplitude.slice(i * SIZE, (i + 1) * SIZE);
  const look = (phase: Float64Array) => checker.look(amplitude, phase, 0, m1[i], m2[i], s1z[i], s2z[i]);
  expect(Object.values(look(WHOLE.phase.slice(i * SIZE, (i + 1) * SIZE)))).toEqual(new Array(5).fill(null));
  const flat = fbin.map((f, b) => f ** (7 / 6) * amplitude[b]);
  const top = Math.max(...flat);
  let [n, found] = [0, 0];
  for (let b = 1; b < N_B - 2; b++) {
    if (Math.min(flat[b], flat[b + 1]) < 0.05 * top) continue;
    const phase = WHOLE.phase.slice(i * SIZE, (i + 1) * SIZE);
    for (let k = b + 1; k < N_B; k++) phase[k] += 1.2 * Math.PI;
    n++;
    if (look(phase).jump?.b === b) found++;
  }
  expect(n).toBeGreaterThan(250);
  expect(found / n).toBeGreaterThan(0.97);
});

test("the command ends with 65 if a check fails, 0 if not, 66 without a bank", async () => {
  const bad = damaged(({ samples }) => samples.s1z.fill(1.2, 0, 1));
  const [good, wrong, json, missing] = await Promise.all([
    runBinary(["bank", "check", BANK, "--n-procs", "2"]),
    runBinary(["bank", "check", bad, "--n-procs", "1"]),
    runBinary(["bank", "check", BANK, bad, "--json", "--quiet"]),
    runBinary(["bank", "check", join(FOLDER, "missing")]),
  ]);
  expect([good.code, wrong.code, json.code, missing.code]).toEqual([0, 65, 65, 66]);
  expect(good.stdout).toMatch(/96 samples of IMRPhenomXPHM; 5 MB of waveforms in .* with 2 threads/);
  expect(good.stderr).toContain("MB");
  expect(wrong.stdout).toMatch(
    /FAIL {2}spin 1 +1 of 8 samples without \|spin 1\| <= 1, the first is sample 0/,
  );
  expect([json.stderr, JSON.parse(json.stdout).banks.length]).toEqual(["", 2]);
});
