/** The results of a run: each file by itself, and all of them against summary_results.json. */
import * as v from "valibot";
import { DotpeError } from "../errors.ts";
import { logSumExp } from "../gw/special.ts";
import { type FeatherTable, readFeather } from "../io/feather.ts";
import { readInput } from "../io/input.ts";
import { readJson } from "../io/json.ts";
import { readNpyHeader } from "../io/npy.ts";
import { openNpz } from "../io/npz.ts";
import { formatCount } from "../report/format.ts";
import type { Manifest } from "./manifest.ts";
import { MANIFEST_FILE } from "./manifest.ts";
import { SUMMARY_FILE } from "./results.ts";
import type { Checks } from "./verify-checks.ts";

const NUMBER = v.nullable(v.number());
const BANK = v.object({ ln_evidence: NUMBER, n_effective: NUMBER, n_inds_used: NUMBER, N_k: NUMBER });
const SUMMARY = v.object({
  ...{ n_effective: NUMBER, bestfit_lnlike_max: NUMBER, lnl_marginalized_max: NUMBER, ln_evidence: NUMBER },
  ...{ ln_evidence_error: NUMBER, n_i_inds_used: NUMBER, n_banks: NUMBER, n_rows: NUMBER, n_samples: NUMBER },
  per_bank_results: v.record(v.string(), BANK),
});
export type StoredSummary = v.InferOutput<typeof SUMMARY>;
const TIMINGS = v.object({
  total_seconds: v.number(),
  stages: v.array(v.object({ name: v.string(), seconds: v.number() })),
});

/** Rows that are in memory at a time; a batch may have more. */
const MOST_ROWS = 2 ** 18;
const MOST_TEXT_BYTES = 2 ** 28;
/** Of sums over all rows, added in another order. */
const TOLERANCE = 1e-9;

/** What is summed over a file of rows. */
interface RowSums {
  n: number;
  /** ln sum exp(ln_posterior), and of ln_weight_unnormalized where there is one. */
  lnSum: number;
  lnUnnormalized: number;
  weights: number;
  squares: number;
  bestfit: number;
  lnl: number;
}

/** What the files say of themselves. */
export interface Facts {
  summary?: StoredSummary;
  readonly rows: Map<string, RowSums>;
  /** By file: its length along the axis that is compared. */
  readonly n: Map<string, number>;
  kwargs?: Record<string, unknown>;
}

type Reader = (path: string, facts: Facts, name: string) => string;

const NAMES: Readonly<Record<string, Reader>> = {
  [SUMMARY_FILE]: (path, facts) => {
    facts.summary = checked(path, SUMMARY);
    return "";
  },
  "run_kwargs.json": (path, facts) => {
    facts.kwargs = checked(path, v.record(v.string(), v.unknown()));
    return "has no checksum";
  },
  "timings.json": (path) => {
    const { total_seconds, stages } = checked(path, TIMINGS);
    const sum = stages.reduce((all, { seconds }) => all + seconds, 0);
    if (!isNear(total_seconds, sum))
      throw wrong(path, `total_seconds is ${total_seconds}, its stages ${sum}`);
    return "has no checksum";
  },
  "reference.npz": npzFile,
  "extrinsic_samples.feather": table,
  "response_dpe.npy": npyFile(2),
  "timeshift_dbe.npy": npyFile(2),
  "used_bank_idx.npy": npyFile(0),
  "used_sample_idx.npy": npyFile(0),
  "prob_samples.feather": rowTable,
  "samples.feather": table,
};
const OF_A_BANK: Readonly<Record<string, Reader>> = {
  "intrinsic_samples.npz": npzFile,
  "intrinsic_sample_processor_cache.json": alignments,
  "prob_samples.feather": rowTable,
};

/** How to read a result; undefined: a run writes no file of this name. */
export function readerOf(name: string): Reader | undefined {
  const [, ofBank] = /^banks\/bank_(?:0|[1-9]\d{0,4})\/([^/]+)$/.exec(name) ?? [];
  const readers = ofBank === undefined ? NAMES : OF_A_BANK;
  const key = ofBank ?? name;
  return Object.hasOwn(readers, key) ? readers[key] : undefined;
}

/** Results that a complete run has. */
export function wantedNames(
  n_banks: number,
  { inputs, settings }: Pick<Manifest, "inputs" | "settings">,
): string[] {
  const imported = inputs.files.extrinsic_samples !== undefined;
  const absent = [
    ...["timings.json", ...(imported ? ["used_bank_idx.npy", "used_sample_idx.npy"] : [])],
    ...(settings.save_timeshifts === true ? [] : ["timeshift_dbe.npy"]),
  ];
  const banks = Array.from({ length: n_banks }, (_, k) =>
    Object.keys(OF_A_BANK).map((name) => `banks/bank_${k}/${name}`),
  );
  return [...Object.keys(NAMES).filter((name) => !absent.includes(name)), ...banks.flat()];
}

function checked<const S extends v.GenericSchema>(path: string, schema: S): v.InferOutput<S> {
  const parsed = v.safeParse(schema, readJson(path));
  if (parsed.success) return parsed.output;
  const [issue] = parsed.issues;
  throw wrong(path, `${v.getDotPath(issue) ?? "content"}: ${issue.message}`);
}

const wrong = (path: string, message: string) => new DotpeError("badData", `${path}: ${message}`, "");

function npzFile(path: string, facts: Facts, name: string): string {
  const npz = openNpz(path);
  // Each is unpacked and checked against its CRC-32.
  for (const entry of npz.names) {
    const { n_items } = npz.get(entry);
    if (entry === "inds") facts.n.set(name, n_items);
  }
  return `${npz.names.length} arrays`;
}

function npyFile(axis: number): Reader {
  return (path, facts, name) => {
    const { shape } = readNpyHeader(path);
    if (shape.length !== axis + 1) throw wrong(path, `found ${shape.length} axes, expected ${axis + 1}`);
    facts.n.set(name, shape[axis]);
    return `(${shape.join(", ")})`;
  };
}

/** {"3":-0.01,...}: too many entries for `readJson`. */
function alignments(path: string, facts: Facts, name: string): string {
  const text = new TextDecoder("utf-8", { fatal: false }).decode(readInput(path, MOST_TEXT_BYTES));
  const entry = /"\d{1,10}":-?\d[\d.e+-]*([,}])/y;
  let n = 0;
  for (entry.lastIndex = 1; entry.exec(text)?.[1] === ","; n++);
  if (
    text !== "{}\n" &&
    !(text.startsWith("{") && entry.lastIndex > 0 && text.slice(entry.lastIndex) === "\n")
  )
    throw wrong(path, `entry ${n}: not a time by the index of a sample`);
  facts.n.set(name, text === "{}\n" ? 0 : n + 1);
  return `${formatCount(facts.n.get(name) ?? 0)} times`;
}

function table(path: string, facts: Facts, name: string): string {
  const all = readFeather(path);
  for (const piece of all.pieces(MOST_ROWS)) for (const column of all.names) readColumn(piece, column);
  facts.n.set(name, all.n_rows);
  return `${formatCount(all.n_rows)} rows`;
}

function readColumn(piece: FeatherTable, column: string): Float64Array {
  if (column !== "bank_id") return piece.f64(column);
  piece.strings(column);
  return new Float64Array(0);
}

function rowTable(path: string, facts: Facts, name: string): string {
  const all = readFeather(path);
  const sums: RowSums = {
    ...{ n: all.n_rows, lnSum: -Infinity, lnUnnormalized: -Infinity, weights: 0, squares: 0 },
    ...{ bestfit: -Infinity, lnl: -Infinity },
  };
  const add: Record<string, (values: Float64Array) => void> = {
    ln_posterior: (values) => {
      sums.lnSum = logSumExp([sums.lnSum, logSumExp(values)]);
    },
    ln_weight_unnormalized: (values) => {
      sums.lnUnnormalized = logSumExp([sums.lnUnnormalized, logSumExp(values)]);
    },
    weights: (values) => {
      sums.weights += values.reduce((sum, value) => sum + value, 0);
      sums.squares += values.reduce((sum, value) => sum + value * value, 0);
    },
    bestfit_lnlike: (values) => {
      sums.bestfit = values.reduce((most, value) => Math.max(most, value), sums.bestfit);
    },
    lnl_marginalized: (values) => {
      sums.lnl = values.reduce((most, value) => Math.max(most, value), sums.lnl);
    },
  };
  for (const piece of all.pieces(MOST_ROWS))
    for (const column of all.names) add[column]?.(readColumn(piece, column));
  facts.rows.set(name, sums);
  return `${formatCount(all.n_rows)} rows`;
}

/** What does not fit together is a failure of the file that says it. */
export function checkTogether(
  checks: Checks,
  { summary, rows, n, kwargs }: Facts,
  manifest?: Manifest,
): void {
  const expect = (
    name: string,
    what: string,
    found: number | undefined,
    stated: number | null | undefined,
    by = SUMMARY_FILE,
  ) => {
    if (found === undefined || stated === undefined || isNear(found, stated)) return;
    checks.fail(name, `${what} ${found}, expected ${stated} (${by})`);
  };
  for (const [name, { n: count, weights }] of rows)
    expect(name, "weights add up to", weights, count > 0 ? 1 : 0, "by definition");
  expect(
    "used_sample_idx.npy",
    "length",
    n.get("used_sample_idx.npy"),
    n.get("used_bank_idx.npy"),
    "used_bank_idx.npy",
  );
  const n_e = n.get("extrinsic_samples.feather");
  for (const name of ["response_dpe.npy", "timeshift_dbe.npy"])
    expect(name, "extrinsic samples:", n.get(name), n_e, "extrinsic_samples.feather");
  if (manifest !== undefined && kwargs !== undefined) checkSettings(checks, manifest, kwargs);
  if (summary === undefined) return;
  const banks = Object.entries(summary.per_bank_results);
  expect("samples.feather", "rows:", n.get("samples.feather"), summary.n_samples);
  const merged = rows.get("prob_samples.feather");
  expectRows(expect, "prob_samples.feather", merged, summary);
  expect("prob_samples.feather", "largest bestfit_lnlike", merged?.bestfit, summary.bestfit_lnlike_max);
  expect("prob_samples.feather", "largest lnl_marginalized", merged?.lnl, summary.lnl_marginalized_max);
  const own = banks.map(([id]) => rows.get(`banks/${id}/prob_samples.feather`));
  const isAll = own.reduce((sum, of) => sum + (of?.n ?? Number.NaN), 0) === merged?.n;
  // Some may be left out of the merged file.
  if (isAll) expect("prob_samples.feather", "ln evidence", merged?.lnUnnormalized, summary.ln_evidence);
  banks.forEach(([id, { ln_evidence, n_effective, n_inds_used, N_k }], k) => {
    const name = `banks/${id}/prob_samples.feather`;
    expectRows(expect, name, own[k], { n_effective });
    expect(name, "ln evidence", own[k] && own[k].lnSum - Math.log(N_k ?? Number.NaN), ln_evidence);
    for (const file of ["intrinsic_samples.npz", "intrinsic_sample_processor_cache.json"])
      expect(`banks/${id}/${file}`, "samples:", n.get(`banks/${id}/${file}`), n_inds_used);
  });
  const total = logSumExp(banks.map(([, { ln_evidence }]) => ln_evidence ?? -Infinity));
  expect(SUMMARY_FILE, "ln_evidence", summary.ln_evidence ?? -Infinity, total, "of its banks");
  expect(SUMMARY_FILE, "n_banks", summary.n_banks ?? 0, banks.length, "per_bank_results");
}

type Expect = (
  name: string,
  what: string,
  found: number | undefined,
  stated: number | null | undefined,
) => void;

function expectRows(
  expect: Expect,
  name: string,
  sums: RowSums | undefined,
  stated: { readonly n_rows?: number | null; readonly n_effective: number | null },
): void {
  expect(name, "rows:", sums?.n, stated.n_rows);
  expect(name, "effective samples:", sums && (sums.squares > 0 ? 1 / sums.squares : 0), stated.n_effective);
}

/** JSON has no infinity. */
function isNear(found: number, stated: number | null): boolean {
  if (stated === null || !Number.isFinite(stated)) return !Number.isFinite(found);
  return Math.abs(found - stated) <= TOLERANCE * Math.max(1, Math.abs(stated));
}

/** Each of the two says what was asked for. */
function checkSettings(
  checks: Checks,
  { settings, options, inputs }: Manifest,
  kwargs: Record<string, unknown>,
): void {
  const differs = (a: unknown, b: unknown) => JSON.stringify(a) !== JSON.stringify(b);
  for (const [name, value] of Object.entries(settings)) {
    // With imported samples their number is what counts.
    if (name === "n_ext" && inputs.files.extrinsic_samples !== undefined) continue;
    if (name in options && differs(options[name], value))
      checks.fail(
        MANIFEST_FILE,
        `${name} is ${JSON.stringify(value)} in settings, ${JSON.stringify(options[name])} in options`,
      );
    if (differs(kwargs[name], value))
      for (const [file, other, here, there] of [
        [MANIFEST_FILE, "run_kwargs.json", value, kwargs[name]],
        ["run_kwargs.json", MANIFEST_FILE, kwargs[name], value],
      ] as const)
        checks.fail(file, `${name} is ${JSON.stringify(here)}, but ${JSON.stringify(there)} in ${other}`);
  }
}
