/** Waveforms of the user's own LALSimulation, by m as the reference makes them. */
import { DotpeError } from "../errors.ts";
import { type Address, cText, type Lal, openLibrary, takeError, textAt } from "./lal-binding.ts";
import { LalFailure, LalGenerator, type Mode } from "./lal-generator.ts";
import { findLal } from "./lal-library.ts";
import { checkModes, defaultModes } from "./lal-modes.ts";
import { polar } from "./polar.ts";
import type { WaveformParameters, WaveformRequest, WaveformSource } from "./source.ts";

/** Of XLALSimInspiralGetSpinSupportFromApproximant: no spins, of one body, along the orbit; larger numbers: any. */
const ALIGNED_SPINS = 2;
const N_POLARIZATIONS = 2;
/** Of the names that an error lists. */
const MOST_NAMES = 12;
/** LAL's approximants have smaller ones. */
const MOST_NUMBERS = 512;

/**
 * The approximant of that name in the library that `findLal(request.lal)` finds. Each mode is made alone, those of one m are added.
 * @throws DotpeError noInput without a library; badData for one that cannot be used, or where the approximant makes no waveforms;
 *   usage for a name that LAL does not have or has not in the frequency domain, and modes that it does not give alone
 */
export async function openLal(request: WaveformRequest): Promise<WaveformSource> {
  const { approximant: name, f, f_ref, phenomXPrecVersion } = request;
  const harmonic_modes = request.harmonic_modes ?? defaultModes(name);
  checkRequest(request, harmonic_modes);
  const lal = openLibrary(findLal(request.lal).path);
  const approximant = approximantNumber(lal, name);
  const settings = { lal, approximant, f, f_ref, phenomXPrecVersion };
  checkModes(name, settings, harmonic_modes);
  const spins = lal.symbols.XLALSimInspiralGetSpinSupportFromApproximant(approximant);
  return new LalSource(name, new LalGenerator(settings), {
    maker: `LALSimulation ${lal.version}`,
    lal: lal.path,
    harmonic_modes,
    alignedSpins: spins <= ALIGNED_SPINS,
  });
}

class LalSource implements WaveformSource {
  readonly maker: string;
  readonly lal: string;
  readonly harmonic_modes: readonly Mode[];
  readonly m_arr: readonly number[];
  readonly alignedSpins: boolean;
  private readonly name: string;
  private readonly generator: LalGenerator;
  /** The modes of each of m_arr. */
  private readonly modes_m: readonly (readonly Mode[])[];
  /** The sum, and one more mode of it: h+ and hx. */
  private readonly sum: Polarizations;
  private readonly term: Polarizations;

  constructor(
    name: string,
    generator: LalGenerator,
    {
      maker,
      lal,
      harmonic_modes,
      alignedSpins,
    }: Pick<LalSource, "maker" | "lal" | "harmonic_modes" | "alignedSpins">,
  ) {
    this.name = name;
    this.generator = generator;
    this.maker = maker;
    this.lal = lal;
    this.harmonic_modes = harmonic_modes;
    this.alignedSpins = alignedSpins;
    this.m_arr = [...new Set(harmonic_modes.map(([, m]) => m))];
    this.modes_m = this.m_arr.map((m) => harmonic_modes.filter((mode) => mode[1] === m));
    this.sum = new Polarizations(generator.n_b);
    this.term = new Polarizations(generator.n_b);
  }

  fill(parameters: WaveformParameters, amplitude_mpb: Float64Array, phase_mpb: Float64Array): void {
    const { n_b } = this.generator;
    this.checkParameters(parameters);
    let finite = true;
    for (let m = 0; m < this.modes_m.length; m++) {
      this.addModes(this.modes_m[m], parameters);
      const at = m * N_POLARIZATIONS * n_b;
      finite = polar(this.sum.hp_bc, n_b, amplitude_mpb, phase_mpb, at) && finite;
      finite = polar(this.sum.hc_bc, n_b, amplitude_mpb, phase_mpb, at + n_b) && finite;
    }
    if (!finite) throw this.noWaveform(parameters, "numbers that are not finite");
  }

  private addModes(modes: readonly Mode[], parameters: WaveformParameters): void {
    for (let l = 0; l < modes.length; l++) {
      const { hp_bc, hc_bc } = l === 0 ? this.sum : this.term;
      try {
        this.generator.polarizations(modes[l], parameters, 0, hp_bc, hc_bc);
      } catch (error) {
        if (!(error instanceof LalFailure)) throw error;
        throw this.noWaveform(parameters, `mode (${modes[l].join(", ")}): ${error.message}`);
      }
      if (l > 0) this.sum.add(this.term);
    }
  }

  private checkParameters(parameters: WaveformParameters): void {
    const { m1, m2, s1z, s1x_n, s1y_n, s2z, s2x_n, s2y_n, iota, l1, l2 } = parameters;
    if (this.alignedSpins && (s1x_n !== 0 || s1y_n !== 0 || s2x_n !== 0 || s2y_n !== 0))
      throw this.noWaveform(parameters, "spins in the orbital plane, which this approximant does not have");
    if (!Number.isFinite(m1 + m2 + s1z + s1x_n + s1y_n + s2z + s2x_n + s2y_n + iota + l1 + l2))
      throw this.noWaveform(parameters, "parameters that are not finite");
  }

  private noWaveform(parameters: WaveformParameters, why: string): DotpeError {
    const values = Object.entries(parameters).map(([name, value]) => `${name} ${value}`);
    return new DotpeError(
      "badData",
      `${this.name}: no waveform for ${values.join(", ")}: ${this.maker}: ${why}`,
      "Keep the samples where the approximant is valid, or choose another; LAL_DEBUG_LEVEL=error lets LAL say more.",
    );
  }
}

class Polarizations {
  readonly hp_bc: Float64Array;
  readonly hc_bc: Float64Array;

  constructor(n_b: number) {
    this.hp_bc = new Float64Array(2 * n_b);
    this.hc_bc = new Float64Array(2 * n_b);
  }

  add(other: Polarizations): void {
    for (let k = 0; k < this.hp_bc.length; k++) {
      this.hp_bc[k] += other.hp_bc[k];
      this.hc_bc[k] += other.hc_bc[k];
    }
  }
}

/** LAL's number of an approximant that it has in the frequency domain. */
function approximantNumber(lal: Lal, name: string): number {
  const c = lal.symbols;
  const number = c.XLALSimInspiralGetApproximantFromString(cText(name));
  // It also takes names with more in them, e.g. an order.
  const known = number >= 0 && textAt(c.XLALSimInspiralGetStringFromApproximant(number) as Address) === name;
  takeError(lal);
  if (known && c.XLALSimInspiralImplementedFDApproximants(number) === 1) return number;
  throw new DotpeError(
    "usage",
    known
      ? `${name}: LALSimulation ${lal.version} has it in the time domain only; a bank needs the frequency domain`
      : `${name}: found no approximant of this name in LALSimulation ${lal.version}`,
    `It has, in the frequency domain: ${similarNames(lal, name).join(", ")}.`,
  );
}

/** Names of LAL's approximants in the frequency domain, those first that begin as this one does. */
function similarNames(lal: Lal, name: string): string[] {
  const c = lal.symbols;
  const names: string[] = [];
  for (let number = 0; number < MOST_NUMBERS; number++) {
    // Some numbers have no name.
    const text = textAt(c.XLALSimInspiralGetStringFromApproximant(number) as Address);
    if (text !== "" && c.XLALSimInspiralImplementedFDApproximants(number) === 1) names.push(text);
  }
  takeError(lal);
  const shared = (other: string) => {
    let k = 0;
    while (k < name.length && name[k].toLowerCase() === other[k]?.toLowerCase()) k++;
    return k;
  };
  return names.toSorted((a, b) => shared(b) - shared(a)).slice(0, MOST_NAMES);
}

function checkRequest(
  { approximant, f, f_ref, phenomXPrecVersion }: WaveformRequest,
  modes: readonly Mode[],
): void {
  if (approximant === "IMRPhenomXODE")
    throw new DotpeError(
      "usage",
      `${approximant}: it is Python code of cogwheel, not of LALSimulation`,
      "Make that bank with dot_pe: this program reads it. Or choose IMRPhenomXPHM.",
    );
  const last = Number.MAX_VALUE;
  const bad = f.findIndex((value, b) => !(value > (b > 0 ? f[b - 1] : 0) && value <= last));
  if (f.length === 0 || bad >= 0 || !(f_ref > 0 && f_ref <= last))
    throw new DotpeError(
      "badData",
      bad >= 0
        ? `frequencies: found ${f[bad]} Hz at ${bad}, expected increasing ones above 0`
        : `frequencies: found ${f.length} and a reference frequency of ${f_ref} Hz, expected some, all above 0`,
      "Give the bins and the reference frequency in Hz.",
    );
  if (modes.length === 0 || new Set(modes.map(String)).size < modes.length)
    throw new DotpeError(
      "usage",
      `harmonic modes: found ${JSON.stringify(modes)}, expected at least one, none of them twice`,
      "Give each mode (l, m) once.",
    );
  if (phenomXPrecVersion !== null && !approximant.startsWith("IMRPhenomX"))
    throw new DotpeError(
      "usage",
      `${approximant}: found the precession version ${phenomXPrecVersion}, which only IMRPhenomX models have`,
      "Leave it out, or choose an IMRPhenomX model.",
    );
}
