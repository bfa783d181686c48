/** `dotpe-hpc verify`: nothing that is damaged passes, and nothing that is whole fails. */
import { beforeAll, describe, expect, test } from "bun:test";
import {
  appendFileSync,
  copyFileSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { openNpz } from "../src/io/npz.ts";
import { verifyRun } from "../src/rundir/verify.ts";
import { headOf, placeOf } from "../src/stages/row-files.ts";
import { runBinary } from "./helpers.ts";
import { expectRefusal, temporaryFolder } from "./io-helpers.ts";
import { BANK, EVENT } from "./make-inputs.ts";
import { hasSomeRows, interruptRun, makeRun } from "./small-runs.ts";

const FOLDER = temporaryFolder();
const [DONE, HALF, COPY] = ["done", "half", "copy"].map((name) => join(FOLDER, name));
/** Where bytes are changed in each file; more of them for a thorough look. */
const PLACES = Number(process.env.DOTPE_TEST_PLACES ?? 2);
/** Nothing says what is in them: what damage leaves a number or a name of another cannot be seen. */
const WITHOUT_SUM = /manifest|run_kwargs|timings|owner|progress/;

beforeAll(async () => {
  await makeRun(DONE);
  await interruptRun(HALF, "SIGKILL");
}, 60_000);

function filesOf(rundir: string): string[] {
  const names = readdirSync(rundir, { recursive: true }).map(String);
  return names.filter((name) => statSync(join(rundir, name)).isFile());
}

/** Names of the files that fail, of a copy of a run to which something is done. */
function failing(from: string, damage: (copy: string) => void): string[] {
  rmSync(COPY, { recursive: true, force: true });
  cpSync(from, COPY, { recursive: true });
  damage(COPY);
  return namesOf(COPY, "fail");
}

function namesOf(rundir: string, level: string): string[] {
  return verifyRun(rundir).checks.flatMap((check) => (check.level === level ? [check.name] : []));
}

function flip(path: string, at: number, mask: number): void {
  const bytes = readFileSync(path);
  bytes[at] ^= mask;
  writeFileSync(path, bytes);
}

/** Names of the files that fail while a byte is another. */
function flipped(rundir: string, name: string, at: number, mask: number): string[] {
  flip(join(rundir, name), at, mask);
  const names = namesOf(rundir, "fail");
  flip(join(rundir, name), at, mask);
  return names;
}

/** Bytes of a file that mean something: rows that are not counted, and weights that are not computed yet, do not. */
function placesIn(rundir: string, name: string): number[] {
  const size = statSync(join(rundir, name)).size;
  const step = Math.floor(size / PLACES);
  const spread = [0, size - 1, ...Array.from({ length: PLACES }, (_, k) => k * step + 3)];
  if (!name.endsWith(".rows.part")) return spread.filter((at) => at < size);
  const npz = openNpz(join(rundir, "checkpoint/coherent.npz"));
  const places = npz.get("places").toFloat64();
  const ofBank = name.startsWith("banks/bank_0") ? ("bank" as const) : ("merged" as const);
  if (name.startsWith("banks/bank_1")) return [0, 9, headOf(1).length - 1];
  const last = placeOf({ places }, 0, ofBank);
  const { offset, metadataBytes } = last;
  return [0, offset - 1, offset, offset + metadataBytes - 9, offset + metadataBytes + 40];
}

describe.each([
  ["complete", DONE],
  ["not complete", HALF],
])("of a run that is %s", (_, rundir) => {
  test("all is good", () => {
    expect(verifyRun(rundir).checks.filter(({ level }) => level !== "pass")).toEqual([]);
    expect(verifyRun(rundir).checks.length).toBe(filesOf(rundir).length);
    expect(verifyRun(rundir).isComplete).toBe(rundir === DONE);
  });

  test("a byte that is another is found in every file, wherever it is", () => {
    for (const name of filesOf(rundir)) {
      for (const at of placesIn(rundir, name)) {
        for (const mask of WITHOUT_SUM.test(name) ? [0xff] : [0xff, 1]) {
          const found = flipped(rundir, name, at, mask);
          expect({ name, at, mask, found: found.includes(name) }).toEqual({ name, at, mask, found: true });
        }
      }
    }
  });

  test("a file that is shorter, longer, empty or away is found", () => {
    for (const name of filesOf(rundir)) {
      const isPart = name.endsWith(".part");
      const size = statSync(join(rundir, name)).size;
      const damages: Record<string, (path: string) => void> = {
        shorter: (path) => truncateSync(path, Math.floor(size / 3)),
        ...(isPart ? {} : { longer: (path) => appendFileSync(path, "x") }),
        // An owner's file is empty if the machine went down before the disk had it.
        ...(/owner-\d+\.json/.test(name) ? {} : { empty: (path) => truncateSync(path, 0) }),
        // Nothing says that a state was saved, or which process was the last.
        ...(/timings|checkpoint\/(incoherent|progress|coherent)/.test(name)
          ? {}
          : { away: (path) => rmSync(path) }),
      };
      for (const [what, damage] of Object.entries(damages)) {
        const found = failing(rundir, (copy) => damage(join(copy, name)));
        expect({ name, what, found: found.includes(name) }).toEqual({ name, what, found: true });
      }
    }
  });

  test("two files of one kind in each other's place are found", () => {
    const names = filesOf(rundir);
    for (const a of names)
      for (const b of names.filter((one) => one > a && one.split(".").at(-1) === a.split(".").at(-1))) {
        const isSame = Buffer.compare(readFileSync(join(rundir, a)), readFileSync(join(rundir, b))) === 0;
        if (isSame) continue;
        const found = failing(rundir, (copy) => {
          renameSync(join(copy, a), join(copy, "x"));
          renameSync(join(copy, b), join(copy, a));
          renameSync(join(copy, "x"), join(copy, b));
        });
        expect({ a, b, found: found.includes(a) || found.includes(b) }).toEqual({ a, b, found: true });
      }
  });

  test("files that no run writes are named, and do no harm", () => {
    const damage = (copy: string) => {
      writeFileSync(join(copy, "notes.txt"), "mine");
      mkdirSync(join(copy, "banks/plots/deep"), { recursive: true });
      writeFileSync(join(copy, "checkpoint.txt"), "");
    };
    expect(failing(rundir, damage)).toEqual([]);
    expect(namesOf(COPY, "warn").sort()).toEqual(["banks/plots", "checkpoint.txt", "notes.txt"]);
  });
});

describe("of a complete run", () => {
  const edited = (name: string, change: (text: string) => string) => (copy: string) => {
    const text = readFileSync(join(copy, name), "utf8");
    const other = change(text);
    expect(other).not.toBe(text);
    writeFileSync(join(copy, name), other);
  };
  /** As somebody does who wants the checksums to fit. */
  const summed = (copy: string) => {
    const sums = readFileSync(join(copy, "SHA256SUMS"), "utf8").replace(/^.{64} {2}(.*)$/gm, (_, name) => {
      const sum = new Bun.CryptoHasher("sha256").update(readFileSync(join(copy, name))).digest("hex");
      return `${sum}  ${name}`;
    });
    writeFileSync(join(copy, "SHA256SUMS"), sums);
  };

  test("a number of a JSON file that is another is found", () => {
    const another = (text: string) => text.replace(/("n_phi": )50/, "$151");
    expect(failing(DONE, edited("run_kwargs.json", another))).toContain("run_kwargs.json");
    expect(failing(DONE, edited("manifest.json", another))).toContain("manifest.json");
    const seconds = (text: string) => text.replace(/("total_seconds": )/, "$11");
    expect(failing(DONE, edited("timings.json", seconds))).toEqual(["timings.json"]);
    const evidence = (text: string) => text.replace(/("ln_evidence": \d+\.)\d/, "$1x".replace("x", "99"));
    expect(failing(DONE, edited("summary_results.json", evidence))).toContain("summary_results.json");
  });

  test("what does not fit together is found where the checksums fit", () => {
    const changes: [file: string, key: string, names: string[]][] = [
      ["summary_results.json", "n_rows", ["prob_samples.feather"]],
      ["summary_results.json", "n_samples", ["samples.feather"]],
      ["summary_results.json", "bestfit_lnlike_max", ["prob_samples.feather"]],
      ["summary_results.json", "n_effective", ["prob_samples.feather"]],
      ["summary_results.json", "ln_evidence", ["prob_samples.feather", "summary_results.json"]],
      ["summary_results.json", "n_banks", ["summary_results.json"]],
    ];
    for (const [file, key, names] of changes) {
      const change = (text: string) =>
        text.replace(new RegExp(`("${key}": )(\\d+)`), (_, a, b) => `${a}${+b + 1}`);
      const found = failing(DONE, (copy) => {
        edited(file, change)(copy);
        summed(copy);
      });
      expect(found).toEqual(expect.arrayContaining(names));
    }
    const swapped = failing(DONE, (copy) => {
      cpSync(join(copy, "banks/bank_0/prob_samples.feather"), join(copy, "prob_samples.feather"));
      summed(copy);
    });
    expect(swapped).toEqual(["prob_samples.feather"]);
  });

  test("a damaged checksum is told from a damaged file; a name in SHA256SUMS is never opened", () => {
    expect(failing(DONE, (copy) => flip(join(copy, "SHA256SUMS"), 3, 1))).toEqual(["SHA256SUMS"]);
    writeFileSync(join(FOLDER, "outside"), "");
    const lines = ["../outside", "manifest.json", "banks/bank_0/../../prob_samples.feather", "/etc/hostname"];
    for (const name of lines) {
      const found = failing(DONE, (copy) =>
        appendFileSync(join(copy, "SHA256SUMS"), `${"0".repeat(64)}  ${name}\n`),
      );
      expect(found).toEqual(["SHA256SUMS"]);
    }
    const gone = failing(
      DONE,
      edited("SHA256SUMS", (text) => text.replace(/^.*reference.npz\n/m, "")),
    );
    expect(gone).toEqual(["SHA256SUMS"]);
  });

  test("a checkpoint folder that is left over, or a part file, is no damage", () => {
    const found = failing(DONE, (copy) => {
      cpSync(join(HALF, "checkpoint"), join(copy, "checkpoint"), { recursive: true });
      writeFileSync(join(copy, ".timings.json.1-2.part"), "{");
      rmSync(join(copy, "timings.json"));
    });
    expect(found).toEqual([]);
    expect(namesOf(COPY, "skip")).toEqual([
      ".timings.json.1-2.part",
      ...filesOf(join(HALF, "checkpoint"))
        .sort()
        .map((name) => `checkpoint/${name}`),
    ]);
  });
});

test("results that have their names before the summary has are looked at, too", () => {
  const commit = (copy: string) => {
    rmSync(join(copy, "summary_results.json"));
    rmSync(join(copy, "timings.json"));
    mkdirSync(join(copy, "checkpoint"));
    copyFileSync(join(HALF, "checkpoint/owner-1.json"), join(copy, "checkpoint/owner-1.json"));
  };
  expect(failing(DONE, commit)).toEqual([]);
  expect(verifyRun(COPY).isComplete).toBe(false);
  flip(join(COPY, "samples.feather"), 5000, 1);
  expect(namesOf(COPY, "fail")).toEqual(["samples.feather"]);
  // Without a sign of a process that works on it, it is a complete run that has lost a file.
  rmSync(join(COPY, "checkpoint"), { recursive: true });
  expect(namesOf(COPY, "fail")).toEqual(["samples.feather", "summary_results.json"]);
});

test("states of another run are found", () => {
  const found = failing(HALF, (copy) => {
    const manifest = JSON.parse(readFileSync(join(copy, "manifest.json"), "utf8"));
    writeFileSync(join(copy, "manifest.json"), JSON.stringify({ ...manifest, run: Bun.randomUUIDv7() }));
  });
  expect(found).toEqual(["checkpoint/incoherent.npz", "checkpoint/coherent.npz"]);
});

test("at whatever moment a run is killed, what it left is good", async () => {
  const rundir = join(FOLDER, "killed");
  for (const wait of [300, 700, 1000]) {
    const end = performance.now() + wait;
    await interruptRun(rundir, "SIGKILL", () => performance.now() > end);
    try {
      expect({ wait, failing: namesOf(rundir, "fail") }).toEqual({ wait, failing: [] });
    } catch (error) {
      // Killed before it began.
      expect((error as { exit?: string }).exit).toBe("noInput");
    }
  }
}, 30_000);

test("the command: a line a file, exit code 65, and JSON; inputs; no run directory", async () => {
  rmSync(COPY, { recursive: true, force: true });
  cpSync(DONE, COPY, { recursive: true });
  truncateSync(join(COPY, "reference.npz"), 100);
  const [good, bad, inputs, none, near] = await Promise.all([
    runBinary(["verify", DONE, HALF]),
    runBinary(["verify", COPY, "--json"]),
    runBinary(["verify", DONE, "--inputs"]),
    runBinary(["verify", FOLDER]),
    runBinary(["verify", DONE, "--input"]),
  ]);
  expect([good.code, bad.code, inputs.code, none.code, near.code]).toEqual([0, 65, 0, 66, 64]);
  expect(good.stdout).toContain("0 warn, 0 fail");
  const [{ checks }] = JSON.parse(bad.stdout);
  expect(checks.filter(({ level }: { level: string }) => level === "fail")).toHaveLength(1);
  expect(inputs.stdout).toContain("are those that the run was begun with");
  expect(none.stderr).toContain("expected a run directory");
  expect(near.stderr).toContain("Did you mean --inputs?");
});

test("--inputs: a changed event is named", () => {
  rmSync(COPY, { recursive: true, force: true });
  cpSync(DONE, COPY, { recursive: true });
  const event = join(FOLDER, "event.npz");
  // What EVENT links to, not another link to it.
  copyFileSync(EVENT, event);
  const manifest = readFileSync(join(COPY, "manifest.json"), "utf8");
  writeFileSync(join(COPY, "manifest.json"), manifest.replaceAll(EVENT, event));
  expect(verifyRun(COPY, true).checks.find(({ name }) => name === "inputs")?.level).toBe("pass");
  flip(event, 1000, 1);
  const { level, found } = verifyRun(COPY, true).checks.find(({ name }) => name === "inputs")!;
  expect([level, found.includes("event: its content has changed")]).toEqual(["fail", true]);
  expectRefusal(() => verifyRun(BANK), "noInput", "found no manifest.json");
  expect(hasSomeRows(HALF)).toBe(true);
});
