import { expect, test } from "bun:test";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import {
  type Bank,
  bandOfEvent,
  checkBanksAgree,
  openBank,
  readAllColumns,
  SAMPLE_COLUMNS,
} from "../src/gw/bank.ts";
import { BankReader, bankFiles } from "../src/gw/bank-reader.ts";
import { readEvent } from "../src/gw/event.ts";
import { encodeFeather, type FeatherColumn } from "../src/io/feather.ts";
import { encodeNpy } from "../src/io/npy.ts";
import { openNpz } from "../src/io/npz.ts";
import { expectRefusal, FIXTURES, temporaryFolder } from "./io-helpers.ts";

const folder = temporaryFolder();
const BANK_S = join(FIXTURES, "banks/s");
const BANK_C = join(import.meta.dir, "../../shared/reference/banks/c");
const GW170814 = readEvent(join(FIXTURES, "events/GW170814.npz"));

test("bank s is opened", () => {
  const bank = openBank(BANK_S, "bank_0");
  expect(bank.config).toMatchObject({
    f_ref: 50,
    m_arr: [2, 1, 3, 4],
    blocksize: 32,
    approximant: "IMRPhenomXPHM",
  });
  expect([bank.n_i, bank.config.fbin.length, bank.blocks.length]).toEqual([96, 378, 3]);
  // pandas: m1[5], log_prior_weights[95]
  expect([bank.samples.m1[5], bank.samples.log_prior_weights[95]]).toEqual([
    51.31362198880473, -0.05423074299592131,
  ]);
  expect(Array.from(bank.samples.l1)).toEqual(new Array(96).fill(0));
});

/** The waveforms of a block, copied. */
function loadBlock(bank: Bank, k: number) {
  const reader = new BankReader(bankFiles(bank));
  const { i0, n_i } = bank.blocks[k];
  reader.load(i0, i0 + n_i);
  reader.close();
  return { amplitude: reader.amplitude, phase: reader.phase };
}

test("a block is read", () => {
  const { amplitude, phase } = loadBlock(openBank(BANK_S, "bank_0"), 2);
  // numpy: element [31, 3, 1, 377] of block 2, and the sum of its amplitudes
  expect([amplitude.at(-1), phase.at(-1)]).toEqual([2.1146557211286864e-24, 45.02726728191302]);
  expect(amplitude.length).toBe(32 * 4 * 2 * 378);
  expect(amplitude.reduce((sum, value) => sum + value, 0) / 2.576796624071167e-16).toBeCloseTo(1, 12);
});

test("a reader finds any sample, whatever it read before, and keeps few files open", () => {
  const bank = openBank(BANK_S, "bank_0");
  const size = 4 * 2 * 378;
  const reader = new BankReader(bankFiles(bank));
  const openFiles = () => readdirSync("/proc/self/fd").length;
  const before = openFiles();
  for (const i of [95, 0, 33, 64, 31, 32, 95]) {
    const k = Math.floor(i / 32);
    expect(reader.blockEnd(i)).toBe(32 * (k + 1));
    // Of another block: what is read next does not change by it.
    const next = 32 * ((k + 1) % 3);
    reader.prefetch(next, next + 32);
    reader.load(i, i + 1);
    const at = (i % 32) * size;
    expect(reader.phase.subarray(0, size)).toEqual(loadBlock(bank, k).phase.subarray(at, at + size));
  }
  expect(openFiles() - before).toBeLessThanOrEqual(4);
  reader.close();
  expect(openFiles()).toBe(before);
});

test("a block that has changed since the bank was opened is refused", () => {
  const bank = openBank(writeBank("changed"), "x");
  const [{ amplitudesPath }] = bank.blocks;
  writeFileSync(amplitudesPath, readFileSync(amplitudesPath).subarray(0, 600));
  expectRefusal(() => loadBlock(bank, 0), "badData", amplitudesPath, "found 600 bytes, expected 640");
  rmSync(amplitudesPath);
  expectRefusal(() => loadBlock(bank, 0), "noInput", amplitudesPath, "no such file");
});

const N_B = 8;
const CONFIG = {
  fbin: Array.from({ length: N_B }, (_, b) => 20 + 10 * b),
  f_ref: 50,
  m_arr: [2, 3],
  harmonic_modes: [
    [2, 2],
    [3, 3],
    [3, 2],
  ],
  blocksize: 2,
  approximant: "X",
};

interface SmallBank {
  config?: Record<string, unknown>;
  drop?: string;
  columns?: FeatherColumn[];
  n_i?: number;
}

/** A good bank of 5 samples, 2 modes, 8 bins, in blocks of 2, 2, 1, with parts of it replaced. */
function writeBank(name: string, { config = {}, drop, columns = [], n_i = 5 }: SmallBank = {}): string {
  const path = join(folder, name);
  rmSync(path, { recursive: true, force: true });
  mkdirSync(join(path, "waveforms"), { recursive: true });
  const whole: Record<string, unknown> = { ...CONFIG, ...config };
  if (drop !== undefined) delete whole[drop];
  writeFileSync(join(path, "bank_config.json"), JSON.stringify(whole));
  const replaced = new Set(columns.map((column) => column.name));
  const plain = SAMPLE_COLUMNS.filter((column) => column !== drop && !replaced.has(column));
  const table = plain.map((column): FeatherColumn => {
    return { name: column, type: "f64", data: new Float64Array(n_i).fill(0.5) };
  });
  writeFileSync(join(path, "intrinsic_sample_bank.feather"), encodeFeather([...table, ...columns]));
  for (const [k, rows] of [2, 2, 1].entries()) {
    for (const kind of ["amplitudes", "phase"]) writeBlock(path, `${kind}_block_${k}`, [rows, 2, 2, N_B]);
  }
  return path;
}

function writeBlock(bank: string, name: string, shape: number[]): void {
  const data = new Float64Array(shape.reduce((a, n) => a * n, 1)).map((_, k) => k);
  writeFileSync(join(bank, `waveforms/${name}.npy`), encodeNpy(shape, { dtype: "f8", data }));
}

test("the last block may be short", () => {
  const { blocks } = openBank(writeBank("good"), "x");
  expect(blocks.map(({ i0, n_i }) => [i0, n_i])).toEqual([
    [0, 2],
    [2, 2],
    [4, 1],
  ]);
});

test("m_arr and harmonic_modes: either is enough, both must agree, m = 2 is needed", () => {
  const legacy = openBank(writeBank("legacy", { drop: "harmonic_modes", config: { m_arr: [3, 2] } }), "x");
  expect([legacy.config.m_arr, legacy.config.harmonic_modes]).toEqual([[3, 2], null]);
  expect(openBank(writeBank("derived", { drop: "m_arr" }), "x").config.m_arr).toEqual([2, 3]);
  const refuse = (bank: SmallBank, ...parts: string[]) =>
    expectRefusal(
      () => openBank(writeBank("modes", bank), "x"),
      "badData",
      "bank_config.json",
      "m_arr",
      ...parts,
    );
  refuse({ config: { m_arr: [3, 2] } }, "found [3,2], expected [2,3]");
  refuse({ config: { m_arr: undefined, harmonic_modes: undefined } }, "neither");
  refuse({ config: { m_arr: [1, 3] }, drop: "harmonic_modes" }, "expected m = 2");
  refuse({ config: { m_arr: [2, 2] }, drop: "harmonic_modes" }, "different modes");
});

const wrongConfigs: [Record<string, unknown>, string][] = [
  [{ f_ref: "50" }, 'field f_ref: found "50", expected number'],
  [{ f_ref: -1 }, "field f_ref: found -1"],
  [{ blocksize: 2.5 }, "field blocksize: found 2.5"],
  [{ approximant: undefined }, "field approximant: found undefined"],
  [{ fbin: [1, 2, 3] }, "field fbin"],
  [{ fbin: [1, 2, 3, 4, 5, 6, 7, "8"] }, 'field fbin.7: found "8", expected number'],
  [{ fbin: [1, 2, 3, 4, 4, 6, 7, 8] }, "found 4 Hz after 4 Hz at index 4"],
  [{ harmonic_modes: [[2, 2, 2]] }, "field harmonic_modes"],
];

for (const [config, found] of wrongConfigs) {
  test(`a wrong configuration is refused: ${found}`, () => {
    expectRefusal(() => openBank(writeBank("wrong", { config }), "x"), "badData", "bank_config.json", found);
  });
}

test("samples must be there, finite, and as many as the waveforms", () => {
  const open = (bank: SmallBank) => () => openBank(writeBank("samples", bank), "x");
  const read = (bank: SmallBank) => () => readAllColumns(open(bank)());
  expectRefusal(
    open({ drop: "log_prior_weights" }),
    "badData",
    "feather",
    "expected a column log_prior_weights",
  );
  const weights = (value: number): FeatherColumn => {
    return { name: "log_prior_weights", type: "f64", data: Float64Array.of(0, 0, value, 0, 0) };
  };
  expect(open({ columns: [weights(-Infinity)] })().samples.log_prior_weights[2]).toBe(-Infinity);
  expectRefusal(read({ columns: [weights(NaN)] }), "notFinite", "log_prior_weights: found NaN in row 2");
  expectRefusal(read({ columns: [weights(Infinity)] }), "notFinite", "found Infinity in row 2");
  const spin: FeatherColumn = { name: "s1z", type: "f64", data: Float64Array.of(0, 0, 0, -Infinity, 0) };
  expectRefusal(read({ columns: [spin] }), "notFinite", "column s1z: found -Infinity in row 3");
  // Each column when it is asked for, and the same array every time.
  const bank = open({ columns: [spin] })();
  expect(bank.samples.m1).toBe(bank.samples.m1);
  expectRefusal(() => bank.samples.s1z, "notFinite", "column s1z");
  expectRefusal(open({ n_i: 0 }), "badData", "no samples");
  expectRefusal(open({ n_i: 6 }), "mismatch", "block_2.npy: found shape (1, 2, 2, 8), expected (2, 2, 2, 8)");
  expectRefusal(open({ n_i: 7 }), "mismatch", "block_2.npy");
  expectRefusal(
    open({ n_i: 4 }),
    "mismatch",
    "amplitudes_block_2.npy",
    "more blocks than the 2 that 4 samples fill",
  );
});

test("waveform files must be there, f8, whole and of one shape", () => {
  const path = writeBank("files");
  const phase = join(path, "waveforms/phase_block_1.npy");
  const refuse = (exit: "badData" | "noInput" | "mismatch", ...parts: string[]) =>
    expectRefusal(() => openBank(path, "x"), exit, phase, ...parts);
  writeBlock(path, "phase_block_1", [2, 2, 2, 7]);
  refuse("mismatch", "(2, 2, 2, 7), expected (2, 2, 2, 8)");
  writeFileSync(phase, encodeNpy([2, 2, 2, 8], { dtype: "i8", data: new Int32Array(64) }));
  refuse("badData", "found i8 in C order, expected f8");
  writeBlock(path, "phase_block_1", [2, 2, 2, 8]);
  writeFileSync(phase, readFileSync(phase).subarray(0, 500));
  refuse("badData", "truncated", "found 500 bytes, expected 640");
  rmSync(phase);
  refuse("noInput", "no such file");
  expectRefusal(() => openBank(join(folder, "absent"), "x"), "noInput", "absent", "no such folder");
});

test("files may be symbolic links, without write permission, and not aligned", () => {
  const path = writeBank("links");
  const target = join(path, "waveforms/phase_block_0.npy");
  const shifted = withHeaderLength(readFileSync(target), 121);
  rmSync(target);
  writeFileSync(join(path, "elsewhere.npy"), shifted);
  chmodSync(join(path, "elsewhere.npy"), 0o444);
  symlinkSync(join(path, "elsewhere.npy"), target);
  const bank = openBank(path, "x");
  const [block] = bank.blocks;
  expect(block.phaseDataOffset).toBe(131);
  const { amplitude, phase } = loadBlock(bank, 0);
  expect(Array.from(phase)).toEqual(Array.from({ length: 64 }, (_, k) => k));
  expect(amplitude).toEqual(phase);
});

/** The same .npy file with a longer or shorter header. */
function withHeaderLength(file: Buffer, length: number): Buffer {
  const text = file.subarray(10, 10 + file.readUInt16LE(8)).toString();
  const prefix = Buffer.from(file.subarray(0, 10));
  prefix.writeUInt16LE(length, 8);
  return Buffer.concat([prefix, Buffer.from(text.trimEnd().padEnd(length)), file.subarray(10 + text.length)]);
}

test("banks used together must agree", () => {
  const first = openBank(writeBank("first"), "bank_0");
  const open = (config: Record<string, unknown>) => openBank(writeBank("second", { config }), "bank_1");
  expect(() => checkBanksAgree([first, open({ blocksize: 2 })])).not.toThrow();
  const refuse = (config: Record<string, unknown>, ...parts: string[]) =>
    expectRefusal(() => checkBanksAgree([first, open(config)]), "mismatch", first.folder, "second", ...parts);
  refuse({ f_ref: 20 }, "field f_ref: found 20, expected 50");
  refuse({ approximant: "Y" }, "field approximant");
  refuse({ m_arr: [3, 2], harmonic_modes: undefined }, "field m_arr: found [3,2], expected [2,3]");
  refuse({ harmonic_modes: undefined }, "field harmonic_modes: found null");
  refuse({ fbin: [21, 30, 40, 50, 60, 70, 80, 90] }, "field fbin");
});

test("the used bins of bank s are those of the reference", () => {
  const reference = openNpz(join(FIXTURES, "runs/small/reference.npz")).get("fbin").toFloat64();
  const band = bandOfEvent(GW170814, openBank(BANK_S, "bank_0").config.fbin);
  expect([band.b0, band.b1, band.note, band.doubt]).toEqual([0, 378, null, null]);
  expect(Array.from(band.fbin)).toEqual(Array.from(reference));
  expect(Array.from(band.f_index, (k) => GW170814.f[k])).toEqual(Array.from(reference));
});

test.skipIf(!existsSync(BANK_C))(
  "of a bank up to 1600 Hz, an event that ends at 512 Hz uses the lower part",
  () => {
    const band = bandOfEvent(GW170814, openBank(BANK_C, "bank_0").config.fbin);
    // numpy: searchsorted(frequencies, fbin - df / 2), those on the grid
    expect([band.b0, band.b1, band.fbin.at(-1)]).toEqual([0, 284, 503.84375]);
    expect(Array.from(band.f_index.subarray(0, 4))).toEqual([480, 482, 483, 485]);
    expect(band.f_index.reduce((sum, k) => sum + k, 0)).toBe(747576);
    expect(band.note).toContain("using 284 of 378 bins");
    expect(band.doubt).toContain("moved by up to 0.015 Hz");
  },
);

/** An event on a grid of 1 Hz up to 100 Hz. */
function gridEvent(f0: number, f1: number) {
  return { name: "test", f: Float64Array.from({ length: 101 }, (_, k) => k), f0, f1 };
}

test("one bin beyond each edge of the band is kept, on the grid only", () => {
  const fbin = Float64Array.from({ length: 15 }, (_, b) => 10.4 + 10 * b);
  expect(Array.from(bandOfEvent(gridEvent(5, 100), fbin).fbin)).toEqual([
    10, 20, 30, 40, 50, 60, 70, 80, 90, 100,
  ]);
  const inside = bandOfEvent(gridEvent(25, 85), fbin);
  expect([inside.b0, inside.b1, inside.fbin[0], inside.fbin.at(-1)]).toEqual([1, 9, 20, 90]);
  const exact = bandOfEvent(gridEvent(20, 90), fbin);
  expect([exact.b0, exact.b1]).toEqual([1, 9]);
  expect(exact.note).toBe(
    "the bank's bins span 10.4-150.4 Hz, event test 20-90 Hz: using 8 of 15 bins, 20.4-90.4 Hz",
  );
});

test("bins that the grid cannot tell apart, or too few of them, are a mismatch", () => {
  const fbin = Float64Array.from({ length: 20 }, (_, b) => 10 + 4.9 * b);
  fbin[7] = fbin[6] + 0.05;
  expectRefusal(
    () => bandOfEvent(gridEvent(5, 100), fbin),
    "mismatch",
    "event test",
    `bins ${fbin[6]} Hz and ${fbin[7]} Hz both fall on 39 Hz`,
  );
  expectRefusal(() => bandOfEvent(gridEvent(50, 70), fbin), "mismatch", "found 6 bins", "at least 8");
  expectRefusal(() => bandOfEvent(gridEvent(1, 5), fbin), "mismatch", "found 0 bins");
  const above = Float64Array.from({ length: 20 }, (_, b) => 200 + b);
  expectRefusal(() => bandOfEvent(gridEvent(5, 100), above), "mismatch", "found 0 bins");
});
