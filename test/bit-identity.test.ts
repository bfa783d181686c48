/** How the work is cut (threads, batches, tasks, tiles) leaves every byte of a run's results as it was. */
import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { linkBank } from "../src/bench/linked-bank.ts";
import { openNpz } from "../src/io/npz.ts";
import { nativeVariants } from "../src/kernels/native.ts";
import { FIXTURES, runBinary, SHARED } from "./helpers.ts";
import { temporaryFolder } from "./io-helpers.ts";
import { BANK, EVENT, multiplySamples, readBankContent, writeBank } from "./make-inputs.ts";

/** Every file that says nothing of when and how the run was made, by path in the run directory. */
const UNLIKE = ["run_kwargs.json", "manifest.json", "timings.json"];

const folder = temporaryFolder();

function contentOf(rundir: string): Map<string, Buffer> {
  const files = readdirSync(rundir, { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  );
  const paths = files
    .map((entry) => join(entry.parentPath, entry.name).slice(rundir.length + 1))
    .filter((path) => !UNLIKE.includes(path));
  return new Map(paths.sort().map((path) => [path, readFileSync(join(rundir, path))]));
}

let runs = 0;

async function run(args: readonly string[]): Promise<Map<string, Buffer>> {
  const rundir = join(folder, `run-${runs++}`);
  const { code, stderr } = await runBinary(["run", ...args, "--no-tune", "--rundir", rundir, "--quiet"]);
  if (code !== 0) throw new Error(`exit ${code}: ${stderr}`);
  return contentOf(rundir);
}

/** Runs with each cut, two at a time; names the files in which any differs from the first. */
async function differences(args: readonly string[], cuts: readonly string[]): Promise<string[]> {
  const contents: Map<string, Buffer>[] = [];
  for (let k = 0; k < cuts.length; k += 2) {
    const two = cuts.slice(k, k + 2).map((cut) => run([...args, ...cut.split(" ")]));
    contents.push(...(await Promise.all(two)));
  }
  const [first, ...others] = contents;
  for (const name of MUST_HAVE) expect(first.get(name)?.length ?? 0).toBeGreaterThan(100);
  return others.flatMap((other, k) => {
    expect([...other.keys()]).toEqual([...first.keys()]);
    return [...first].flatMap(([name, bytes]) =>
      other.get(name)?.equals(bytes) ? [] : [`${cuts[k + 1]}: ${name}`],
    );
  });
}

const MUST_HAVE = [
  "prob_samples.feather",
  "samples.feather",
  "extrinsic_samples.feather",
  "summary_results.json",
  "reference.npz",
  "banks/bank_0/prob_samples.feather",
  "banks/bank_0/intrinsic_samples.npz",
  "banks/bank_0/intrinsic_sample_processor_cache.json",
];

const CUTS = [
  "--n-procs 1",
  "--n-procs 2",
  "--n-procs 1 --i-batch 10",
  "--n-procs 2 --i-batch 10 --batches-per-task 4",
  "--n-procs 1 --i-batch 64 --i-tile 4",
  "--n-procs 2 --i-batch 1000 --e-tile 64",
  "--n-procs 2 --i-batch 7 --i-tile 3 --e-tile 1000",
  "--n-procs 1 --i-batch 1000 --batches-per-task 4 --i-tile 16 --e-tile 8",
];

describe("the same bytes", () => {
  // Nearly all samples pass, and numbers that divide nothing: 203 extrinsic samples, 65 times.
  const settings =
    "--max-incoherent-lnlike-drop 80 --max-bestfit-lnlike-diff 30 --n-ext 203 --n-phi 32 --n-t 65";

  test("three detectors, 288 samples, most of them accepted", async () => {
    const bank = writeBank(join(folder, "bank"), multiplySamples(readBankContent(), 3));
    const args = [EVENT, bank, ...settings.split(" "), "--seed", "3"];
    expect(await differences(args, CUTS)).toEqual([]);
  });

  test("every row as a sample, the reference's ways", async () => {
    const args = [EVENT, BANK, "--compat", "dot_pe", "--no-draw-subset", ...settings.split(" ")];
    expect(await differences(args, [CUTS[0], CUTS[6]])).toEqual([]);
  });

  test("a bank so large that it is first looked at in single precision accepts as a small one does", async () => {
    const bank = join(folder, "linked");
    linkBank(BANK, bank, 24 * 96);
    const reference = ["--reference", join(FIXTURES, "runs/small/reference.npz")];
    const args = [...reference, ..."--n-ext 203 --n-phi 32 --n-t 65 --seed 3".split(" ")];
    const small = await run([EVENT, BANK, ...args]);
    const large = await run([EVENT, bank, ...args, "--n-procs", "2"]);
    const accepted = [small, large].map((content) => {
      const path = join(folder, "accepted.npz");
      writeFileSync(path, content.get("banks/bank_0/intrinsic_samples.npz")!);
      const file = openNpz(path);
      const [inds, lnlikes] = ["inds", "incoherent_lnlikes"].map((name) => file.get(name).toFloat64());
      return { inds, lnlikes };
    });
    const copies = Array.from({ length: 24 }, (_, k) => k);
    expect([...accepted[1].inds]).toEqual(
      copies.flatMap((k) => [...accepted[0].inds].map((i) => i + 96 * k)),
    );
    expect([...accepted[1].lnlikes]).toEqual(copies.flatMap(() => [...accepted[0].lnlikes]));
  });

  const shared = (path: string) => join(SHARED, path);
  test.skipIf(!existsSync(shared("banks/a")))("two banks (needs ../shared/reference)", async () => {
    const args = [EVENT, shared("banks/a"), shared("banks/b"), "--n-ext", "512", "--seed", "5"];
    expect(await differences(args, [CUTS[0], CUTS[3], CUTS[6]])).toEqual([]);
  });

  const variants = nativeVariants().map(({ name }) => name);
  const fused = ["x86-64-v4", "x86-64-v3"].filter((name) => variants.includes(name));
  test.skipIf(fused.length < 2)("AVX-512 and AVX2 (needs a processor with both)", async () => {
    const args = [EVENT, BANK, ...settings.split(" ")];
    const kernels = fused.map((name) => `--kernel ${name}`);
    expect(await differences(args, kernels)).toEqual([]);
  });
});
