/** LALSimulation's functions, as its headers declare them, and its errors as text. */
import { CString, dlopen, type Pointer, ptr, read } from "bun:ffi";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { DotpeError } from "../errors.ts";

const P = "ptr";
const D = "f64";
const I = "i32";

const SYMBOLS = {
  XLALSimInspiralChooseFDWaveformSequence: {
    args: [P, P, D, D, D, D, D, D, D, D, D, D, D, D, P, I, P],
    returns: I,
  },
  XLALSimInspiralGetApproximantFromString: { args: [P], returns: I },
  XLALSimInspiralGetStringFromApproximant: { args: [I], returns: P },
  XLALSimInspiralImplementedFDApproximants: { args: [I], returns: I },
  XLALSimInspiralGetSpinSupportFromApproximant: { args: [I], returns: I },
  XLALSimInspiralCreateModeArray: { args: [], returns: P },
  XLALSimInspiralModeArrayActivateMode: { args: [P, "u32", I], returns: P },
  XLALSimInspiralWaveformParamsInsertModeArray: { args: [P, P], returns: I },
  XLALSimInspiralWaveformParamsInsertTidalLambda1: { args: [P, D], returns: I },
  XLALSimInspiralWaveformParamsInsertTidalLambda2: { args: [P, D], returns: I },
  XLALSimInspiralWaveformParamsInsertPhenomXPrecVersion: { args: [P, I], returns: I },
  // Of liblal, which comes with it: a name is looked up in a library's dependencies too.
  XLALCreateDict: { args: [], returns: P },
  XLALDestroyDict: { args: [P], returns: "void" },
  XLALDestroyValue: { args: [P], returns: "void" },
  XLALCreateREAL8Sequence: { args: ["u64"], returns: P },
  XLALDestroyREAL8Sequence: { args: [P], returns: "void" },
  XLALDestroyCOMPLEX16FrequencySeries: { args: [P], returns: "void" },
  XLALGetDebugLevel: { args: [], returns: I },
  XLALClobberDebugLevel: { args: [I], returns: "void" },
  XLALGetBaseErrno: { args: [], returns: I },
  XLALClearErrno: { args: [], returns: I },
  XLALErrorString: { args: [I], returns: P },
  memcpy: { args: [P, P, "u64"], returns: P },
  /** Data, not a function: only its address is used. */
  lalSimulationVCSInfo: { args: [], returns: "void" },
} as const;

/** Of the GNU Scientific Library, which LALSimulation calls. */
const GSL_SYMBOLS = { gsl_set_error_handler_off: { args: [], returns: P } } as const;

/** struct LALVCSInfo { char *name, *version, ... }. */
const VERSION_OFFSET = 8;
/** struct COMPLEX16FrequencySeries: name[64], epoch (2 x 4 bytes), f0, deltaF, 15 2-byte numbers of the unit, padding; its data. */
const SERIES_DATA_OFFSET = 120;
/** struct REAL8Vector, COMPLEX16Vector { uint32 length; data }. */
const VECTOR_DATA_OFFSET = 8;
/** LALERRORBIT | LALWARNINGBIT | LALINFOBIT | LALTRACEBIT. */
const MESSAGE_BITS = 0b1111;

/** Objects of LAL are their addresses; 0 or null is none. */
export type Address = Pointer | null;

function open(path: string) {
  try {
    return withNeighbours(path, () => dlopen(path, SYMBOLS).symbols);
  } catch (error) {
    throw new DotpeError(
      "badData",
      `${path}: expected a LALSimulation library, which could not be loaded: ${textOf(error)}`,
      "Give liblalsimulation of lalsuite 7 or later, made for this processor and system, with the libraries that belong to it.",
    );
  }
}

/** Some wheels do not say that the libraries that one needs lie beside it: those that are missed are loaded from there first. */
function withNeighbours<T>(path: string, load: () => T): T {
  const loaded = new Set<string>();
  for (;;) {
    try {
      return load();
    } catch (error) {
      const missing = /([^\s:/]+): cannot open shared object file/.exec(textOf(error))?.[1];
      const neighbour = join(dirname(path), missing ?? "");
      if (missing === undefined || loaded.has(missing) || !existsSync(neighbour)) throw error;
      loaded.add(missing);
      // At least one name must be asked for; this one is of the C library, which they all need.
      withNeighbours(neighbour, () => dlopen(neighbour, { memcpy: SYMBOLS.memcpy }));
    }
  }
}

const textOf = (error: unknown) => (error instanceof Error ? error.message : String(error));

export type LalSymbols = ReturnType<typeof open>;

export interface Lal {
  readonly path: string;
  /** Of LALSimulation, e.g. 6.2.1. */
  readonly version: string;
  readonly symbols: LalSymbols;
}

/**
 * One a thread, for good. LAL's messages are off unless $LAL_DEBUG_LEVEL is set: errors are thrown, with `takeError`'s text.
 * @throws DotpeError badData for what is no LALSimulation or cannot be loaded.
 */
export function openLibrary(path: string): Lal {
  const symbols = open(path);
  // Read first, or it would be read later and undo what is set here.
  const level = symbols.XLALGetDebugLevel();
  if (!process.env.LAL_DEBUG_LEVEL) symbols.XLALClobberDebugLevel(level & ~MESSAGE_BITS);
  quietGsl(path);
  symbols.XLALClearErrno();
  const address = (symbols.lalSimulationVCSInfo as unknown as { readonly ptr: Pointer }).ptr;
  return { path, version: textAt(addressAt(address, VERSION_OFFSET)), symbols };
}

/** GSL ends the process at an error unless it is told to return it; then a number is NaN or an error of LAL. */
function quietGsl(path: string): void {
  try {
    dlopen(path, GSL_SYMBOLS).symbols.gsl_set_error_handler_off();
  } catch {
    // Linked in such a way that it is not visible.
  }
}

/** What this thread's last error was, in LAL's words; then there is none. */
export function takeError({ symbols }: Lal): string {
  const number = symbols.XLALGetBaseErrno();
  symbols.XLALClearErrno();
  return number === 0 ? "failed, gave no reason" : textAt(symbols.XLALErrorString(number) as Address);
}

export function textAt(address: Address): string {
  return address ? new CString(address).toString() : "";
}

/** A string for a function that reads it before it returns. */
export function cText(text: string): Uint8Array {
  return new TextEncoder().encode(`${text}\0`);
}

function addressAt(address: Pointer, offset: number): Pointer {
  return read.ptr(address, offset) as Pointer;
}

/** A sequence of LAL with these numbers, to be kept for good. */
export function sequenceOf({ symbols }: Lal, values: Float64Array): Address {
  const sequence = symbols.XLALCreateREAL8Sequence(values.length) as Address;
  if (sequence) symbols.memcpy(addressAt(sequence, VECTOR_DATA_OFFSET), values, values.byteLength);
  return sequence;
}

/** Numbers (real, imaginary) of a frequency series to `out`; false if they are not half as many as `out` holds. */
export function copySeries({ symbols }: Lal, series: Pointer, out: Float64Array): boolean {
  const vector = addressAt(series, SERIES_DATA_OFFSET);
  if (!vector || 2 * read.u32(vector, 0) !== out.length) return false;
  symbols.memcpy(out, addressAt(vector, VECTOR_DATA_OFFSET), out.byteLength);
  return true;
}

/** Two places for addresses that a function of LAL fills in. */
export class AddressPair {
  private readonly cells = new BigUint64Array(new ArrayBuffer(16));
  readonly first: Pointer = ptr(this.cells);
  readonly second = (this.first + 8) as Pointer;

  clear(): void {
    this.cells[0] = 0n;
    this.cells[1] = 0n;
  }
  /** 0: none. */
  get(which: 0 | 1): Pointer {
    return addressAt(this.first, 8 * which);
  }
}
