/** Packing and unpacking banks, in this process. */
import { describe, expect, test } from "bun:test";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { packBank } from "../src/banks/pack/pack.ts";
import { unpackBank } from "../src/banks/pack/unpack.ts";
import { DotpeError } from "../src/errors.ts";
import { openBank } from "../src/gw/bank.ts";
import { BankReader, bankFiles } from "../src/gw/bank-reader.ts";
import { halvingOrder } from "../src/gw/pack-model.ts";
import { availableKernels, loadKernels } from "../src/kernels/table.ts";
import { SILENT_REPORTER } from "../src/report/reporter.ts";
import { FIXTURES } from "./helpers.ts";
import { expectRefusal, expectRejection, temporaryFolder } from "./io-helpers.ts";
import { randomNumbers } from "./kernel-cases.ts";
import { type MadeBank, smoothBank, writeMadeBank } from "./made-bank.ts";

const folder = temporaryFolder();
const at = (name: string) => join(folder, name);
const BANK_S = join(FIXTURES, "banks/s");
const LOSSY = { tolerance: 0.01, snr: 30 };

function pack(bank: string, name: string, rounding: typeof LOSSY | null = null, nProcs = 1) {
  return packBank({ bank, out: at(name), rounding, nProcs }, SILENT_REPORTER);
}

const unpack = (name: string, out: string) =>
  unpackBank({ bank: at(name), out: at(out), nProcs: 1 }, SILENT_REPORTER);

const packOf = (name: string) => join(at(name), "waveforms.pack");

/** All waveforms, as a reader with these kernels gives them: `n` samples at a time. */
function readAll(bank: string, kernels = "auto", n = 5): { amplitude: Float64Array; phase: Float64Array } {
  const opened = openBank(bank, "x");
  const files = bankFiles(opened);
  const size = 2 * files.n_m * files.n_b;
  const [amplitude, phase] = [0, 1].map(() => new Float64Array(files.n_i * size));
  const reader = new BankReader(files, loadKernels(kernels));
  try {
    for (let i = 0; i < files.n_i; ) {
      const end = Math.min(i + n, reader.blockEnd(i));
      reader.load(i, end);
      amplitude.set(reader.amplitude.subarray(0, (end - i) * size), i * size);
      phase.set(reader.phase.subarray(0, (end - i) * size), i * size);
      i = end;
    }
  } finally {
    reader.close();
  }
  return { amplitude, phase };
}

const bitsOf = (values: Float64Array) => Buffer.from(values.buffer, values.byteOffset, values.byteLength);

function expectSameWaveforms(found: string, expected: string): void {
  const names = readdirSync(join(expected, "waveforms"));
  expect(readdirSync(join(found, "waveforms")).sort()).toEqual(names.sort());
  for (const name of [
    ...names.map((one) => `waveforms/${one}`),
    "bank_config.json",
    "intrinsic_sample_bank.feather",
  ])
    expect(readFileSync(join(found, name)).equals(readFileSync(join(expected, name)))).toBe(true);
}

/** Numbers of every kind, and of every size. */
function strangeNumbers(n: number, seed: number): Float64Array {
  const random = randomNumbers(2 * n, seed);
  const special = [0, -0, 5e-324, -5e-324, 2.3e-308, 1.7e308, -1.7e308, 1, -1, 1e-21];
  return Float64Array.from({ length: n }, (_, k) => {
    const [a, b] = [random[2 * k], random[2 * k + 1]];
    if (a < -0.6) return special[Math.floor((b + 1) * 5)];
    return a < 0 ? b * 2 ** Math.floor(a * 1000) : b * 2 ** Math.floor(a * 1000);
  });
}

describe("exactly", () => {
  test("bank s: every byte comes back, and it is smaller", async () => {
    const packed = await pack(BANK_S, "s");
    expect(packed.packedBytes).toBe(readFileSync(packOf("s")).length);
    expect(packed.rawBytes / packed.packedBytes).toBeGreaterThan(1.4);
    const { blocks } = await unpack("s", "s-unpacked");
    expect(blocks).toBe(3);
    expectSameWaveforms(at("s-unpacked"), BANK_S);
  });

  test.each([
    ["smooth", (bank: MadeBank) => bank],
    [
      "all zero",
      (bank: MadeBank) => ({
        ...bank,
        amplitude: bank.amplitude.map(() => 0),
        phase: bank.phase.map(() => -0),
      }),
    ],
    [
      "far from their predictions",
      (bank: MadeBank) => {
        const random = randomNumbers(bank.amplitude.length, 5);
        return { ...bank, amplitude: bank.amplitude.map((a, k) => a * (1 + 0.4 ** (k % 5) * random[k])) };
      },
    ],
    [
      "of all kinds",
      ({ amplitude, ...bank }: MadeBank) => ({
        ...bank,
        amplitude: strangeNumbers(amplitude.length, 3),
        phase: strangeNumbers(amplitude.length, 4),
      }),
    ],
  ])("numbers that are %s; chunks across blocks, the last of 1 sample", async (name, change) => {
    const bank = change(smoothBank(65, [2, 1], 21, 7));
    const made = writeMadeBank(at(`${name} bank`), bank);
    await pack(made, `${name} packed`);
    await unpack(`${name} packed`, `${name} again`);
    expectSameWaveforms(at(`${name} again`), made);
    for (const n of [1, 3, 64]) {
      const { amplitude, phase } = readAll(at(`${name} packed`), "auto", n);
      expect(bitsOf(amplitude).equals(bitsOf(bank.amplitude))).toBe(true);
      expect(bitsOf(phase).equals(bitsOf(bank.phase))).toBe(true);
    }
  });

  test("one sample, fewest bins", async () => {
    const made = writeMadeBank(at("one"), smoothBank(1, [2], 8, 1));
    for (const rounding of [null, LOSSY]) {
      const name = `one packed ${rounding === null}`;
      await pack(made, name, rounding);
      await unpack(name, `${name} again`);
    }
    expectSameWaveforms(at("one packed true again"), made);
  });

  test("cross that is plus but for a ratio and a phase hardly takes room", async () => {
    const bank = smoothBank(600, [2], 128, 600);
    const made = writeMadeBank(at("two"), bank);
    for (let row = 1; row < 1200; row += 2) {
      const own = bank.amplitude.subarray(row * 128, (row + 1) * 128);
      own.set(bank.amplitude.subarray((row - 1) * 128, row * 128).map((a) => a * (0.2 + row / 2500)));
      bank.phase.set(
        bank.phase.subarray((row - 1) * 128, row * 128).map((phi) => phi + row / 100),
        row * 128,
      );
    }
    const like = writeMadeBank(at("like"), bank);
    const exact = [await pack(made, "two packed"), await pack(like, "like packed")];
    expect(exact[1].packedBytes).toBeLessThan(0.75 * exact[0].packedBytes);
    const lossy = [await pack(made, "two lossy", LOSSY), await pack(like, "like lossy", LOSSY)];
    expect(lossy[1].packedBytes).toBeLessThan(0.75 * lossy[0].packedBytes);
    expect(lossy[1].rounding?.relativeError).toBeLessThan(1.1 * (lossy[0].rounding?.relativeError ?? 0));
    await unpack("like packed", "like again");
    expectSameWaveforms(at("like again"), like);
    expect([...(openBank(at("like packed"), "x").packed?.model.prediction.kind_r ?? [])]).toEqual([
      0, 1, 0, 1,
    ]);
  });
});

/** Largest relative error of a sample's polarization, as docs/banks.md defines it. */
function relativeError(bank: string, packed: string): number {
  const [x, y] = [readAll(bank), readAll(packed)];
  const { config, n_i } = openBank(bank, "x");
  const [n_m, n_b] = [config.m_arr.length, config.fbin.length];
  let largest = 0;
  for (let i = 0; i < n_i; i++) {
    for (let p = 0; p < 2; p++) {
      let [errors, squares] = [0, 0];
      for (let m = 0; m < n_m; m++) {
        for (let b = 0; b < n_b; b++) {
          const k = ((i * n_m + m) * 2 + p) * n_b + b;
          const weight = (config.fbin[b] / config.fbin[0]) ** (7 / 3);
          const da = y.amplitude[k] - x.amplitude[k];
          const dphi = x.amplitude[k] * (y.phase[k] - x.phase[k]);
          errors += weight * (da * da + dphi * dphi);
          squares += weight * x.amplitude[k] ** 2;
        }
      }
      largest = Math.max(largest, Math.sqrt(errors / squares));
    }
  }
  return largest;
}

describe("within a tolerance", () => {
  test("the errors of bank s are those that the header says, and as small as was asked", async () => {
    const loose = await pack(BANK_S, "s-lossy", LOSSY);
    expect(loose.rawBytes / loose.packedBytes).toBeGreaterThan(10);
    const tight = await pack(BANK_S, "s-tight", { ...LOSSY, tolerance: 0.001 });
    for (const [name, { rounding }] of [
      ["s-lossy", loose],
      ["s-tight", tight],
    ] as const) {
      const error = relativeError(BANK_S, at(name));
      expect(error).toBeCloseTo(rounding?.relativeError ?? 0, 9);
      // Six standard deviations at the signal-to-noise ratio asked for.
      expect(6 * 30 * error).toBeLessThan(1.05 * (rounding?.tolerance ?? 0));
      expect(readAll(at(name)).amplitude.every((a) => a >= 0)).toBe(true);
    }
    expect(tight.packedBytes).toBeGreaterThan(loose.packedBytes);
  });

  test("a bank with empty parts and jumps", async () => {
    const bank = smoothBank(40, [2, 3], 40, 40);
    bank.amplitude.fill(0, 0, 7);
    for (let k = 30; k < bank.amplitude.length; k += 40) bank.amplitude.fill(0, k, k + 10);
    for (let k = 0; k < bank.phase.length; k += 33) bank.phase[k] += 1e6;
    const made = writeMadeBank(at("gaps"), bank);
    const { rounding } = await pack(made, "gaps packed", LOSSY);
    expect(relativeError(made, at("gaps packed"))).toBeLessThan(3 * (LOSSY.tolerance / 6 / 30));
    expect(rounding?.relativeError).toBeGreaterThan(0);
  });

  test("negative amplitudes, and tolerances beyond doubles, are refused", async () => {
    const bank = smoothBank(9, [2], 16, 9);
    bank.amplitude[200] = -1e-22;
    const made = writeMadeBank(at("negative"), bank);
    await expectRejection(pack(made, "none", LOSSY), "badData", "bank sample 6", "-1e-22", "at least 0");
    const tiny = { tolerance: 1e-9, snr: 30 };
    await expectRejection(pack(BANK_S, "none", tiny), "usage", "--tolerance", "at least");
    expect(existsSync(at("none"))).toBe(false);
  });
});

test("widths of digits of every path of the kernels are among those that are tested", () => {
  const names = ["s", "far from their predictions packed", "of all kinds packed"];
  const usual = names.flatMap((name) => [
    ...(openBank(at(name), "x").packed?.model.prediction.shift_tr ?? []),
  ]);
  expect(usual.some((width) => width > 0 && width <= 48)).toBe(true);
  expect(usual.some((width) => width > 48 && width < 56)).toBe(true);
});

test.each(availableKernels())("kernels %s decode the same bits", async (kernels) => {
  const exact = ["s", "far from their predictions packed", "of all kinds packed"];
  for (const name of [...exact, "s-lossy", "gaps packed", "like lossy"]) {
    const [found, expected] = [readAll(at(name), kernels), readAll(at(name), "ref", 32)];
    expect(bitsOf(found.amplitude).equals(bitsOf(expected.amplitude))).toBe(true);
    expect(bitsOf(found.phase).equals(bitsOf(expected.phase))).toBe(true);
  }
});

test("the file does not depend on the number of threads", async () => {
  const made = writeMadeBank(at("threads"), smoothBank(150, [2, 1], 30, 32));
  for (const rounding of [null, LOSSY]) {
    const files: Buffer[] = [];
    for (const n of [1, 2, 3]) {
      const name = `threads ${n} ${rounding === null}`;
      await pack(made, name, rounding, n);
      files.push(readFileSync(packOf(name)));
    }
    expect(files.map((file) => file.equals(files[0]))).toEqual([true, true, true]);
  }
});

test("every bin is coded once, from bins that were coded before it", () => {
  for (const [n_b, n_k, stride] of [
    [8, 6, 32],
    [33, 6, 32],
    [34, 4, 8],
    [378, 6, 32],
    [100, 1, 1],
  ]) {
    const { bin_t, tap_tk, near_tc, n_taps_t } = halvingOrder(n_b, n_k, stride);
    expect([...bin_t].sort((a, b) => a - b)).toEqual(Array.from({ length: n_b }, (_, b) => b));
    for (let t = 1; t < n_b; t++) {
      const before = new Set(bin_t.subarray(0, t));
      const taps = [...tap_tk.subarray(t * n_k, (t + 1) * n_k)];
      expect(n_taps_t[t]).toBe(new Set(taps).size);
      for (const bin of [...taps, near_tc[2 * t], near_tc[2 * t + 1]]) expect(before.has(bin)).toBe(true);
    }
  }
});

describe("folders", () => {
  test("an existing one is refused, and nothing is left of what fails", async () => {
    mkdirSync(at("parent"));
    const bank = smoothBank(40, [2], 16, 8);
    bank.phase[33 * 32 + 3] = Number.NaN;
    const made = writeMadeBank(at("nan"), bank);
    for (const n of [1, 2])
      await expectRejection(
        pack(made, "parent/out", null, n),
        "notFinite",
        "block_4.npy",
        "bank sample 33",
        "NaN",
      );
    writeFileSync(at("parent/file"), "");
    await expectRejection(pack(BANK_S, "parent/file"), "cannotCreate", "parent/file", "exists already");
    await expectRejection(pack(BANK_S, "absent/out"), "cannotCreate", "absent/out", "ENOENT");
    expect(readdirSync(at("parent"))).toEqual(["file"]);
  });

  test("waveforms in both forms, in none, of another bank", () => {
    cpSync(at("s"), at("mixed"), { recursive: true });
    mkdirSync(at("mixed/waveforms"));
    expectRefusal(() => openBank(at("mixed"), "x"), "mismatch", "waveforms.pack and waveforms/");
    rmSync(at("mixed/waveforms"), { recursive: true });
    rmSync(at("mixed/waveforms.pack"));
    expectRefusal(() => openBank(at("mixed"), "x"), "noInput", "neither waveforms/ nor waveforms.pack");
    cpSync(packOf("threads 1 true"), at("mixed/waveforms.pack"));
    expectRefusal(
      () => openBank(at("mixed"), "x"),
      "mismatch",
      "waveforms.pack",
      "field samples: found 150, expected 96",
    );
    const config = JSON.parse(readFileSync(join(BANK_S, "bank_config.json"), "utf8"));
    config.fbin[3] += 1e-3;
    writeFileSync(at("mixed/bank_config.json"), JSON.stringify(config));
    cpSync(packOf("s"), at("mixed/waveforms.pack"));
    expectRefusal(() => openBank(at("mixed"), "x"), "mismatch", "field binsCrc");
  });

  test("a bank that is not packed is not unpacked; a packed one can be packed again", async () => {
    const unpacking = unpackBank({ bank: BANK_S, out: at("none"), nProcs: 1 }, SILENT_REPORTER);
    await expectRejection(unpacking, "badData", "is not packed");
    await pack(at("s"), "s-twice");
    expect(readFileSync(packOf("s-twice")).equals(readFileSync(packOf("s")))).toBe(true);
  });
});

describe("damage", () => {
  /** Whether the changed file is refused or gives the same numbers; what else may be thrown fails. */
  function isSafe(bank: string, expected: ReturnType<typeof readAll>): boolean {
    try {
      const found = readAll(bank);
      return (
        bitsOf(found.amplitude).equals(bitsOf(expected.amplitude)) &&
        bitsOf(found.phase).equals(bitsOf(expected.phase))
      );
    } catch (error) {
      if (error instanceof DotpeError) return ["badData", "mismatch", "noInput"].includes(error.exit);
      throw error;
    }
  }

  test.each(["true", "false"])("truncation anywhere, and any byte changed (exact: %s)", async (exact) => {
    const made = writeMadeBank(at(`small ${exact}`), smoothBank(20, [2], 12, 20));
    const name = `damaged ${exact}`;
    await pack(made, name, exact === "true" ? null : LOSSY);
    const good = readFileSync(packOf(name));
    const expected = readAll(at(name));
    const random = randomNumbers(400, 7);
    const places = Array.from(random, (x) => Math.floor(((x + 1) / 2) * good.length));
    for (const end of [0, 1, 16, 31, 32, good.length - 1, good.length - 16, ...places.slice(0, 60)]) {
      writeFileSync(packOf(name), good.subarray(0, end));
      expect([end, isSafe(at(name), expected)]).toEqual([end, true]);
    }
    const ends = Array.from({ length: 300 }, (_, k) => good.length - 1 - k);
    for (const place of [...places, ...ends]) {
      const bad = Buffer.from(good);
      bad[place] ^= 1 << (place % 8);
      writeFileSync(packOf(name), bad);
      expect([place, isSafe(at(name), expected)]).toEqual([place, true]);
    }
    writeFileSync(packOf(name), Buffer.concat([good, good]));
    expect(isSafe(at(name), expected)).toBe(true);
  });

  test("a damaged chunk is named, and no other is refused", async () => {
    await pack(BANK_S, "chunk");
    const bank = openBank(at("chunk"), "x");
    const bytes = readFileSync(packOf("chunk"));
    const starts = bank.packed?.start_c ?? new Float64Array(0);
    bytes[starts[3] + 1000] ^= 1;
    writeFileSync(packOf("chunk"), bytes);
    const reader = new BankReader(bankFiles(openBank(at("chunk"), "x")));
    reader.load(16, 17);
    expectRefusal(
      () => reader.load(24, 25),
      "badData",
      "waveforms.pack: chunk 3 (samples 24 to 31)",
      "checksum",
    );
    expectRefusal(() => reader.load(26, 27), "badData", "chunk 3");
    reader.load(32, 34);
    reader.close();
  });

  test("a chunk that fits its checksum but lies is refused", async () => {
    const made = writeMadeBank(at("lies"), smoothBank(16, [2], 12, 16));
    for (const rounding of [null, LOSSY]) {
      const name = `lies ${rounding === null}`;
      await pack(made, name, rounding);
      const { packed } = openBank(at(name), "x");
      if (packed === null) throw new Error("is packed");
      const good = readFileSync(packOf(name));
      const [start, end] = packed.start_c;
      const random = randomNumbers(300, 5);
      const expected = readAll(at(name));
      for (const [k, x] of random.entries()) {
        const bad = Buffer.from(good);
        const place = start + (k < 120 ? k % 100 : Math.floor(((x + 1) / 2) * (end - start)));
        bad[place] ^= 1 + (k % 255);
        writeFileSync(packOf(name), bad);
        // As if the one who wrote it had meant it.
        packed.crc_c[0] = Bun.hash.crc32(bad.subarray(start, end)) | 0;
        const reader = new BankReader({
          ...bankFiles(openBank(made, "x")),
          blockSize: packed.chunkItems,
          packed,
        });
        try {
          reader.load(0, 8);
          expect(reader.amplitude.length).toBe(expected.amplitude.length / 2);
        } catch (error) {
          expect(error).toBeInstanceOf(DotpeError);
        } finally {
          reader.close();
        }
      }
    }
  });
});
