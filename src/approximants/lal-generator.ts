/** Polarizations of one approximant of LALSimulation at fixed frequencies. */
import {
  type Address,
  AddressPair,
  copySeries,
  type Lal,
  type LalSymbols,
  sequenceOf,
  takeError,
} from "./lal-binding.ts";
import type { WaveformParameters } from "./source.ts";

export type Mode = readonly [l: number, m: number];

/** LAL_MSUN_SI in kg: the nominal solar mass parameter (IAU 2015) over G (CODATA 2018). */
const SOLAR_MASS = 1.9884098706980507e30;
/** LAL_PC_SI in m. */
const PARSEC = 30856775814913670;
const DISTANCE = 1e6 * PARSEC;

/** What LAL says when it makes no waveform. */
export class LalFailure extends Error {}

export interface GeneratorSettings {
  readonly lal: Lal;
  /** LAL's number of the approximant. */
  readonly approximant: number;
  readonly f: Float64Array;
  readonly f_ref: number;
  readonly phenomXPrecVersion: number | null;
}

/** One a thread. Its frequencies and settings stay allocated: it lives as long as its thread. */
export class LalGenerator {
  readonly n_b: number;
  private readonly series = new AddressPair();
  private readonly sequence: Address;
  private readonly settings: GeneratorSettings;
  private readonly lal: Lal;
  private readonly symbols: LalSymbols;

  constructor(settings: GeneratorSettings) {
    this.settings = settings;
    this.lal = settings.lal;
    this.symbols = settings.lal.symbols;
    this.n_b = settings.f.length;
    this.sequence = sequenceOf(settings.lal, settings.f);
    if (!this.sequence) throw new LalFailure(takeError(settings.lal));
  }

  /**
   * h+ and hx of one mode at 1 Mpc to hp_bc, hc_bc (real and imaginary part). Spins with the line of sight in the y-z plane, as LAL
   * has them at phi_ref 0; phi_ref turns the orbit, and with it the spins.
   * @throws LalFailure
   */
  polarizations(
    mode: Mode,
    parameters: WaveformParameters,
    phi_ref: number,
    hp_bc: Float64Array,
    hc_bc: Float64Array,
  ): void {
    // LAL adds to the settings what follows from the tides: a sample must not find those of another. Making them takes a microsecond.
    const settings = this.createSettings(mode, parameters.l1, parameters.l2);
    const { lal, symbols, series } = this;
    series.clear();
    const status = this.choose(settings, parameters, phi_ref);
    const hp = series.get(0);
    const hc = series.get(1);
    const copied = status === 0 && hp && hc && copySeries(lal, hp, hp_bc) && copySeries(lal, hc, hc_bc);
    if (hp) symbols.XLALDestroyCOMPLEX16FrequencySeries(hp);
    if (hc) symbols.XLALDestroyCOMPLEX16FrequencySeries(hc);
    symbols.XLALDestroyDict(settings);
    if (status !== 0) throw new LalFailure(takeError(lal));
    if (!copied) throw new LalFailure(`not one number for each of ${this.n_b} frequencies`);
  }

  private choose(settings: Address, p: WaveformParameters, phi_ref: number): number {
    const { series } = this;
    return this.symbols.XLALSimInspiralChooseFDWaveformSequence(
      series.first,
      series.second,
      phi_ref,
      p.m1 * SOLAR_MASS,
      p.m2 * SOLAR_MASS,
      p.s1x_n,
      p.s1y_n,
      p.s1z,
      p.s2x_n,
      p.s2y_n,
      p.s2z,
      this.settings.f_ref,
      DISTANCE,
      p.iota,
      settings,
      this.settings.approximant,
      this.sequence,
    );
  }

  /** For a waveform of this mode alone. @throws LalFailure */
  private createSettings([l, m]: Mode, l1: number, l2: number): Address {
    const { lal, symbols } = this;
    const { phenomXPrecVersion } = this.settings;
    const dictionary = symbols.XLALCreateDict() as Address;
    const modes = symbols.XLALSimInspiralCreateModeArray() as Address;
    let failed = !dictionary || !modes || !symbols.XLALSimInspiralModeArrayActivateMode(modes, l, m);
    failed ||= symbols.XLALSimInspiralWaveformParamsInsertModeArray(dictionary, modes) !== 0;
    failed ||= symbols.XLALSimInspiralWaveformParamsInsertTidalLambda1(dictionary, l1) !== 0;
    failed ||= symbols.XLALSimInspiralWaveformParamsInsertTidalLambda2(dictionary, l2) !== 0;
    if (phenomXPrecVersion !== null)
      failed ||=
        symbols.XLALSimInspiralWaveformParamsInsertPhenomXPrecVersion(dictionary, phenomXPrecVersion) !== 0;
    symbols.XLALDestroyValue(modes);
    if (!failed) return dictionary;
    symbols.XLALDestroyDict(dictionary);
    throw new LalFailure(takeError(lal));
  }
}
