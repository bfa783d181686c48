/** What a run directory says, for people: read from its files alone, so that a directory that was copied elsewhere is enough. */
import { existsSync } from "node:fs";
import { basename, join } from "node:path";
import * as v from "valibot";
import { DotpeError } from "../errors.ts";
import { redshiftAt } from "../gw/cosmology.ts";
import { mchirp } from "../gw/prior.ts";
import { lonToRa } from "../gw/sky-angles.ts";
import { type SkyMap, skyMap } from "../gw/sky-area.ts";
import { skyDensity } from "../gw/sky-density.ts";
import { readChecked } from "../io/checked-json.ts";
import { type FeatherTable, readFeather } from "../io/feather.ts";
import { firstNotFinite } from "../io/finite.ts";
import { openNpz } from "../io/npz.ts";
import { type Interval, intervalOf } from "./interval.ts";

/** One number of a source, and its posterior. */
export interface Quantity {
  /** Also the key of published values. */
  readonly name: QuantityName;
  readonly label: string;
  /** Empty if it has none. */
  readonly unit: string;
  /** Nothing lies outside. */
  readonly bounds?: readonly [number, number];
  /** Of equal weight, rising. */
  readonly sorted: Float64Array;
  readonly interval: Interval;
}

export interface RunReport {
  readonly event: string;
  readonly rundir: string;
  /** One letter each; undefined where the run has no reference.npz of this program. */
  readonly detectors: readonly string[] | undefined;
  /** GPS s. */
  readonly tgps: number | undefined;
  /** Hz: first and last bin of the likelihood. */
  readonly band: readonly [number, number] | undefined;
  readonly banks: readonly { readonly folder: string; readonly n: number }[];
  readonly quantities: readonly Quantity[];
  /** Draws that the quantities rest on. */
  readonly n_samples: number;
  /** Undefined if the sky rests on too few directions to draw. */
  readonly sky: SkyMap | undefined;
  readonly summary: v.InferOutput<typeof SUMMARY>;
  readonly timings: v.InferOutput<typeof TIMINGS> | undefined;
  readonly settings: Readonly<Record<string, unknown>>;
}

export const SKY_LEVELS = [0.5, 0.9] as const;
/** Of fewer effective directions no contours are drawn. */
const MIN_DIRECTIONS = 10;

const Quality = v.nullish(v.pipe(v.number(), v.finite()));
const SUMMARY = v.looseObject({
  ...{ ln_evidence: v.number(), n_effective: v.number(), bestfit_lnlike_max: Quality },
  ...{ ln_evidence_error: Quality, n_effective_i: Quality, n_effective_e: Quality },
  ...{ n_effective_i_merged: Quality, n_effective_e_merged: Quality, n_rows: Quality },
  n_i_inds_used: Quality,
  per_bank_results: v.optional(v.record(v.string(), v.looseObject({ N_k: Quality })), {}),
});
const TIMINGS = v.looseObject({
  total_seconds: v.number(),
  n_procs: v.number(),
  kernel: v.string(),
  peak_memory_mb: v.number(),
  stages: v.array(v.looseObject({ name: v.string(), seconds: v.number() })),
});
const KWARGS = v.looseObject({
  event: v.string(),
  bank_folder: v.union([v.string(), v.array(v.string()), v.record(v.string(), v.string())]),
  n_ext: Quality,
  n_phi: Quality,
});
const FRAME = v.looseObject({ tgps: v.number() });

const COLUMNS = {
  mchirp: { label: "chirp mass (detector frame)", unit: "Msun" },
  q: { label: "mass ratio m2/m1", unit: "", bounds: [0, 1] },
  chieff: { label: "effective spin", unit: "", bounds: [-1, 1] },
  d_luminosity: { label: "luminosity distance", unit: "Mpc" },
  costheta_jn: { label: "cos theta_JN", unit: "", bounds: [-1, 1] },
  t_geocenter: { label: "arrival at the geocentre", unit: "ms" },
  mchirp_source: { label: "chirp mass (source frame)", unit: "Msun" },
  m1_source: { label: "mass 1 (source frame)", unit: "Msun" },
  m2_source: { label: "mass 2 (source frame)", unit: "Msun" },
  redshift: { label: "redshift", unit: "" },
} as const;

export type QuantityName = keyof typeof COLUMNS;

/**
 * Reads a complete run directory, of this program or of dot_pe.
 * @throws DotpeError noInput (no such directory, not complete), badData, notFinite.
 */
export function readRun(rundir: string): RunReport {
  if (!existsSync(join(rundir, "summary_results.json"))) {
    throw new DotpeError(
      "noInput",
      `${rundir}: found no summary_results.json, expected the directory of a run that has ended`,
      "Give what --rundir named, or wait for the run to end.",
    );
  }
  const summary = readChecked(SUMMARY, join(rundir, "summary_results.json"), A_RUN);
  const settings = readChecked(KWARGS, join(rundir, "run_kwargs.json"), A_RUN);
  const timingsPath = join(rundir, "timings.json");
  const samples = readFeather(join(rundir, "samples.feather"));
  const reference = readReferenceFacts(join(rundir, "reference.npz"));
  return {
    event: basename(settings.event).replace(/\.npz$/, ""),
    rundir,
    ...reference,
    banks: banksOf(settings, summary),
    quantities: quantitiesOf(samples),
    n_samples: samples.n_rows,
    sky: skyOf(rundir, samples),
    ...{ summary, settings },
    timings: existsSync(timingsPath) ? readChecked(TIMINGS, timingsPath, A_RUN) : undefined,
  };
}

const A_RUN = "Give the directory of a run.";

/** Detectors, time and band, if the run has them: dot_pe writes no reference.npz. */
function readReferenceFacts(path: string): Pick<RunReport, "detectors" | "tgps" | "band"> {
  if (!existsSync(path)) return { detectors: undefined, tgps: undefined, band: undefined };
  const npz = openNpz(path);
  const text = (name: string) => (npz.has(name) ? npz.get(name).toStrings()[0] : undefined);
  const frame = v.safeParse(FRAME, parsedOrNull(text("frame")));
  const fbin = npz.has("fbin") ? npz.get("fbin").toFloat64() : undefined;
  return {
    detectors: text("detectors")?.split(""),
    tgps: frame.success ? frame.output.tgps : undefined,
    band: fbin && fbin.length > 0 ? [fbin[0], fbin[fbin.length - 1]] : undefined,
  };
}

function parsedOrNull(json: string | undefined): unknown {
  try {
    return JSON.parse(json ?? "null");
  } catch {
    return null;
  }
}

/** Samples of each bank: N_k counts them times phases and extrinsic samples. */
function banksOf(settings: v.InferOutput<typeof KWARGS>, summary: RunReport["summary"]): RunReport["banks"] {
  const { bank_folder, n_ext, n_phi } = settings;
  const folders = typeof bank_folder === "string" ? [bank_folder] : Object.values(bank_folder);
  const counts = Object.values(summary.per_bank_results).map(({ N_k }) => N_k ?? Number.NaN);
  return folders.map((folder, k) => ({
    folder,
    n: Math.round(counts[k] / ((n_ext ?? Number.NaN) * (n_phi ?? Number.NaN))),
  }));
}

function quantitiesOf(samples: FeatherTable): Quantity[] {
  const column = (name: string) => readFinite(samples, name);
  const [m1, m2, d] = [column("m1"), column("m2"), column("d_luminosity")];
  const redshift = d.map(redshiftAt);
  const chirp = m1.map((a, k) => mchirp(a, m2[k]));
  const inSourceFrame = (masses: Float64Array) => masses.map((m, k) => m / (1 + redshift[k]));
  const values: Record<QuantityName, Float64Array> = {
    mchirp_source: inSourceFrame(chirp),
    mchirp: chirp,
    m1_source: inSourceFrame(m1),
    m2_source: inSourceFrame(m2),
    q: m1.map((a, k) => m2[k] / a),
    chieff: column("chieff"),
    d_luminosity: d,
    redshift,
    costheta_jn: column("costheta_jn"),
    t_geocenter: column("t_geocenter").map((t) => 1000 * t),
  };
  return Object.entries(values).map(([key, unsorted]) => {
    const name = key as QuantityName;
    const sorted = unsorted.toSorted();
    return { name, ...COLUMNS[name], sorted, interval: intervalOf(sorted) };
  });
}

function readFinite(table: FeatherTable, name: string): Float64Array {
  const values = table.f64(name);
  const at = firstNotFinite(values);
  if (values.length > 0 && at === -1) return values;
  const found = values.length === 0 ? "no rows" : `${values[at]} in row ${at}`;
  throw new DotpeError(
    values.length === 0 ? "badData" : "notFinite",
    `${table.path}: column ${name}: found ${found}, expected finite numbers`,
    "Make the run again.",
  );
}

/**
 * The sky by the weights of all rows, summed over each extrinsic sample's: the draws are fewer. Right ascensions are the
 * extrinsic samples' longitudes, turned as the first draw's.
 */
function skyOf(rundir: string, samples: FeatherTable): SkyMap | undefined {
  const rows = readFeather(join(rundir, "prob_samples.feather"));
  const extrinsic = readFeather(join(rundir, "extrinsic_samples.feather"));
  const [lon, dec] = [readFinite(extrinsic, "lon"), readFinite(extrinsic, "lat")];
  const turn = readFinite(samples, "ra")[0] - readFinite(samples, "lon")[0];
  const weights = new Float64Array(extrinsic.n_rows);
  const [e, weight] = [readFinite(rows, "e"), readFinite(rows, "weights")];
  for (let k = 0; k < e.length; k++) {
    if (!(Number.isInteger(e[k]) && e[k] >= 0 && e[k] < weights.length))
      throw noSuchSample(rows.path, e[k], weights.length);
    weights[e[k]] += weight[k];
  }
  const density = skyDensity({ ra: lon.map((angle) => lonToRa(angle, turn)), dec, weights });
  return density.nEffective < MIN_DIRECTIONS ? undefined : skyMap(density, SKY_LEVELS);
}

function noSuchSample(path: string, e: number, n_e: number): DotpeError {
  return new DotpeError(
    "mismatch",
    `${path}: column e: found ${e}, expected 0 to ${n_e - 1} as extrinsic_samples.feather has`,
    "Give the directory of one run, as it was left.",
  );
}
