/** The reference runs that tests of the reference waveform compare with, and how to open them. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { bandOfEvent } from "../src/gw/band.ts";
import { openBank } from "../src/gw/bank.ts";
import { readEvent } from "../src/gw/event.ts";
import type { ComplexArray } from "../src/gw/reference-entries.ts";
import type { Npz } from "../src/io/npz.ts";
import { loadKernels } from "../src/kernels/table.ts";
import { FIXTURES, SHARED } from "./helpers.ts";

export interface ReferenceCase {
  readonly name: string;
  readonly root: string;
  readonly event: string;
  readonly banks: readonly string[];
  readonly absent: boolean;
}

function referenceCase(name: string, root: string, event: string, banks: string[]): ReferenceCase {
  return { name, root, event, banks, absent: !existsSync(join(root, "runs", name)) };
}

/** `small` is part of the repository, the others are in ../shared/reference. */
export const CASES: readonly ReferenceCase[] = [
  referenceCase("small", FIXTURES, "GW170814", ["s"]),
  referenceCase("GW170814-ab", SHARED, "GW170814", ["a", "b"]),
  referenceCase("injection-c", SHARED, "injection-c", ["c"]),
];
export const SMALL = CASES[0];

export function caseName({ name, absent }: ReferenceCase): string {
  return absent ? `${name} (needs ../shared/reference)` : name;
}

export function runPath({ root, name }: ReferenceCase, ...parts: string[]): string {
  return join(root, "runs", name, ...parts);
}

/** The fastest that this machine runs. */
export const KERNELS = loadKernels("auto");

export function openCase(one: ReferenceCase) {
  const event = readEvent(join(one.root, "events", `${one.event}.npz`));
  const banks = one.banks.map((bank, k) => openBank(join(one.root, "banks", bank), `bank_${k}`));
  const band = bandOfEvent(event, banks[0].config.fbin);
  return { event, banks, band, mArr: banks[0].config.m_arr };
}

export function complexOf(npz: Npz, name: string): ComplexArray {
  const interleaved = npz.get(name).toComplex();
  return {
    re: interleaved.filter((_, k) => k % 2 === 0),
    im: interleaved.filter((_, k) => k % 2 === 1),
  };
}

/** Largest |x - y| over the largest |y|. */
export function relativeError(x: ComplexArray, y: ComplexArray): number {
  if (x.re.length !== y.re.length) throw new Error(`found ${x.re.length} values, expected ${y.re.length}`);
  let [difference, largest] = [0, 0];
  for (let k = 0; k < y.re.length; k++) {
    const error = Math.hypot(x.re[k] - y.re[k], x.im[k] - y.im[k]);
    if (Number.isNaN(error)) return Number.NaN;
    difference = Math.max(difference, error);
    largest = Math.max(largest, Math.hypot(y.re[k], y.im[k]));
  }
  return difference / largest;
}

export function real(re: Float64Array): ComplexArray {
  return { re, im: new Float64Array(re.length) };
}

/** The value of a field of that name anywhere in a run's Posterior.json. */
export function posteriorField(one: ReferenceCase, field: string): unknown {
  const find = (value: unknown): unknown => {
    if (typeof value !== "object" || value === null) return undefined;
    if (field in value) return (value as Record<string, unknown>)[field];
    return Object.values(value)
      .map(find)
      .find((found) => found !== undefined);
  };
  // Python writes infinities, which JSON does not have.
  const text = readFileSync(runPath(one, "Posterior.json"), "utf8").replace(
    /-?\bInfinity\b|\bNaN\b/g,
    "null",
  );
  return find(JSON.parse(text));
}
