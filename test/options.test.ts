import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DotpeError, type ExitName } from "../src/errors.ts";
import { RUN_FLAGS } from "../src/option-table.ts";
import { parseRunOptions, toRunKwargs } from "../src/options.ts";

const folder = mkdtempSync(join(tmpdir(), "dotpe-options-"));
afterAll(() => rmSync(folder, { recursive: true }));

function configFile(name: string, content: string): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

function expectError(argv: string[], exit: ExitName, ...parts: string[]): void {
  let caught: unknown;
  try {
    parseRunOptions(argv);
  } catch (error) {
    caught = error;
  }
  expect(caught).toBeInstanceOf(DotpeError);
  const error = caught as DotpeError;
  expect(error.exit).toBe(exit);
  for (const part of parts) expect(`${error.message} | ${error.hint}`).toContain(part);
}

describe("defaults", () => {
  const options = parseRunOptions(["event.npz", "bank"]);

  test("are those of the documentation", () => {
    expect(options).toMatchObject({
      event: "event.npz",
      banks: ["bank"],
      nExt: 1024,
      nPhi: 50,
      nT: 128,
      seed: 0,
      coherentScoreMinNEffectivePrior: 100,
      maxIncoherentLnlikeDrop: 20,
      maxBestfitLnlikeDiff: 20,
      sizeLimit: 1e7,
      drawSubset: true,
      iIntStart: 0,
      loadInds: false,
      reference: "native",
      compat: "none",
      hpc: "auto",
      kernel: "auto",
      saveTimeshifts: false,
      dryRun: false,
      json: false,
      quiet: false,
      nInt: [undefined],
      indsPath: [undefined],
      given: [],
    });
    const open = [
      "rundir",
      "eventDir",
      "nDraws",
      "nPhiIncoherent",
      "nProcs",
      "iBatch",
      "extrinsicSamples",
    ] as const;
    for (const name of open) expect(options[name]).toBeUndefined();
  });

  test("are frozen, lists too", () => {
    expect(Object.isFrozen(options)).toBe(true);
    expect(Object.isFrozen(options.banks)).toBe(true);
    expect(Object.isFrozen(options.nInt)).toBe(true);
  });
});

describe("values", () => {
  test("numbers as people write them", () => {
    const options = parseRunOptions(
      "e b --size-limit 1e5 --n_ext 2e3 --max-bestfit-lnlike-diff .5 --seed 0".split(" "),
    );
    expect(options).toMatchObject({ sizeLimit: 100_000, nExt: 2000, maxBestfitLnlikeDiff: 0.5, seed: 0 });
    expect(options.given).toEqual(["nExt", "seed", "maxBestfitLnlikeDiff", "sizeLimit"]);
  });

  test.each([
    ["--n-ext", "0"],
    ["--n-ext", "2.5"],
    ["--n-ext", "0x10"],
    ["--n-ext", ""],
    ["--n-phi", "1e9"],
    ["--seed", "-1"],
    ["--seed", "1e300"],
    ["--size-limit", "Infinity"],
    ["--max-incoherent-lnlike-drop", "nan"],
    ["--max-incoherent-lnlike-drop", "0"],
    ["--n-procs", "0"],
    ["--n-int", "bank_0=x"],
    ["--compat", "dotpe"],
    ["--hpc", "yes"],
    ["--reference", "somewhere"],
    ["--truth", "t.yaml"],
    ["--preselected-indices", "inds.txt"],
    ["--extrinsic-samples", "ext.csv"],
  ])("%s %p is refused with what was expected", (flag, value) => {
    const found = value === "" ? "nothing" : value.replace("bank_0=", "");
    expectError(["e", "b", flag, value], "usage", flag, `found ${found}`, "expected");
  });

  test("old names of i-batch", () => {
    expect(parseRunOptions("e b --blocksize 64".split(" ")).iBatch).toBe(64);
    expect(parseRunOptions("e b --blocksize 64 --single_detector_blocksize 64".split(" ")).iBatch).toBe(64);
    expectError("e b --blocksize 64 --single-detector-blocksize 32".split(" "), "usage", "64", "32");
  });
});

describe("values by bank", () => {
  test("one for all, one for each, the specific one wins", () => {
    expect(parseRunOptions("e x/a x/b --n-int 10".split(" ")).nInt).toEqual([10, 10]);
    expect(parseRunOptions("e x/a x/b --n-int 10 --n-int b=20".split(" ")).nInt).toEqual([10, 20]);
    expect(parseRunOptions("e x/a x/b/ --n-int bank_1=20".split(" ")).nInt).toEqual([undefined, 20]);
    expect(parseRunOptions("e x/a x/b/ --n-int x/b=20".split(" ")).nInt).toEqual([undefined, 20]);
  });

  test("a path may hold an equals sign", () => {
    const { preselectedIndices } = parseRunOptions("e a --preselected-indices ./run=1/i.npy".split(" "));
    expect(preselectedIndices).toEqual(["./run=1/i.npy"]);
  });

  test("unknown, ambiguous and doubled banks are errors", () => {
    expectError(
      "e x/alpha x/beta --n-int alphe=3".split(" "),
      "usage",
      "alphe",
      "bank_0 (x/alpha)",
      "Did you mean alpha?",
    );
    expectError("e x/a y/a --n-int a=3".split(" "), "usage", "more than one", "bank_0 or bank_1");
    expectError("e a b --n-int a=3 --n-int bank_0=4".split(" "), "usage", "3 and 4");
    expectError("e a b --n-int 3 --n-int 4".split(" "), "usage", "3 and 4", "every bank");
  });

  test("log weights of one bank are not another's", () => {
    expectError("e a b --bank-logw-override w.npy".split(" "), "usage", "--bank-logw-override", "BANK=FILE");
    const { bankLogwOverride } = parseRunOptions("e a b --bank-logw-override b=w.npy".split(" "));
    expect(bankLogwOverride).toEqual([undefined, "w.npy"]);
    expect(parseRunOptions("e a --bank-logw-override w.npy".split(" ")).bankLogwOverride).toEqual(["w.npy"]);
  });
});

describe("contradictions", () => {
  test.each([
    ["--rundir x --event-dir y", ["--rundir", "--event-dir"]],
    ["--no-draw-subset --n-draws 5", ["--no-draw-subset", "--n-draws"]],
    ["--load-inds", ["--inds-path"]],
    ["--inds-path f.npz", ["--load-inds"]],
    ["--load-inds --inds-path f.npz --preselected-indices g.npy", ["--load-inds", "--preselected-indices"]],
  ])("%s", (flags, parts) => {
    expectError(["e", "b", ...flags.split(" ")], "usage", ...parts);
  });

  test("missing inputs", () => {
    expectError([], "usage", "event file and bank folder");
    expectError(["e"], "usage", "bank folder");
  });
});

describe("configuration files", () => {
  test("YAML and JSON give the same, kebab and snake case too; flags win", () => {
    const yaml = configFile(
      "a.yaml",
      "n-ext: 7\nn_phi: 9\nsize_limit: 1e5\ndraw-subset: false\nseed: null\n",
    );
    const json = configFile("a.json", '{"n_ext": 7, "n-phi": 9, "size_limit": 1e5, "draw_subset": false}');
    for (const config of [yaml, json]) {
      const options = parseRunOptions(["e", "b", "--config", config, "--n-ext", "8"]);
      expect(options).toMatchObject({ nExt: 8, nPhi: 9, sizeLimit: 1e5, drawSubset: false, seed: 0 });
    }
  });

  test("inputs and values by bank", () => {
    const path = configFile("b.yaml", "event: e.npz\nbanks: [x/a, x/b]\nn_int:\n  a: 5\n  bank_1: 6\n");
    expect(parseRunOptions(["--config", path])).toMatchObject({
      event: "e.npz",
      banks: ["x/a", "x/b"],
      nInt: [5, 6],
    });
    const listed = configFile("c.yaml", "n_int: [5, 6]\n");
    expect(parseRunOptions(["e", "a", "b", "--config", listed]).nInt).toEqual([5, 6]);
    expectError(["e", "a", "--config", listed], "usage", "list of 2", "1 banks");
  });

  test("a flag for the folder displaces the file's", () => {
    const path = configFile("d.yaml", "rundir: old\n");
    const options = parseRunOptions(["e", "b", "--config", path, "--event-dir", "new"]);
    expect(options.rundir).toBeUndefined();
    expect(options.eventDir).toBe("new");
  });

  test("errors name the file and the key", () => {
    const config = (content: string, name = "x.yaml") => ["e", "b", "--config", configFile(name, content)];
    expectError(config("n_exy: 3\n"), "usage", "x.yaml", "n_exy", "Did you mean n-ext?");
    expectError(config("n_ext: lots\n"), "usage", "x.yaml: n_ext", "found lots", "expected a whole number");
    expectError(config("n_ext: true\n"), "usage", "x.yaml: n_ext", "found true");
    expectError(config("json: true\n"), "usage", "json");
    expectError(config("mchirp_guess: 27\n"), "usage", "mchirp_guess", "from the bank");
    expectError(config("n_ext: 3\nn-ext: 4\n"), "usage", "n_ext", "n-ext");
    expectError(config("- 1\n"), "badData", "x.yaml", "no mapping");
    expectError(config("a: [1\n"), "badData", "x.yaml", "not valid YAML");
    expectError(config('{"n_ext": ', "x.json"), "badData", "x.json", "not valid JSON");
    expectError(["e", "b", "--config", join(folder, "none.yaml")], "noInput", "none.yaml");
  });
});

describe("run_kwargs.json", () => {
  const argv =
    "e x/a x/b --rundir r --n-ext 9 --n-int b=4 --seed 3 --no-draw-subset --i-batch 10 --compat dot_pe --truth t.json";
  const options = parseRunOptions(argv.split(" "));
  const kwargs = toRunKwargs(options);

  test("has the reference's names and no others' defaults", () => {
    expect(kwargs).toMatchObject({
      event: "e",
      bank_folder: ["x/a", "x/b"],
      rundir: "r",
      event_dir: null,
      n_ext: 9,
      n_int: { bank_1: 4 },
      blocksize: 10,
      single_detector_blocksize: 10,
      draw_subset: false,
      n_draws: null,
      load_inds: false,
      preselected_indices: null,
    });
    expect(Object.keys(kwargs)).not.toContain("json");
  });

  test("is itself a configuration file of the same run", () => {
    const path = configFile("run_kwargs.json", JSON.stringify(kwargs));
    const { config, given, ...again } = parseRunOptions(["--config", path]);
    const { config: _, given: before, ...first } = options;
    expect(again).toEqual(first);
    expect(given).toEqual(expect.arrayContaining([...before]));
    expect(config).toBe(path);
  });

  test("takes what the run decided", () => {
    expect(toRunKwargs(options, { rundir: "e/run_0", nExt: 55 })).toMatchObject({
      rundir: "e/run_0",
      n_ext: 55,
    });
  });
});

describe("docs/options.md", () => {
  const page = readFileSync(join(import.meta.dir, "../docs/options.md"), "utf8");

  test("describes every flag and its old names", () => {
    for (const flag of RUN_FLAGS) {
      for (const name of [flag.name, ...(flag.aliases ?? [])]) expect(page).toContain(`\`--${name}`);
    }
  });

  test("says what became of every argument of the reference's inference.run", () => {
    const reference = [
      ...["event", "bank_folder", "n_ext", "n_phi", "n_t", "n_int", "blocksize", "single_detector_blocksize"],
      ...[
        "i_int_start",
        "seed",
        "load_inds",
        "inds_path",
        "size_limit",
        "draw_subset",
        "n_draws",
        "event_dir",
      ],
      ...["rundir", "coherent_score_min_n_effective_prior", "max_incoherent_lnlike_drop"],
      ...["max_bestfit_lnlike_diff", "mchirp_guess", "extrinsic_samples", "n_phi_incoherent"],
      ...["preselected_indices", "bank_logw_override", "coherent_posterior_kwargs"],
    ];
    for (const name of reference) expect(page).toMatch(new RegExp(`^\\| \`${name}\` \\|`, "m"));
  });
});
