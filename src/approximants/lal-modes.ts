/** Which modes an approximant of LALSimulation has, and whether LAL gives them one by one. */
import { DotpeError } from "../errors.ts";
import { type GeneratorSettings, LalFailure, LalGenerator, type Mode } from "./lal-generator.ts";
import type { WaveformParameters } from "./source.ts";

/** As the reference has them (cogwheel's approximants); others: (2, 2). */
const DEFAULT_MODES: Readonly<Record<string, readonly Mode[]>> = {
  IMRPhenomXPHM: [
    [2, 2],
    [2, 1],
    [3, 3],
    [3, 2],
    [4, 4],
  ],
};
const QUADRUPOLE: Mode = [2, 2];

export function defaultModes(approximant: string): readonly Mode[] {
  return DEFAULT_MODES[approximant] ?? [QUADRUPOLE];
}

/** Frequencies that are tried. */
const N_TRIED = 8;
/** rad: the orbit is turned by so much, and the mode (l, m) by m times as much. */
const TURN = 0.3;
/** Of the largest number: precessing models differ by 3e-4 where there is no spin. A few per cent are in other modes. */
const SAME = 2e-3;

/** Binary black holes, neutron stars, one of each: an approximant may know one kind only. Without spins, which not all have. */
const SYSTEMS: readonly WaveformParameters[] = [
  { m1: 40, m2: 20, l1: 0, l2: 0 },
  { m1: 1.6, m2: 1.3, l1: 300, l2: 600 },
  { m1: 7, m2: 1.4, l1: 0, l2: 400 },
].map((system) => ({ ...system, s1x_n: 0, s1y_n: 0, s1z: 0, s2x_n: 0, s2y_n: 0, s2z: 0, iota: 1 }));

/**
 * Makes each mode of a few systems alone. A mode (l, m) must turn with the orbit as m does, and no mode but (2, 2) may be equal to
 * (2, 2): an approximant that takes no notice of the choice of modes would give the same waveform for all.
 * @throws DotpeError badData where there is no waveform in the band; usage for modes that it does not have, or LAL does not give alone
 */
export function checkModes(name: string, settings: GeneratorSettings, modes: readonly Mode[]): void {
  const generator = new LalGenerator({ ...settings, f: someOf(settings.f) });
  const failures = new Map<string, string[]>();
  let missing: { readonly mode: Mode; readonly why: string } | undefined;
  for (const system of SYSTEMS) {
    const quadrupole = modeOf(generator, system, QUADRUPOLE, 0);
    if (quadrupole instanceof LalFailure || largest(quadrupole) === 0) {
      const why = quadrupole instanceof LalFailure ? quadrupole.message : "no signal in the band";
      failures.set(why, [...(failures.get(why) ?? []), `${system.m1} + ${system.m2}`]);
      continue;
    }
    missing = undefined;
    for (const mode of modes) {
      const made = modeOf(generator, system, mode, 0);
      const turned = modeOf(generator, system, mode, TURN);
      if (made instanceof LalFailure || turned instanceof LalFailure || largest(made) === 0) {
        missing ??= { mode, why: made instanceof LalFailure ? made.message : "0 at all frequencies" };
        continue;
      }
      const other = mode[0] !== 2 || Math.abs(mode[1]) !== 2;
      if (!isTurned(made, turned, mode[1]) || (other && isEqual(made, quadrupole)))
        throw notAlone(name, settings, mode);
    }
    if (missing === undefined) return;
  }
  const { version } = settings.lal;
  if (missing !== undefined)
    throw new DotpeError(
      "usage",
      `${name}: LALSimulation ${version} makes no mode ${textOf(missing.mode)}: ${missing.why}`,
      "Choose modes that this approximant has.",
    );
  throw new DotpeError(
    "badData",
    `${name}: LALSimulation ${version} makes no waveform: ${[...failures].map(([why, masses]) => `${why} (${masses.join(", ")} Msun)`).join(", ")}`,
    "Choose a band with signal in it, or another approximant: some need data files ($LAL_DATA_PATH), some cannot be had at given frequencies.",
  );
}

function notAlone(name: string, { lal }: GeneratorSettings, mode: Mode): DotpeError {
  return new DotpeError(
    "usage",
    `${name}: LALSimulation ${lal.version} does not give its mode ${textOf(mode)} alone, which a bank by m needs`,
    "Choose another approximant, or other modes.",
  );
}

const textOf = ([l, m]: Mode) => `(${l}, ${m})`;

function someOf(f: Float64Array): Float64Array {
  const steps = Math.min(N_TRIED, f.length) - 1;
  return Float64Array.from(
    { length: steps + 1 },
    (_, k) => f[Math.round((k * (f.length - 1)) / (steps || 1))],
  );
}

/** h+ and hx, one after the other, real and imaginary parts. */
function modeOf(
  generator: LalGenerator,
  system: WaveformParameters,
  mode: Mode,
  phi_ref: number,
): Float64Array | LalFailure {
  const h_pbc = new Float64Array(4 * generator.n_b);
  const half = h_pbc.length / 2;
  try {
    generator.polarizations(mode, system, phi_ref, h_pbc.subarray(0, half), h_pbc.subarray(half));
    return h_pbc;
  } catch (error) {
    if (error instanceof LalFailure) return error;
    throw error;
  }
}

function largest(h: Float64Array): number {
  return h.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
}

/** Whether `turned` is h exp(i m TURN), of either sign. */
function isTurned(h: Float64Array, turned: Float64Array, m: number): boolean {
  return [1, -1].some((sign) => {
    const re = Math.cos(m * TURN);
    const im = sign * Math.sin(m * TURN);
    const expected = h.map((value, k) =>
      k % 2 === 0 ? value * re - h[k + 1] * im : value * re + h[k - 1] * im,
    );
    return isEqual(turned, expected);
  });
}

function isEqual(h: Float64Array, other: Float64Array): boolean {
  return largest(h.map((value, k) => value - other[k])) <= SAME * largest(other);
}
