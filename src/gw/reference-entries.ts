/** Reading the entries of a `reference.npz`: shapes, finite numbers, and whether it fits the event and the bank. */
import { DotpeError } from "../errors.ts";
import { clipped } from "../io/clipped.ts";
import { firstNotFinite } from "../io/finite.ts";
import type { NpyArray } from "../io/npy.ts";
import type { Npz } from "../io/npz.ts";
import type { EventBand } from "./band.ts";
import type { Event } from "./event.ts";

export interface ComplexArray {
  readonly re: Float64Array;
  readonly im: Float64Array;
}

/** The real numbers of an entry of this shape. @throws DotpeError badData, notFinite. */
export function readReal(npz: Npz, name: string, shape: readonly number[]): Float64Array {
  const array = npz.get(name);
  checkShape(npz, name, array, shape);
  const values = array.toFloat64().slice();
  checkFinite(npz, name, values);
  return values;
}

/** The complex numbers of an entry of this shape, split. @throws DotpeError badData, notFinite. */
export function readComplex(npz: Npz, name: string, shape: readonly number[]): ComplexArray {
  const array = npz.get(name);
  checkShape(npz, name, array, shape);
  const interleaved = array.toComplex();
  checkFinite(npz, name, interleaved);
  const re = new Float64Array(array.n_items);
  const im = new Float64Array(array.n_items);
  for (let k = 0; k < array.n_items; k++) {
    re[k] = interleaved[2 * k];
    im[k] = interleaved[2 * k + 1];
  }
  return { re, im };
}

/** The one text of an entry. @throws DotpeError badData. */
export function readText(npz: Npz, name: string): string {
  const texts = npz.get(name).toStrings();
  if (texts.length !== 1) throw badEntry(npz, name, `found ${texts.length} texts, expected one`);
  return texts[0];
}

export function badEntry(npz: Npz, name: string, message: string): DotpeError {
  return new DotpeError(
    "badData",
    `${npz.path}: field ${name}: ${message}`,
    "Give the reference.npz of a run of this program or of the reference run.",
  );
}

export function unfit(npz: Npz, name: string, message: string): DotpeError {
  return new DotpeError(
    "mismatch",
    `${npz.path}: field ${name}: ${message}`,
    "Use the reference of a run on the same event and bank, or leave --reference out.",
  );
}

/** @throws DotpeError mismatch unless detectors, modes and bins are those of the event and the bank. */
export function checkFits(npz: Npz, event: Event, { fbin }: EventBand, mArr: readonly number[]): void {
  const detectors = npz.get("detectors").toStrings().join("");
  const expected = event.detectors.join("");
  if (detectors !== expected) {
    throw unfit(
      npz,
      "detectors",
      `found ${clipped(detectors)}, expected ${expected} as event ${event.name} has`,
    );
  }
  const modes = Array.from(npz.get("m_arr").toFloat64());
  if (modes.join() !== mArr.join()) {
    throw unfit(npz, "m_arr", `found [${clipped(modes.join())}], expected [${mArr}] as the bank has`);
  }
  const bins = npz.get("fbin").toFloat64();
  if (bins.length !== fbin.length) {
    throw unfit(
      npz,
      "fbin",
      `found ${bins.length} bins, expected ${fbin.length} as the bank has in this band`,
    );
  }
  const b = bins.findIndex((f, k) => !(Math.abs(f - fbin[k]) <= BIN_TOLERANCE));
  if (b !== -1) throw unfit(npz, "fbin", `found ${bins[b]} Hz at index ${b}, expected ${fbin[b]} Hz`);
}

/** Hz. */
const BIN_TOLERANCE = 1e-9;

function checkShape(npz: Npz, name: string, { shape }: NpyArray, expected: readonly number[]): void {
  if (shape.join() === expected.join()) return;
  throw badEntry(npz, name, `found shape (${shape.join(", ")}), expected (${expected.join(", ")})`);
}

function checkFinite(npz: Npz, name: string, values: Float64Array): void {
  const k = firstNotFinite(values);
  if (k === -1) return;
  throw new DotpeError(
    "notFinite",
    `${npz.path}: field ${name}: found ${values[k]} at position ${k}, expected finite numbers`,
    "Make the reference again.",
  );
}
