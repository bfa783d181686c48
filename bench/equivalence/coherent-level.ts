/** A whole run of the program with the reference run's h0 and extrinsic samples: its rows, evidence and time alignment. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as v from "valibot";
import { type FeatherTable, readFeather } from "../../src/io/feather.ts";
import { readJson } from "../../src/io/json.ts";
import { openNpz } from "../../src/io/npz.ts";
import { runBinary } from "../../test/helpers.ts";
import { runPath } from "../../test/reference-cases.ts";
import type { Level } from "./level.ts";
import type { Subject } from "./subject.ts";

/** Rows nearer to the threshold than this may be on either side of it. */
const EDGE = 1e-6;
const MAX_DROP = 20;

export const coherentLevel: Level = {
  name: "stage 5",
  quantities: [
    { name: "rows missing", unit: "count", allowed: 0 },
    { name: "rows extra", unit: "count", allowed: 0 },
    { name: "bestfit_lnlike", unit: "absolute", allowed: 1e-6 },
    { name: "lnl_marginalized", unit: "absolute", allowed: 1e-6 },
    { name: "d_h_1Mpc", unit: "relative", allowed: 1e-9 },
    { name: "h_h_1Mpc", unit: "relative", allowed: 1e-9 },
    { name: "ln_evidence", unit: "absolute", allowed: 1e-4 },
    { name: "accepted samples", unit: "count", allowed: 0 },
    { name: "time alignment dt", unit: "s", allowed: 1e-12 },
  ],
  async measure(subject) {
    const folder = mkdtempSync(join(tmpdir(), "dotpe-equivalence-"));
    try {
      const rundir = join(folder, "run");
      await runLikeForLike(subject, rundir);
      return [
        ...compareRows(subject, rundir),
        Math.abs(lnEvidence(rundir) - lnEvidence(runPath(subject.one))),
        ...compareBanks(subject, rundir),
      ];
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
};

async function runLikeForLike({ one, digest }: Subject, rundir: string): Promise<void> {
  const { n_phi, n_t, seed } = digest.kwargs;
  const { code, stderr } = await runBinary([
    ...["run", join(one.root, "events", `${one.event}.npz`)],
    ...one.banks.map((bank) => join(one.root, "banks", bank)),
    ...["--rundir", rundir, "--compat", "dot_pe", "--quiet"],
    ...["--reference", runPath(one, "reference.npz")],
    ...["--extrinsic-samples", runPath(one, "extrinsic_samples.feather")],
    ...["--n-phi", `${n_phi}`, "--n-t", `${n_t}`, "--seed", `${seed}`],
  ]);
  if (code !== 0) throw new Error(`dotpe-hpc run ended with ${code}: ${stderr}`);
}

/** Rows missing and extra, then the largest differences of those in both. */
function compareRows({ one, digest }: Subject, rundir: string): number[] {
  const theirs = readFeather(runPath(one, "prob_samples_top.feather"));
  const ours = readFeather(join(rundir, "prob_samples.feather"));
  const cut = digest.max_bestfit_lnlike - MAX_DROP + EDGE;
  const [theirKeys, ourKeys] = [theirs, ours].map(keysOf);
  const ourRow = new Map(ourKeys.map((key, r) => [key, r]));
  const above = (table: FeatherTable) => {
    const lnl = table.f64("bestfit_lnlike");
    return Array.from(lnl.keys()).filter((r) => lnl[r] > cut);
  };
  const expected = above(theirs);
  if (expected.length === 0) throw new Error(`${theirs.path}: found no row above ${cut}`);
  const shared = expected.filter((r) => ourRow.has(theirKeys[r]));
  const known = new Set(theirKeys);
  const extra = above(ours).filter((r) => !known.has(ourKeys[r])).length;
  const worst = (name: string, relative: boolean) => {
    const [x, y] = [ours.f64(name), theirs.f64(name)];
    return shared.reduce((largest, r) => {
      const difference = Math.abs(x[ourRow.get(theirKeys[r])!] - y[r]);
      return Math.max(largest, relative ? difference / Math.abs(y[r]) : difference);
    }, 0);
  };
  return [
    expected.length - shared.length,
    extra,
    worst("bestfit_lnlike", false),
    worst("lnl_marginalized", false),
    worst("d_h_1Mpc", true),
    worst("h_h_1Mpc", true),
  ];
}

function keysOf(table: FeatherTable): string[] {
  const [i, e, o] = ["i", "e", "o"].map((name) => table.f64(name));
  return table.strings("bank_id").map((bank, r) => `${bank} ${i[r]} ${e[r]} ${o[r]}`);
}

function lnEvidence(rundir: string): number {
  const path = join(rundir, "summary_results.json");
  return v.parse(v.object({ ln_evidence: v.number() }), readJson(path)).ln_evidence;
}

/** Accepted bank samples of one run only; the largest difference of time alignments. */
function compareBanks({ one }: Subject, rundir: string): [n: number, dt: number] {
  let [n, largest] = [0, 0];
  for (const k of one.banks.keys()) {
    const [theirs, ours] = [runPath(one), rundir].map((run) => {
      const folder = join(run, "banks", `bank_${k}`);
      return { inds: acceptedIn(folder), dt: alignmentsIn(folder) };
    });
    n += theirs.inds.symmetricDifference(ours.inds).size;
    for (const [i, dt] of Object.entries(theirs.dt)) largest = Math.max(largest, Math.abs(dt - ours.dt[i]));
  }
  return [n, largest];
}

function acceptedIn(folder: string): Set<number> {
  return new Set(openNpz(join(folder, "intrinsic_samples.npz")).get("inds").toFloat64());
}

function alignmentsIn(folder: string): Record<string, number> {
  const path = join(folder, "intrinsic_sample_processor_cache.json");
  return v.parse(v.record(v.string(), v.number()), readJson(path));
}
