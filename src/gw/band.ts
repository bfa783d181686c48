/** Which frequency bins of a bank an event can use. */
import { DotpeError } from "../errors.ts";
import { MIN_BINS } from "./bank-config.ts";
import type { Event } from "./event.ts";

export interface EventBand {
  /** Bins b0 <= b < b1 of the bank are used. */
  b0: number;
  b1: number;
  /** (b1 - b0) Hz: the used bins, rounded to the event's FFT grid. */
  fbin: Float64Array;
  /** (b1 - b0) index of each on the FFT grid. */
  f_index: Int32Array;
  /** What to tell the user: set when bins are left out. */
  note: string | null;
  /** What makes results doubtful: set when bins do not lie on the event's grid. */
  doubt: string | null;
}

type EventGrid = Pick<Event, "name" | "f" | "f0" | "f1">;

/**
 * Rounds the bins to the event's FFT grid as cogwheel does (relative_binning.py, setter of `fbin`: the first grid frequency
 * not below the bin minus df/2) and leaves out those beyond the event's band. One bin beyond each edge is kept where the
 * grid has it, so that the used bins span the band.
 * @throws DotpeError mismatch: two used bins on one grid frequency, or fewer than `MIN_BINS` left.
 */
export function bandOfEvent(event: EventGrid, fbin: Float64Array): EventBand {
  const index_b = Int32Array.from(fbin, (bin) => roundToGrid(event.f, bin));
  const { b0, b1 } = findRange(event, index_b);
  if (b1 - b0 < MIN_BINS) {
    throw new DotpeError(
      "mismatch",
      `event ${event.name} and bank: found ${Math.max(b1 - b0, 0)} bins of the bank ` +
        `(${fbin[0]}-${fbin[fbin.length - 1]} Hz) within the event's band ` +
        `(${event.f0}-${event.f1} Hz), expected at least ${MIN_BINS}`,
      "Use a bank made for this band.",
    );
  }
  const f_index = index_b.slice(b0, b1);
  checkApart(event, fbin.subarray(b0, b1), f_index);
  const rounded = Float64Array.from(f_index, (k) => event.f[k]);
  const note = describeOmitted(event, fbin, b0, b1);
  return {
    b0,
    b1,
    fbin: rounded,
    f_index,
    note,
    doubt: describeMoved(event, fbin.subarray(b0, b1), rounded),
  };
}

/** First index of the sorted f with f >= bin - df/2; the length of f if there is none. */
function roundToGrid(f: Float64Array, bin: number): number {
  const target = bin - (f[1] - f[0]) / 2;
  let [low, high] = [0, f.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (f[middle] < target) low = middle + 1;
    else high = middle;
  }
  return low;
}

function findRange({ f, f0, f1 }: EventGrid, index_b: Int32Array): { b0: number; b1: number } {
  const n_onGrid = countWhile(index_b, (k) => k < f.length);
  const n_below = countWhile(index_b, (k) => k < f.length && f[k] < f0);
  const n_upTo = countWhile(index_b, (k) => k < f.length && f[k] <= f1);
  if (n_upTo === n_below) return { b0: 0, b1: 0 };
  const startsInside = f[index_b[n_below]] === f0;
  const endsInside = f[index_b[n_upTo - 1]] === f1;
  return {
    b0: startsInside ? n_below : Math.max(n_below - 1, 0),
    b1: endsInside ? n_upTo : Math.min(n_upTo + 1, n_onGrid),
  };
}

function countWhile(values: Int32Array, holds: (value: number) => boolean): number {
  const end = values.findIndex((value) => !holds(value));
  return end === -1 ? values.length : end;
}

function checkApart(event: EventGrid, fbin: Float64Array, f_index: Int32Array): void {
  const b = f_index.findIndex((k, at) => at > 0 && k === f_index[at - 1]);
  if (b === -1) return;
  throw new DotpeError(
    "mismatch",
    `event ${event.name} and bank: bins ${fbin[b - 1]} Hz and ${fbin[b]} Hz both fall on ${event.f[f_index[b]]} Hz ` +
      `of the event's grid (spacing ${event.f[1]} Hz), expected different frequencies`,
    "Use a bank with coarser bins, or an event with a longer segment.",
  );
}

function describeOmitted(event: EventGrid, fbin: Float64Array, b0: number, b1: number): string | null {
  if (b0 === 0 && b1 === fbin.length) return null;
  return (
    `the bank's bins span ${brief(fbin[0])}-${brief(fbin[fbin.length - 1])} Hz, ` +
    `event ${event.name} ${brief(event.f0)}-${brief(event.f1)} Hz: ` +
    `using ${b1 - b0} of ${fbin.length} bins, ${brief(fbin[b0])}-${brief(fbin[b1 - 1])} Hz`
  );
}

/** Of the grid's spacing: where a bin is moved by more, its waveform is taken at a frequency that it was not made for. */
const ON_GRID = 0.01;

function describeMoved({ name, f }: EventGrid, fbin: Float64Array, rounded: Float64Array): string | null {
  let most = 0;
  for (let b = 0; b < fbin.length; b++) most = Math.max(most, Math.abs(fbin[b] - rounded[b]));
  if (most <= ON_GRID * f[1]) return null;
  return (
    `the bank's bins do not lie on the frequency grid of event ${name} (spacing ${brief(f[1])} Hz): they are moved by up to ` +
    `${most.toPrecision(2)} Hz, and the phases of its waveforms are wrong by that; make a bank with \`bank create --event\``
  );
}

function brief(frequency: number): number {
  return Number(frequency.toPrecision(6));
}
