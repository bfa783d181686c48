/** The results of a run: each file by itself, and all of them against summary_results.json. */
import * as v from "valibot";
import { logSumExp } from "../gw/special.ts";
import { readChecked } from "../io/checked-json.ts";
import { type FeatherTable, readFeather } from "../io/feather.ts";
import { readInput } from "../io/input.ts";
import { readNpyHeader } from "../io/npy.ts";
import { openNpz } from "../io/npz.ts";
import { formatCount } from "../report/format.ts";
import { type Checks, damaged } from "./file-checks.ts";
import { MANIFEST_FILE, type Manifest } from "./manifest.ts";
import { SUMMARY_FILE } from "./results.ts";

const NUMBER = v.nullable(v.number());
const BANK = v.object({ ln_evidence: NUMBER, n_effective: NUMBER, n_inds_used: NUMBER, N_k: v.number() });
const SUMMARY = v.object({
  ...{ n_effective: NUMBER, bestfit_lnlike_max: NUMBER, lnl_marginalized_max: NUMBER, ln_evidence: NUMBER },
  ...{ ln_evidence_error: NUMBER, n_banks: v.number(), n_rows: v.number(), n_samples: NUMBER },
  per_bank_results: v.record(v.string(), BANK),
});
export type StoredSummary = v.InferOutput<typeof SUMMARY>;
const KWARGS = v.record(v.string(), v.unknown());
const TIMINGS = v.object({ total_seconds: v.number(), stages: v.array(v.object({ seconds: v.number() })) });

/** Rows that are in memory at a time; a batch may have more. */
const MOST_ROWS = 2 ** 18;
const MOST_TEXT_BYTES = 2 ** 26;
/** Of sums over all rows, added in another order. */
const TOLERANCE = 1e-9;

/** What files say of themselves. */
export class Facts {
  summary: StoredSummary | undefined;
  kwargs: v.InferOutput<typeof KWARGS> | undefined;
  /** By file and quantity. */
  readonly numbers = new Map<string, number>();
}

/** Reads a file as a whole; returns what is said of it. */
type Reader = (path: string, set: (what: string, value: number) => void, facts: Facts) => string;

const IN_RUNDIR: Readonly<Record<string, Reader>> = {
  [SUMMARY_FILE]: (path, _, facts) => {
    facts.summary = readSummary(path);
    return `ln evidence ${facts.summary.ln_evidence}`;
  },
  "run_kwargs.json": (path, _, facts) => {
    facts.kwargs = readChecked(KWARGS, path, "");
    return "has no checksum";
  },
  "timings.json": (path) => {
    const { total_seconds, stages } = readChecked(TIMINGS, path, "");
    const sum = stages.reduce((all, { seconds }) => all + seconds, 0);
    if (isNear(total_seconds, sum)) return "has no checksum";
    throw damaged(path, `total_seconds: found ${total_seconds}, expected ${sum} as its stages`);
  },
  "reference.npz": npzFile,
  "extrinsic_samples.feather": table,
  "response_dpe.npy": npyFile,
  "timeshift_dbe.npy": npyFile,
  "used_bank_idx.npy": npyFile,
  "used_sample_idx.npy": npyFile,
  "prob_samples.feather": rowTable,
  "samples.feather": table,
};
const IN_BANK: Readonly<Record<string, Reader>> = {
  "intrinsic_samples.npz": npzFile,
  // It may have more entries than `readJson` takes.
  "intrinsic_sample_processor_cache.json": (path, set) => {
    const n = countEntries(readInput(path, MOST_TEXT_BYTES));
    if (n === undefined) throw damaged(path, "expected times by the index of a sample");
    set("samples", n);
    return `${formatCount(n)} times`;
  },
  "prob_samples.feather": rowTable,
};

/** Undefined: a run writes no file of this name. */
export function readerOf(name: string): Reader | undefined {
  const [, inBank] = /^banks\/bank_(?:0|[1-9]\d{0,4})\/([^/]+)$/.exec(name) ?? [];
  const [readers, own] = inBank === undefined ? [IN_RUNDIR, name] : [IN_BANK, inBank];
  return Object.hasOwn(readers, own) ? readers[own] : undefined;
}

/** Results that a complete run has. */
export function wantedNames(n_banks: number, { inputs, settings }: Manifest): string[] {
  const mayLack: Record<string, boolean> = {
    "timings.json": true,
    "timeshift_dbe.npy": settings.save_timeshifts !== true,
    "used_bank_idx.npy": "extrinsic_samples" in inputs.files,
    "used_sample_idx.npy": "extrinsic_samples" in inputs.files,
  };
  const ids = Array.from({ length: n_banks }, (_, k) => `banks/bank_${k}`);
  const inBanks = ids.flatMap((id) => Object.keys(IN_BANK).map((name) => `${id}/${name}`));
  return [...Object.keys(IN_RUNDIR).filter((name) => mayLack[name] !== true), ...inBanks];
}

/** @throws DotpeError noInput, badData. */
export const readSummary = (path: string): StoredSummary => readChecked(SUMMARY, path, "");

function countEntries(bytes: Uint8Array): number | undefined {
  try {
    const values = Object.values(JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes)));
    return values.every((value) => typeof value === "number") ? values.length : undefined;
  } catch {
    return undefined;
  }
}

function npzFile(path: string, set: (what: string, value: number) => void): string {
  const npz = openNpz(path);
  // Each is unpacked and checked against its CRC-32.
  for (const name of npz.names) {
    const { n_items } = npz.get(name);
    if (name === "inds") set("samples", n_items);
  }
  return `${npz.names.length} arrays`;
}

function npyFile(path: string, set: (what: string, value: number) => void): string {
  const { shape } = readNpyHeader(path);
  set("samples", shape.at(-1) ?? 1);
  return `(${shape.join(", ")})`;
}

function table(path: string, set: (what: string, value: number) => void): string {
  const all = readFeather(path);
  for (const piece of all.pieces(MOST_ROWS)) for (const name of all.names) columnOf(piece, name);
  set("samples", all.n_rows);
  return `${formatCount(all.n_rows)} rows`;
}

function columnOf(piece: FeatherTable, name: string): Float64Array {
  if (name !== "bank_id") return piece.f64(name);
  piece.strings(name);
  return new Float64Array(0);
}

/** Columns of which logarithms are added up, and of which the largest is wanted. */
const LN_SUMS: readonly string[] = ["ln_posterior", "ln_weight_unnormalized"];
const LARGEST: readonly string[] = ["bestfit_lnlike", "lnl_marginalized"];

function rowTable(path: string, set: (what: string, value: number) => void): string {
  const all = readFeather(path);
  const found = new Map([...LN_SUMS, ...LARGEST].map((name) => [name, -Infinity]));
  let [weights, squares] = [0, 0];
  for (const piece of all.pieces(MOST_ROWS))
    for (const name of all.names) {
      const values = columnOf(piece, name);
      const before = found.get(name) ?? 0;
      if (LN_SUMS.includes(name)) found.set(name, logSumExp([before, logSumExp(values)]));
      if (LARGEST.includes(name))
        found.set(
          name,
          values.reduce((a, b) => Math.max(a, b), before),
        );
      if (name !== "weights") continue;
      weights += values.reduce((sum, value) => sum + value, 0);
      squares += values.reduce((sum, value) => sum + value * value, 0);
    }
  set("rows", all.n_rows);
  set("sum of the weights", weights);
  set("effective samples", squares > 0 ? 1 / squares : 0);
  for (const [name, value] of found) set(name, value);
  return `${formatCount(all.n_rows)} rows`;
}

/** What does not fit together is a failure of the file that is said to hold it. */
export function checkTogether(checks: Checks, facts: Facts, manifest: Manifest | undefined): void {
  const { summary, kwargs, numbers } = facts;
  const compare = (
    name: string,
    what: string,
    stated: number | null | undefined,
    by = SUMMARY_FILE,
    less = 0,
  ) => {
    const found = numbers.get(`${name} ${what}`);
    if (found === undefined || stated === undefined || isNear(found - less, stated)) return;
    checks.fail(name, `${what}: found ${found - less}, expected ${stated} (${by})`);
  };
  const [merged, used, all_e] = ["prob_samples.feather", "used_bank_idx.npy", "extrinsic_samples.feather"];
  compare("used_sample_idx.npy", "samples", numbers.get(`${used} samples`), used);
  for (const name of ["response_dpe.npy", "timeshift_dbe.npy"])
    compare(name, "samples", numbers.get(`${all_e} samples`), all_e);
  if (manifest !== undefined && kwargs !== undefined) checkSettings(checks, manifest, kwargs);
  if (summary === undefined) return;
  const compareRows = (name: string, n_effective: number | null) => {
    compare(name, "effective samples", n_effective);
    const n_rows = numbers.get(`${name} rows`) ?? 0;
    compare(name, "sum of the weights", n_rows > 0 ? 1 : 0, `of ${n_rows} rows`);
  };
  compareRows(merged, summary.n_effective);
  compare(merged, "rows", summary.n_rows);
  compare(merged, "bestfit_lnlike", summary.bestfit_lnlike_max);
  compare(merged, "lnl_marginalized", summary.lnl_marginalized_max);
  compare("samples.feather", "samples", summary.n_samples);
  let [n_rows, lnEvidence] = [0, -Infinity];
  const banks = Object.entries(summary.per_bank_results);
  for (const [id, { ln_evidence, n_effective, n_inds_used, N_k }] of banks) {
    const own = `banks/${id}/${merged}`;
    compareRows(own, n_effective);
    compare(own, "ln_posterior", ln_evidence, SUMMARY_FILE, Math.log(N_k));
    for (const name of ["intrinsic_samples.npz", "intrinsic_sample_processor_cache.json"])
      compare(`banks/${id}/${name}`, "samples", n_inds_used);
    n_rows += numbers.get(`${own} rows`) ?? Number.NaN;
    lnEvidence = logSumExp([lnEvidence, ln_evidence ?? -Infinity]);
  }
  // Some may be left out of the merged file.
  if (n_rows === summary.n_rows) compare(merged, "ln_weight_unnormalized", summary.ln_evidence);
  if (!isNear(lnEvidence, summary.ln_evidence) || summary.n_banks !== banks.length)
    checks.fail(
      SUMMARY_FILE,
      `ln_evidence, n_banks: expected ${lnEvidence}, ${banks.length} as per_bank_results`,
    );
}

/** JSON has no infinity. */
function isNear(found: number, stated: number | null): boolean {
  if (stated === null || !Number.isFinite(stated)) return !Number.isFinite(found);
  return Math.abs(found - stated) <= TOLERANCE * Math.max(1, Math.abs(stated));
}

/** What was asked for stands in both, and some of it twice in the manifest. */
function checkSettings(
  checks: Checks,
  { settings, options, inputs }: Manifest,
  kwargs: Manifest["options"],
): void {
  for (const [name, value] of Object.entries(settings)) {
    // Of imported samples their number is what counts.
    if (name === "n_ext" && "extrinsic_samples" in inputs.files) continue;
    const [own, other, given] = [value, kwargs[name], options[name] ?? value].map((one) =>
      JSON.stringify(one),
    );
    if (own === other && own === given) continue;
    if (own !== other)
      checks.fail("run_kwargs.json", `${name}: found ${other}, expected ${own} (${MANIFEST_FILE})`);
    checks.fail(MANIFEST_FILE, `${name}: found ${own}, expected ${own === other ? given : other}`);
  }
}
