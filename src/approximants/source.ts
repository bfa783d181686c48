/** Where waveforms come from: what every approximant offers, and which one is behind a name. */

/** An intrinsic sample: masses in Msun (detector frame), spins with L along z and the line of sight in the y-z plane, iota in rad. */
export interface WaveformParameters {
  readonly m1: number;
  readonly m2: number;
  readonly s1z: number;
  readonly s1x_n: number;
  readonly s1y_n: number;
  readonly s2z: number;
  readonly s2x_n: number;
  readonly s2y_n: number;
  readonly iota: number;
  /** Tidal deformabilities. */
  readonly l1: number;
  readonly l2: number;
}

/** A plain object: it is sent to every thread, which opens its own source. */
export interface WaveformRequest {
  readonly approximant: string;
  /** Hz, increasing: where the waveforms are wanted. */
  readonly f: Float64Array;
  /** Hz, at which the spins are given and the phase refers to. */
  readonly f_ref: number;
  /** null: those that the approximant has. */
  readonly harmonic_modes: readonly (readonly [l: number, m: number])[] | null;
  /** How LALSimulation's IMRPhenomX models precess, e.g. 102 for the next-to-next-to-leading order; null: its default. */
  readonly phenomXPrecVersion: number | null;
  /** The LALSimulation library to use; null: what is built in. */
  readonly lal: string | null;
}

/** Makes the waveforms of one request. One a thread. */
export interface WaveformSource {
  /** What made them, for bank_config.json: a program and its version. */
  readonly maker: string;
  /** `WaveformRequest.lal` with which other threads open the same, without looking for it. */
  readonly lal: string | null;
  readonly harmonic_modes: readonly (readonly [l: number, m: number])[];
  /** The m of the modes in order of first appearance: the m axis. */
  readonly m_arr: readonly number[];
  /** Spin components in the orbital plane must be zero. */
  readonly alignedSpins: boolean;
  /**
   * Writes h = amplitude exp(i phase) at 1 Mpc and phi_ref 0, summed over l: two arrays (m, p, b), phases unwrapped along b from a
   * first one in (-pi, pi].
   * @throws DotpeError badData naming the parameters for which there is no waveform.
   */
  fill(parameters: WaveformParameters, amplitude_mpb: Float64Array, phase_mpb: Float64Array): void;
}
