/** What the terminal shows of a posterior: quantiles of a few parameters. */

import { chieff, derivedColumns, mchirp, type NetworkFrame, PHYSICAL_COLUMNS } from "../gw/prior.ts";
import { modulo } from "../gw/sky-angles.ts";
import type { ParameterSummary } from "../report/summary.ts";
import type { TableColumn } from "./sample-table.ts";

const LEVELS = { lo: 0.05, median: 0.5, hi: 0.95 };

interface Shown {
  readonly name: string;
  readonly label: string;
  readonly unit: string;
}

const SHOWN: readonly Shown[] = [
  { name: "mchirp", label: "chirp mass", unit: "Msun" },
  { name: "q", label: "mass ratio m2/m1", unit: "" },
  { name: "m1", label: "mass 1", unit: "Msun" },
  { name: "m2", label: "mass 2", unit: "Msun" },
  { name: "chieff", label: "effective spin", unit: "" },
  { name: "costheta_jn", label: "cos theta_JN", unit: "" },
  { name: "d_luminosity", label: "luminosity distance", unit: "Mpc" },
  { name: "ra", label: "right ascension", unit: "rad" },
  { name: "dec", label: "declination", unit: "rad" },
  { name: "t_geocenter", label: "time - tgps", unit: "s" },
];

/**
 * Medians and 90% intervals (masses in the detector frame) of a table of samples of equal weight.
 * Right ascension is cut opposite to its circular mean, so its interval may reach below 0 or above 2 pi.
 * @param truth injected parameters by column name; those not given but implied (chirp mass by masses) are worked out.
 */
export function parameterSummaries(
  table: readonly TableColumn[],
  frame: NetworkFrame,
  truth?: Readonly<Record<string, number>>,
): ParameterSummary[] {
  const columns = new Map(table.flatMap(({ name, type, data }) => (type === "f64" ? [[name, data]] : [])));
  columns.set(
    "q",
    columns.get("lnq")!.map((value) => Math.exp(value)),
  );
  const injected = truth === undefined ? {} : withImplied(truth, columns.get("f_ref")![0], frame);
  return SHOWN.map(({ name, label, unit }) => {
    const values = columns.get(name)!;
    const sorted = (name === "ra" ? unwrapped(values) : values).toSorted();
    const shown = {
      ...{ name, label, unit },
      ...{ median: quantile(sorted, LEVELS.median), lo: quantile(sorted, LEVELS.lo) },
      hi: quantile(sorted, LEVELS.hi),
    };
    return injected[name] === undefined ? shown : { ...shown, truth: injected[name] };
  });
}

/** Linear between the sorted values, of which there is at least one. */
export function quantile(sorted: ArrayLike<number>, level: number): number {
  const place = level * (sorted.length - 1);
  const below = Math.floor(place);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below] + (place - below) * (sorted[above] - sorted[below]);
}

function unwrapped(angles: Float64Array): Float64Array {
  let x = 0;
  let y = 0;
  for (const angle of angles) {
    x += Math.cos(angle);
    y += Math.sin(angle);
  }
  const mean = modulo(Math.atan2(y, x));
  return angles.map((angle) => modulo(angle, 2 * Math.PI, mean - Math.PI));
}

function withImplied(
  truth: Readonly<Record<string, number>>,
  f_ref: number,
  frame: NetworkFrame,
): Record<string, number> {
  const { m1, m2, s1z, s2z } = truth;
  const known: Record<string, number> = { f_ref };
  if (m1 !== undefined && m2 !== undefined) {
    Object.assign(known, { mchirp: mchirp(m1, m2), q: m2 / m1 });
    if (s1z !== undefined && s2z !== undefined) known.chieff = chieff(m1, m2, s1z, s2z);
  }
  if (truth.lnq !== undefined) known.q = Math.exp(truth.lnq);
  Object.assign(known, truth);
  if (PHYSICAL_COLUMNS.some((name) => known[name] === undefined)) return known;
  const columns = PHYSICAL_COLUMNS.map((name) => [name, Float64Array.of(known[name])]);
  const { costheta_jn } = derivedColumns(Object.fromEntries(columns), frame);
  return { costheta_jn: costheta_jn[0], ...known };
}
