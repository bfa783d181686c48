/** The first line of defence, through the binary: wrong events, banks, and inputs that do not fit each other. */
import { expect, test } from "bun:test";
import { copyFileSync, cpSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { encodeFeather, readFeather } from "../src/io/feather.ts";
import { encodeNpy } from "../src/io/npy.ts";
import { COARSE, describeCases, GIVEN } from "./error-cases.ts";
import { runBinary } from "./helpers.ts";
import { temporaryFolder } from "./io-helpers.ts";
import {
  BANK,
  EVENT,
  keepDetectors,
  pickledNpy,
  readBankContent,
  setNumbers,
  takeModes,
  writeBank,
  writeEvent,
} from "./make-inputs.ts";

const folder = temporaryFolder();
const content = readBankContent();
const [N_M, N_B] = [4, 378];

/** A copy of bank s in the case's folder, spoilt. */
function spoiltBank(own: string, spoil: (bank: string) => void): string {
  const bank = join(own, "bank");
  cpSync(BANK, bank, { recursive: true });
  spoil(bank);
  return bank;
}

const withEvent =
  (change: Parameters<typeof writeEvent>[1], ...flags: string[]) =>
  (own: string) => [writeEvent(join(own, "event.npz"), change), BANK, ...COARSE, ...flags];
const withBank =
  (spoil: (bank: string) => void, ...flags: string[]) =>
  (own: string) => [EVENT, spoiltBank(own, spoil), ...(flags.length > 0 ? flags : COARSE)];
const N_F = 16385;

describeCases("the event", {
  "is missing": ["noInput", ["nothing.npz", "no such file"], () => ["nothing.npz", BANK]],
  "is a folder": ["noInput", [BANK, "found a folder"], () => [BANK, BANK]],
  "is no archive": [
    "badData",
    ["event.npz"],
    (own) => {
      writeFileSync(join(own, "event.npz"), "This is not an event.");
      return [join(own, "event.npz"), BANK];
    },
  ],
  "is empty": [
    "badData",
    ["event.npz"],
    (own) => {
      writeFileSync(join(own, "event.npz"), "");
      return [join(own, "event.npz"), BANK];
    },
  ],
  "is truncated": [
    "badData",
    ["event.npz"],
    (own) => {
      copyFileSync(EVENT, join(own, "event.npz"));
      truncateSync(join(own, "event.npz"), 500_000);
      return [join(own, "event.npz"), BANK];
    },
  ],
  "has a flipped bit": [
    "badData",
    ["event.npz", "strain"],
    (own) => {
      const bytes = readFileSync(writeEvent(join(own, "event.npz")));
      bytes[bytes.indexOf("strain.npy") + 100_000] ^= 1;
      writeFileSync(join(own, "event.npz"), bytes);
      return [join(own, "event.npz"), BANK];
    },
  ],
  "lacks its strain": [
    "badData",
    ["event.npz", "strain"],
    withEvent((entries) => {
      entries.strain = undefined;
    }),
  ],
  "has NaN in its strain": [
    "notFinite",
    ["event.npz", "field strain", "NaN", "detector L", "index 2000"],
    withEvent(setNumbers("strain", [2 * (N_F + 2000), Number.NaN])),
  ],
  "has infinity in its strain": [
    "notFinite",
    ["event.npz", "field strain", "Infinity", "detector V"],
    withEvent(setNumbers("strain", [4 * N_F + 4001, Number.POSITIVE_INFINITY])),
  ],
  "has NaN in its whitening filter": [
    "notFinite",
    ["event.npz", "field wht_filter", "NaN", "detector H"],
    withEvent(setNumbers("wht_filter", [1000, Number.NaN])),
  ],
  "has a strain of another shape": [
    "badData",
    ["event.npz", "field strain", "(2, 16385)", "(3, 16385)"],
    withEvent((entries) => {
      const { wht_filter } = entries;
      keepDetectors("HL")(entries);
      entries.wht_filter = wht_filter;
      entries.detector_names = { shape: [], dtype: "U", data: ["HLV"] } as typeof wht_filter;
    }),
  ],
  "has a real strain": [
    "badData",
    ["event.npz", "field strain", "f8", "c16"],
    withEvent((entries) => {
      entries.strain = entries.wht_filter;
    }),
  ],
  "has a pickled strain": [
    "badData",
    ["event.npz", "strain", "pickle"],
    withEvent((entries) => {
      entries.strain = pickledNpy([3, N_F]);
    }),
  ],
  "has an unknown detector": [
    "badData",
    ["event.npz", "field detector_names", "'K'", "H, L, V"],
    withEvent((entries) => {
      entries.detector_names = { shape: [], dtype: "U", data: ["HLK"] } as (typeof entries)["strain"];
    }),
  ],
  "has uneven frequencies": [
    "badData",
    ["event.npz", "field frequencies", "index 700"],
    withEvent(setNumbers("frequencies", [700, 21.9])),
  ],
  "has nothing but zeros for data": [
    "badData",
    ["event.npz", "field strain", "detector V", "found only zeros"],
    withEvent((entries) => {
      (entries.strain as { data: Float64Array }).data.fill(0, 4 * N_F);
    }),
  ],
});

test("an event with a pickled entry that is not needed is run", async () => {
  const event = writeEvent(join(folder, "injection.npz"), (entries) => {
    entries.injection = pickledNpy([3]);
  });
  const { code } = await runBinary(["run", event, BANK, ...GIVEN, "--rundir", join(folder, "injection")]);
  expect(code).toBe(0);
});

const block = (bank: string, name: string) => join(bank, `waveforms/${name}.npy`);
const config = (bank: string) => join(bank, "bank_config.json");
const samples = (bank: string) => join(bank, "intrinsic_sample_bank.feather");

function changeConfig(change: Record<string, unknown>): (bank: string) => void {
  return (bank) => {
    const found = JSON.parse(readFileSync(config(bank), "utf8"));
    writeFileSync(config(bank), JSON.stringify({ ...found, ...change }));
  };
}

function changeSamples(drop: string, change?: (values: Float64Array) => void): (bank: string) => void {
  return (bank) => {
    const table = readFeather(samples(bank));
    const columns = table.names
      .filter((name) => change !== undefined || name !== drop)
      .map((name) => {
        const data = table.f64(name).slice();
        if (name === drop) change?.(data);
        return { name, type: "f64" as const, data };
      });
    writeFileSync(samples(bank), encodeFeather(columns));
  };
}

/** Sets one number of a waveform file; 128 bytes of header stand before them. */
function changeNumber(name: string, at: number, value: number): (bank: string) => void {
  return (bank) => {
    const bytes = readFileSync(block(bank, name));
    bytes.writeDoubleLE(value, 128 + 8 * at);
    writeFileSync(block(bank, name), bytes);
  };
}

/** Position in a block of sample i, mode m, polarization p, bin b. */
const at = (i: number, m: number, p: number, b: number) => ((i * N_M + m) * 2 + p) * N_B + b;

describeCases("a bank", {
  "is missing": ["noInput", ["nobank", "no such folder"], () => [EVENT, "nobank"]],
  "is a file": ["noInput", [EVENT, "no such folder"], () => [EVENT, EVENT]],
  "has no bank_config.json": [
    "noInput",
    ["bank_config.json", "no such file"],
    withBank((bank) => rmSync(config(bank))),
  ],
  "has a bank_config.json that is no JSON": [
    "badData",
    ["bank_config.json"],
    withBank((bank) => truncateSync(config(bank), 100)),
  ],
  "lacks a field": ["badData", ["bank_config.json", "f_ref"], withBank(changeConfig({ f_ref: undefined }))],
  "has a field of another type": [
    "badData",
    ["bank_config.json", "blocksize", '"32"', "number"],
    withBank(changeConfig({ blocksize: "32" })),
  ],
  "has no m = 2": [
    "badData",
    ["bank_config.json", "m_arr", "m = 2"],
    withBank(changeConfig({ m_arr: [1, 3, 4, 5], harmonic_modes: undefined })),
  ],
  "has no sample table": [
    "noInput",
    ["intrinsic_sample_bank.feather", "no such file"],
    withBank((bank) => rmSync(samples(bank))),
  ],
  "has a truncated sample table": [
    "badData",
    ["intrinsic_sample_bank.feather"],
    withBank((bank) => truncateSync(samples(bank), 9000)),
  ],
  "lacks a column": ["badData", ["intrinsic_sample_bank.feather", "s1z"], withBank(changeSamples("s1z"))],
  "has NaN among its samples": [
    "notFinite",
    ["intrinsic_sample_bank.feather", "column iota", "NaN", "row 40"],
    withBank(
      changeSamples("iota", (values) => {
        values[40] = Number.NaN;
      }),
    ),
  ],
  "has infinite weights": [
    "notFinite",
    ["intrinsic_sample_bank.feather", "column log_prior_weights", "Infinity", "row 3"],
    withBank(
      changeSamples("log_prior_weights", (values) => {
        values[3] = Number.POSITIVE_INFINITY;
      }),
    ),
  ],
  "lacks a block": [
    "noInput",
    ["phase_block_1.npy", "no such file"],
    withBank((bank) => rmSync(block(bank, "phase_block_1"))),
  ],
  "has a block too many": [
    "mismatch",
    ["amplitudes_block_3.npy", "more blocks than the 3"],
    withBank((bank) => copyFileSync(block(bank, "amplitudes_block_0"), block(bank, "amplitudes_block_3"))),
  ],
  "has a truncated block": [
    "badData",
    ["amplitudes_block_2.npy", "700000 bytes", "774272"],
    withBank((bank) => truncateSync(block(bank, "amplitudes_block_2"), 700_000)),
  ],
  "has a block of another shape": [
    "mismatch",
    ["phase_block_0.npy", "(32, 4, 2, 377)", "(32, 4, 2, 378)"],
    withBank((bank) => {
      const data = new Float64Array(32 * N_M * 2 * 377);
      writeFileSync(block(bank, "phase_block_0"), encodeNpy([32, N_M, 2, 377], { dtype: "f8", data }));
    }),
  ],
  "has a block of another dtype": [
    "badData",
    ["phase_block_0.npy", "i8", "f8"],
    withBank((bank) => {
      const data = new Int32Array(32 * N_M * 2 * N_B);
      writeFileSync(block(bank, "phase_block_0"), encodeNpy([32, N_M, 2, N_B], { dtype: "i8", data }));
    }),
  ],
  "has a pickled block": [
    "badData",
    ["amplitudes_block_1.npy", "pickle"],
    withBank((bank) => writeFileSync(block(bank, "amplitudes_block_1"), pickledNpy([32, N_M, 2, N_B]))),
  ],
  "has NaN in a phase": [
    "notFinite",
    ["phase_block_1.npy", "sample 5", "bank sample 37"],
    withBank(changeNumber("phase_block_1", at(5, 1, 1, 200), Number.NaN)),
  ],
  "has NaN in the phase that waveforms are aligned by": [
    "notFinite",
    ["phase_block_0.npy", "bank sample 2)"],
    withBank(changeNumber("phase_block_0", at(2, 0, 0, 0), Number.NaN), ...GIVEN),
  ],
  "has infinity in an amplitude": [
    "notFinite",
    ["amplitudes_block_2.npy", "bank sample 95"],
    withBank(changeNumber("amplitudes_block_2", at(31, 3, 1, 377), Number.POSITIVE_INFINITY), ...GIVEN),
  ],
  "has NaN, found by another thread": [
    "notFinite",
    ["amplitudes_block_1.npy", "bank sample 40"],
    withBank(changeNumber("amplitudes_block_1", at(8, 2, 0, 7), Number.NaN), ...GIVEN, "--n-procs", "2"),
  ],
  "has a waveform that vanishes": [
    "notFinite",
    ["amplitudes_block_1.npy", "bank sample 41", "zero amplitude"],
    withBank((bank) => blank(bank, 9), ...GIVEN),
  ],
});

/** Sets all amplitudes of sample i of block 1 to zero. */
function blank(bank: string, i: number): void {
  const bytes = readFileSync(block(bank, "amplitudes_block_1"));
  bytes.fill(0, 128 + 8 * at(i, 0, 0, 0), 128 + 8 * at(i + 1, 0, 0, 0));
  writeFileSync(block(bank, "amplitudes_block_1"), bytes);
}

describeCases("inputs that do not fit each other", {
  "bins outside the event's band": [
    "mismatch",
    ["event GW170814 and bank", "found 0 bins", "600-977 Hz", "15-512 Hz"],
    withBank(changeConfig({ fbin: Array.from({ length: N_B }, (_, b) => 600 + b) })),
  ],
  "bins finer than the event's grid": [
    "mismatch",
    ["event GW170814 and bank", "bins 20 Hz and 20.01 Hz", "spacing 0.03125 Hz"],
    withBank(changeConfig({ fbin: Array.from({ length: N_B }, (_, b) => 20 + b / 100) })),
  ],
  "two banks of different models": [
    "mismatch",
    ["banks", "field approximant", "Other"],
    (own) => [EVENT, BANK, spoiltBank(own, changeConfig({ approximant: "Other" }))],
  ],
  "two banks of different modes": [
    "mismatch",
    ["banks", "field m_arr"],
    (own) => [EVENT, BANK, writeBank(join(own, "modes"), takeModes(content, [2, 3]))],
  ],
});
