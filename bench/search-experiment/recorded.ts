/** Rates of every candidate of a real machine: what `dotpe-hpc tune --search grid --json` prints, or a table of that. */
import * as v from "valibot";
import { readJson } from "../../src/io/json.ts";
import type { Dimension, Knob, KnobValue, Point } from "../../src/tune/setting.ts";
import { type Landscape, RUNS, WARM_UP } from "./landscape.ts";

const NAMES = {
  ...{ n_procs: "n_procs", i_batch: "iBatch", batches_per_task: "batchesPerTask", i_tile: "iTile" },
  ...{ e_tile: "eTile", kernel: "kernel", smt: "smt" },
} as const satisfies Record<string, Knob>;

const NUMBER = v.pipe(v.number(), v.finite());
const VALUE = v.union([NUMBER, v.string(), v.boolean()]);
const PRINTED = v.object({
  parts: v.object({ cpu: v.string(), cores: v.string() }),
  built_in: v.record(v.string(), VALUE),
  candidates: v.array(v.looseObject({ effort: v.string(), rate: v.optional(NUMBER) })),
});
/** The first row is the built-in setting. */
const TABLE = v.object({
  machine: v.string(),
  command: v.string(),
  columns: v.array(v.string()),
  rows: v.pipe(v.array(v.array(VALUE)), v.minLength(2)),
});

interface Candidate {
  readonly point: Point;
  readonly rate: number;
  /** Of the rate, relative. */
  readonly error: number;
  readonly seconds: number;
}

/** As measured: the best of many noisy rates is partly luck, and is taken at its word. */
export function recordedLandscape(path: string): Landscape {
  const { name, columns, rows } = readTable(path);
  const dimensions: Dimension[] = Object.entries(NAMES).flatMap(([column, knob]) => {
    const at = columns.indexOf(column);
    return at < 0 ? [] : [{ knob, values: [...new Set(rows.map((row) => row[at]))].sort(ascending) }];
  });
  const knobs = Object.keys(NAMES).filter((column) => columns.includes(column));
  const candidates = rows.map((row): Candidate => {
    const get = (column: string) => row[columns.indexOf(column)];
    const point = knobs.map((column, d) => dimensions[d].values.indexOf(get(column)));
    const [rate, error, seconds] = ["rate", "error", "seconds"].map((column) => v.parse(NUMBER, get(column)));
    return { point, rate, error, seconds };
  });
  return landscapeOf(`${name}, as recorded`, dimensions, candidates);
}

function readTable(path: string): { name: string; columns: readonly string[]; rows: readonly KnobValue[][] } {
  const json = readJson(path);
  if (v.is(TABLE, json)) return { name: json.machine, columns: json.columns, rows: json.rows };
  const { parts, built_in, candidates } = v.parse(PRINTED, json);
  const columns = [...Object.keys(NAMES), "rate", "error", "seconds"];
  const isBuiltIn = (one: object) =>
    Object.entries(built_in).every(([key, value]) => one[key as never] === value);
  const measured = candidates.filter(({ effort, rate }) => effort === "full" && rate !== undefined);
  measured.sort((a, b) => Number(isBuiltIn(b)) - Number(isBuiltIn(a)));
  const rows = measured.map((one) => columns.map((column) => v.parse(VALUE, one[column])));
  return { name: `${parts.cpu}, ${parts.cores} cores`, columns, rows };
}

function ascending(a: KnobValue, b: KnobValue): number {
  return typeof a === "number" ? a - Number(b) : String(a).localeCompare(String(b));
}

function landscapeOf(name: string, dimensions: Dimension[], candidates: readonly Candidate[]): Landscape {
  const byKey = new Map(candidates.map((one) => [one.point.join(" "), one]));
  const at = (point: Point) => byKey.get(point.join(" "))!;
  const error: Landscape["error"] = (point, effort) => at(point).error * Math.sqrt(RUNS.full / RUNS[effort]);
  return {
    ...{ name, error, noise: error, disturbed: 0, loss: 0 },
    space: {
      dimensions,
      start: candidates[0].point,
      key: (point) => (byKey.has(point.join(" ")) ? point.join(" ") : undefined),
    },
    rate: (point) => at(point).rate,
    seconds: (point, effort) => (at(point).seconds * (WARM_UP + RUNS[effort])) / (WARM_UP + RUNS.full),
  };
}
