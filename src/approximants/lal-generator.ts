/** Polarizations of one approximant of LALSimulation at fixed frequencies. */
import type { Pointer } from "bun:ffi";
import { type Address, AddressPair, copySeries, type Lal, sequenceOf, takeError } from "./lal-binding.ts";
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

  constructor(settings: GeneratorSettings) {
    this.settings = settings;
    this.n_b = settings.f.length;
    this.sequence = sequenceOf(settings.lal, settings.f);
    if (!this.sequence) throw new LalFailure(takeError(settings.lal));
  }

  /** The settings of a waveform of one mode alone, to be freed with `destroySettings`. @throws LalFailure */
  createSettings([l, m]: Mode, l1: number, l2: number): Address {
    const { lal, phenomXPrecVersion } = this.settings;
    const c = lal.symbols;
    const dictionary = c.XLALCreateDict() as Address;
    const modes = c.XLALSimInspiralCreateModeArray() as Address;
    let failed = !dictionary || !modes || !c.XLALSimInspiralModeArrayActivateMode(modes, l, m);
    failed ||= c.XLALSimInspiralWaveformParamsInsertModeArray(dictionary, modes) !== 0;
    failed ||= c.XLALSimInspiralWaveformParamsInsertTidalLambda1(dictionary, l1) !== 0;
    failed ||= c.XLALSimInspiralWaveformParamsInsertTidalLambda2(dictionary, l2) !== 0;
    if (phenomXPrecVersion !== null)
      failed ||=
        c.XLALSimInspiralWaveformParamsInsertPhenomXPrecVersion(dictionary, phenomXPrecVersion) !== 0;
    c.XLALDestroyValue(modes);
    if (failed) {
      c.XLALDestroyDict(dictionary);
      throw new LalFailure(takeError(lal));
    }
    return dictionary;
  }

  destroySettings(dictionary: Address): void {
    this.settings.lal.symbols.XLALDestroyDict(dictionary);
  }

  /**
   * h+ and hx at 1 Mpc to hp_bc, hc_bc (real and imaginary part). Spins with the line of sight in the y-z plane, as LAL has them at
   * phi_ref 0; phi_ref turns the orbit, and with it the spins.
   * @throws LalFailure
   */
  polarizations(
    dictionary: Address,
    p: WaveformParameters,
    phi_ref: number,
    hp_bc: Float64Array,
    hc_bc: Float64Array,
  ): void {
    const { lal, approximant, f_ref } = this.settings;
    const c = lal.symbols;
    const { series } = this;
    series.clear();
    const status = c.XLALSimInspiralChooseFDWaveformSequence(
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
      f_ref,
      DISTANCE,
      p.iota,
      dictionary,
      approximant,
      this.sequence,
    );
    const hp = series.get(0);
    const hc = series.get(1);
    const copied = status === 0 && hp && hc && copySeries(lal, hp, hp_bc) && copySeries(lal, hc, hc_bc);
    this.destroySeries(hp);
    this.destroySeries(hc);
    if (status !== 0) throw new LalFailure(takeError(lal));
    if (!copied) throw new LalFailure(`not one number for each of ${this.n_b} frequencies`);
  }

  private destroySeries(series: Pointer): void {
    if (series) this.settings.lal.symbols.XLALDestroyCOMPLEX16FrequencySeries(series);
  }
}
