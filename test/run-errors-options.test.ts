/** The first line of defence, through the binary: wrong files given by options, and places that cannot be written. */
import { expect, test } from "bun:test";
import { copyFileSync, mkdirSync, readdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { EXIT_CODES } from "../src/errors.ts";
import { encodeFeather, type FeatherColumn, readFeather } from "../src/io/feather.ts";
import { encodeNpz, type NpzEntry } from "../src/io/npz.ts";
import { describeCases, GIVEN, SMALL_RUN } from "./error-cases.ts";
import { BINARY, runBinary } from "./helpers.ts";
import { temporaryFolder } from "./io-helpers.ts";
import {
  BANK,
  EVENT,
  keepDetectors,
  pickledNpy,
  setNumbers,
  writeChanged,
  writeEvent,
  writeNumbers,
} from "./make-inputs.ts";

/** A run on the fixtures with a file of this name, made by `write`, given by a flag. */
const withFile =
  (flag: string, name: string, write: (path: string) => void, ...more: string[]) =>
  (own: string) => {
    write(join(own, name));
    return [EVENT, BANK, ...more, flag, join(own, name)];
  };
const numbers = (values: ArrayLike<number>, dtype: "i8" | "f8") => (path: string) => {
  writeNumbers(path, values, dtype);
};
const text = (content: string) => (path: string) => writeFileSync(path, content);

const preselected = (write: (path: string) => void) => withFile("--preselected-indices", "i.npy", write);
const loaded = (entries: NpzEntry[]) =>
  withFile("--inds-path", "inds.npz", (path) => writeFileSync(path, encodeNpz(entries)), "--load-inds");

const inds: NpzEntry = { name: "inds", shape: [2], dtype: "i8", data: Int32Array.of(3, 16) };
const lnlikes_di: NpzEntry = {
  name: "lnlikes_di",
  shape: [3, 2],
  dtype: "f8",
  data: new Float64Array(6).fill(9),
};
const lnlikes = (...data: number[]): NpzEntry => {
  return { name: "incoherent_lnlikes", shape: [data.length], dtype: "f8", data: Float64Array.from(data) };
};

describeCases("which bank samples", {
  "a missing file": [
    "noInput",
    ["nothing.npy", "no such file"],
    () => [EVENT, BANK, "--preselected-indices", "nothing.npy"],
  ],
  "no index at all": ["badData", ["i.npy", "found no index"], preselected(numbers([], "i8"))],
  "an index beyond the bank": [
    "badData",
    ["i.npy", "index 96 at position 1", "0 to 95"],
    preselected(numbers([3, 96], "i8")),
  ],
  "an index twice": ["badData", ["i.npy", "index 7 twice"], preselected(numbers([7, 3, 7], "i8"))],
  "an index that is no whole number": ["badData", ["i.npy", "index 2.5"], preselected(numbers([2.5], "f8"))],
  "pickled indices": [
    "badData",
    ["i.npy", "pickle"],
    preselected((path) => writeFileSync(path, pickledNpy([3]))),
  ],
  "an archive without indices": ["badData", ["inds.npz", "inds"], loaded([lnlikes_di])],
  "likelihoods of another shape": [
    "badData",
    ["inds.npz", "incoherent_lnlikes", "found 3 and 6", "2 and 3 x 2"],
    loaded([inds, lnlikes_di, lnlikes(1, 2, 3)]),
  ],
  "likelihoods that are not numbers": [
    "notFinite",
    ["inds.npz", "incoherent_lnlikes", "NaN", "position 1"],
    loaded([inds, lnlikes_di, lnlikes(30, Number.NaN)]),
  ],
  "more samples than the bank has": [
    "usage",
    ["--n-int", "found 97", "96 samples"],
    () => [EVENT, BANK, "--n-int", "97"],
  ],
  "none left": ["usage", ["--i-int-start", "found 96"], () => [EVENT, BANK, "--i-int-start", "96"]],
  "weights of another length": [
    "mismatch",
    ["w.npy", "found 95 log prior weights", "expected 96"],
    withFile("--bank-logw-override", "w.npy", numbers(new Float64Array(95), "f8")),
  ],
  "weights with NaN": [
    "notFinite",
    ["w.npy", "found NaN at position 4"],
    withFile(
      "--bank-logw-override",
      "w.npy",
      numbers(
        Float64Array.from({ length: 96 }, (_, k) => (k === 4 ? Number.NaN : 0)),
        "f8",
      ),
    ),
  ],
  "weights that leave nothing": [
    "noSamples",
    ["rows, all with a prior weight of zero", "expected at least one"],
    withFile(
      "--bank-logw-override",
      "w.npy",
      numbers(new Float64Array(96).fill(Number.NEGATIVE_INFINITY), "f8"),
      ...GIVEN,
    ),
  ],
});

const EXTRINSIC = join(SMALL_RUN, "extrinsic_samples.feather");

function extrinsic(change: (columns: Record<string, Float64Array>) => void, ...more: string[]) {
  return withFile(
    "--extrinsic-samples",
    "e.feather",
    (path) => {
      const table = readFeather(EXTRINSIC);
      const columns = Object.fromEntries(table.names.map((name) => [name, table.f64(name).slice()]));
      change(columns);
      const list = Object.entries(columns).map(
        ([name, data]): FeatherColumn => ({ name, type: "f64", data }),
      );
      writeFileSync(path, encodeFeather(list));
    },
    ...GIVEN.slice(0, -2),
    ...more,
  );
}

describeCases("extrinsic samples", {
  "a missing file": [
    "noInput",
    ["nothing.feather", "no such file"],
    () => [EVENT, BANK, "--extrinsic-samples", "nothing.feather"],
  ],
  "no table": ["badData", ["e.feather"], withFile("--extrinsic-samples", "e.feather", text("lat,lon"))],
  "a truncated table": [
    "badData",
    ["e.feather"],
    withFile("--extrinsic-samples", "e.feather", (path) => {
      copyFileSync(EXTRINSIC, path);
      truncateSync(path, 3000);
    }),
  ],
  "without psi": [
    "badData",
    ["e.feather", "psi"],
    extrinsic((columns) => {
      delete columns.psi;
    }),
  ],
  "with NaN": [
    "notFinite",
    ["e.feather", "column lat", "NaN", "row 9"],
    extrinsic(({ lat }) => {
      lat[9] = Number.NaN;
    }),
  ],
  "without rows": [
    "badData",
    ["e.feather", "no rows"],
    extrinsic((columns) => {
      for (const name of Object.keys(columns)) columns[name] = new Float64Array(0);
    }),
  ],
  "and --n-ext that says otherwise": [
    "usage",
    ["--n-ext", "found 65", "64 samples"],
    extrinsic(() => {}, "--n-ext", "65"),
  ],
  "whose weights leave nothing": [
    "noSamples",
    ["rows, all with a prior weight of zero", "expected at least one"],
    extrinsic(({ log_prior_weights }) => log_prior_weights.fill(Number.NEGATIVE_INFINITY)),
  ],
});

const REFERENCE = join(SMALL_RUN, "reference.npz");

describeCases("a reference", {
  "that is missing": ["noInput", ["nothing.npz"], () => [EVENT, BANK, "--reference", "nothing.npz"]],
  "that is another archive": ["badData", [EVENT, "detectors"], () => [EVENT, BANK, "--reference", EVENT]],
  "that is truncated": [
    "badData",
    ["r.npz"],
    withFile("--reference", "r.npz", (path) => {
      copyFileSync(REFERENCE, path);
      truncateSync(path, 1_000_000);
    }),
  ],
  "with NaN in its weights": [
    "notFinite",
    ["r.npz", "field dh_weights_dmpb", "NaN"],
    withFile("--reference", "r.npz", (path) => {
      writeChanged(path, REFERENCE, setNumbers("dh_weights_dmpb", [1234, Number.NaN]));
    }),
  ],
  "of other modes": [
    "mismatch",
    ["r.npz", "field m_arr", "[2,1,3,5]", "[2,1,3,4]"],
    withFile("--reference", "r.npz", (path) => {
      writeChanged(path, REFERENCE, setNumbers("m_arr", [3, 5]));
    }),
  ],
  "of other bins": [
    "mismatch",
    ["r.npz", "field fbin", "index 100"],
    withFile("--reference", "r.npz", (path) => {
      writeChanged(path, REFERENCE, setNumbers("fbin", [100, 24.9]));
    }),
  ],
  "of other detectors": [
    "mismatch",
    [REFERENCE, "field detectors", "found HLV, expected HL"],
    (own) => [writeEvent(join(own, "event.npz"), keepDetectors("HL")), BANK, "--reference", REFERENCE],
  ],
});

describeCases("other files", {
  "a truth that is no object": ["badData", ["t.json"], withFile("--truth", "t.json", text("[1, 2]"))],
  "a truth that is no JSON": ["badData", ["t.json"], withFile("--truth", "t.json", text("{"))],
  "a configuration with an unknown option": [
    "usage",
    ["c.yaml", "n_exta"],
    withFile("--config", "c.yaml", text("n_exta: 3\n")),
  ],
  "a configuration that is no YAML": ["badData", ["c.yaml"], withFile("--config", "c.yaml", text("a: [1\n"))],
  "a kernel that is not known": [
    "usage",
    ["--kernel", "found 'x86-64-v9'", "auto"],
    () => [EVENT, BANK, "--kernel", "x86-64-v9"],
  ],
});

describeCases("a place for the results", {
  "that holds a file": [
    "cannotCreate",
    ["out", "found files in it", "new or empty"],
    (own) => {
      mkdirSync(join(own, "out"));
      writeFileSync(join(own, "out/notes.txt"), "");
      return [EVENT, BANK, "--rundir", "out"];
    },
  ],
  "that is a file": [
    "cannotCreate",
    ["out", "file of this name"],
    (own) => {
      writeFileSync(join(own, "out"), "");
      return [EVENT, BANK, "--rundir", "out"];
    },
  ],
  "below a file": [
    "cannotCreate",
    ["notes/out", "part of its path is a file"],
    (own) => {
      writeFileSync(join(own, "notes"), "");
      return [EVENT, BANK, "--rundir", "notes/out"];
    },
  ],
  "where nothing can be made": ["cannotCreate", ["/proc/x"], () => [EVENT, BANK, "--event-dir", "/proc/x"]],
  "that is there and empty: it stays": [
    "notFinite",
    ["event.npz", "strain"],
    (own) => {
      mkdirSync(join(own, "out"));
      const event = writeEvent(join(own, "event.npz"), (entries) => {
        (entries.strain as { data: Float64Array }).data[7] = Number.NaN;
      });
      return [event, BANK, "--rundir", "out"];
    },
  ],
});

const folder = temporaryFolder();

/** Fails in stage 2, when the directory has been made. */
function lateError(name: string): string[] {
  const bank = join(folder, name);
  mkdirSync(join(bank, "waveforms"), { recursive: true });
  for (const file of readdirSync(BANK, { recursive: true }).map(String)) {
    if (file.includes(".")) copyFileSync(join(BANK, file), join(bank, file));
  }
  const path = join(bank, "waveforms/phase_block_2.npy");
  const bytes = readFileSync(path);
  bytes.fill(0xff, 128 + 8 * 1000, 128 + 8 * 1001);
  writeFileSync(path, bytes);
  return ["run", EVENT, bank, ...GIVEN];
}

test("a late error leaves an empty folder that was there, and other runs of the event", async () => {
  const args = lateError("spoilt");
  mkdirSync(join(folder, "mine"));
  const { code } = await runBinary([...args, "--rundir", join(folder, "mine")]);
  expect(code).not.toBe(0);
  expect(readdirSync(join(folder, "mine"))).toEqual([]);
  const events = join(folder, "events");
  await runBinary(["run", EVENT, BANK, ...GIVEN, "--event-dir", events]);
  await runBinary([...args, "--event-dir", events]);
  expect(readdirSync(events)).toEqual(["run_0"]);
  await runBinary([...args, "--event-dir", join(folder, "x/y")]);
  expect(readdirSync(folder)).not.toContain("x");
});

test("a directory that a run has finished is not written again", async () => {
  const args = ["run", EVENT, BANK, ...GIVEN, "--rundir", join(folder, "once")];
  expect((await runBinary(args)).code).toBe(0);
  const summary = readFileSync(join(folder, "once/summary_results.json"));
  const same = await runBinary(args);
  expect([same.code, same.stderr]).toEqual([0, expect.stringContaining("once is complete: nothing to do")]);
  const other = await runBinary([...args, "--seed", "8"]);
  expect([other.code, other.stderr]).toEqual([
    EXIT_CODES.mismatch,
    expect.stringMatching(/once: begun with other inputs or settings:\n {2}seed: was 0, is 8\n {2}hint:/),
  ]);
  expect(readFileSync(join(folder, "once/summary_results.json")).equals(summary)).toBe(true);
});

test("a disk that is full: whatever was written is taken away again", async () => {
  // A limit on the length of files stands for it: reference.npz is longer.
  const limited = ["sh", "-c", 'ulimit -f 200; exec "$0" "$@"', BINARY];
  // The compiled kernels are longer, too.
  const place = ["--rundir", join(folder, "full"), "--quiet", "--kernel", "ref"];
  const { exitCode, stderr } = Bun.spawnSync([...limited, "run", EVENT, BANK, ...GIVEN, ...place]);
  expect(String(stderr)).toMatch(/^error: .*full\/reference\.npz: cannot write: .*\n {2}hint: .*free space/);
  expect(exitCode).toBe(EXIT_CODES.cannotCreate);
  expect(readdirSync(folder)).not.toContain("full");
});

test("--json puts the error on standard output as well", async () => {
  const { code, stdout } = await runBinary([...lateError("again"), "--json", "--rundir", join(folder, "j")]);
  const { error } = JSON.parse(stdout);
  expect(error).toMatchObject({ exit: "notFinite", code });
  expect(error.message).toContain("phase_block_2.npy");
  expect(readdirSync(folder)).not.toContain("j");
});
