/** The intrinsic samples of a new bank. */
import { spinsFromAngles } from "../approximants/spin-frame.ts";
import { type BankSamples, OPTIONAL_COLUMNS, SAMPLE_COLUMNS } from "../gw/bank.ts";
import {
  componentMasses,
  type Density,
  type MassRange,
  powerLaw,
  uniformLnq,
  uniformMassesLnq,
} from "../gw/mass-prior.ts";
import { ScrambledHalton } from "../gw/qmc.ts";
import { STREAMS } from "../gw/random.ts";
import { alignedSpins, ISOTROPIC, magnitudeAndTilt, towardsFaceOn } from "../gw/spin-prior.ts";
import { sharedF64 } from "../workers/arena.ts";

/** prior: nothing is weighted. log: uniform in ln mchirp and ln q, as dot_pe draws its banks. power: mchirp^A. */
export const MASS_DRAWS = ["log", "prior", "power"] as const;

export interface DrawOptions extends MassRange {
  readonly n: number;
  readonly seed: number;
  readonly draw: (typeof MASS_DRAWS)[number];
  /** The power of `draw: "power"`. */
  readonly mchirpPower: number;
  /** null: isotropic. */
  readonly incFaceonFactor: number | null;
  /** Hz, at which spins are given. */
  readonly fRef: number;
  /** No spin in the orbital plane. */
  readonly aligned: boolean;
}

const MASSES_UNIFORM = 1;
/** Points of the sequence that are made at once. */
const PIECE = 4096;
const N_ALIGNED = 5;
const N_PRECESSING = 9;

/**
 * Draws n samples along a scrambled Halton sequence. log_prior_weights is ln(prior / density of the draw), where the prior is
 * cogwheel's IntrinsicIASPrior within the range of masses: their product is the prior's distribution.
 */
export function drawSamples(options: DrawOptions): BankSamples {
  const { n, seed, aligned } = options;
  const names = [...SAMPLE_COLUMNS, ...OPTIONAL_COLUMNS];
  const samples = Object.fromEntries(names.map((name) => [name, sharedF64(n)])) as BankSamples;
  const sequence = new ScrambledHalton(aligned ? N_ALIGNED : N_PRECESSING, seed, STREAMS.bank);
  const masses = massDraw(options);
  const inclination = options.incFaceonFactor === null ? ISOTROPIC : towardsFaceOn(options.incFaceonFactor);
  for (let first = 0; first < n; first += PIECE) {
    const n_piece = Math.min(PIECE, n - first);
    const u_kq = sequence.points(first, n_piece);
    for (let q = 0; q < n_piece; q++) {
      const u = (k: number) => u_kq[k * n_piece + q];
      const logWeight = drawMasses(samples, first + q, masses, u(0), u(1));
      const { s1z, s2z } = alignedSpins(u(2), u(3), samples.m2[first + q] / samples.m1[first + q]);
      samples.s1z[first + q] = s1z;
      samples.s2z[first + q] = s2z;
      const theta = inclination.theta(u(4));
      samples.log_prior_weights[first + q] = logWeight + inclination.logWeight(theta);
      if (aligned) samples.iota[first + q] = theta;
      else precess(samples, first + q, options.fRef, theta, u);
    }
  }
  return samples;
}

interface MassDraw {
  readonly mchirp: Density;
  readonly lnq: Density;
  readonly prior: { readonly mchirp: Density; readonly lnq: Density };
}

function massDraw({ mchirp, q, draw, mchirpPower }: DrawOptions): MassDraw {
  const prior = { mchirp: powerLaw(mchirp, MASSES_UNIFORM), lnq: uniformMassesLnq(q) };
  if (draw === "prior") return { ...prior, prior };
  if (draw === "power") return { mchirp: powerLaw(mchirp, mchirpPower), lnq: prior.lnq, prior };
  return { mchirp: powerLaw(mchirp, -1), lnq: uniformLnq(q), prior };
}

/** @returns ln(prior / density) */
function drawMasses(samples: BankSamples, i: number, draw: MassDraw, u: number, v: number): number {
  const mchirp = draw.mchirp.draw(u);
  const lnq = draw.lnq.draw(v);
  const { m1, m2 } = componentMasses(mchirp, lnq);
  samples.m1[i] = m1;
  samples.m2[i] = m2;
  return (
    (draw.mchirp === draw.prior.mchirp
      ? 0
      : draw.prior.mchirp.logDensity(mchirp) - draw.mchirp.logDensity(mchirp)) +
    (draw.lnq === draw.prior.lnq ? 0 : draw.prior.lnq.logDensity(lnq) - draw.lnq.logDensity(lnq))
  );
}

/** Adds the spins in the orbital plane to sample i, and its inclination of L from that of J. */
function precess(
  samples: BankSamples,
  i: number,
  fRef: number,
  theta: number,
  u: (k: number) => number,
): void {
  const one = magnitudeAndTilt(u(7), samples.s1z[i]);
  const two = magnitudeAndTilt(u(8), samples.s2z[i]);
  // The azimuth is counted from the other side where J points away: mirror solutions lie together.
  const phi_jl = (2 * Math.PI * u(5) + (Math.cos(theta) < 0 ? Math.PI : 0)) % (2 * Math.PI);
  const phi12 = 2 * Math.PI * u(6);
  const { m1, m2 } = samples;
  const spins = spinsFromAngles(
    theta,
    phi_jl,
    one.tilt,
    two.tilt,
    phi12,
    one.chi,
    two.chi,
    m1[i],
    m2[i],
    fRef,
  );
  for (const name of ["iota", "s1x_n", "s1y_n", "s1z", "s2x_n", "s2y_n", "s2z"] as const)
    samples[name][i] = spins[name];
}
