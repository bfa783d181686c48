/**
 * The black hole that is left, and how it rings. Spin and radiated energy are fits to numerical relativity (Husa et al.,
 * arXiv:1508.07250, equations 3.6 to 3.8), the ringing is that of Kerr black holes (`phenom-d-kerr-modes.ts`).
 */
import { type KerrMode, kerrModes } from "./phenom-d-kerr-modes.ts";

/** An aligned-spin binary without its total mass: m1 >= m2. */
export interface Binary {
  /** Symmetric mass ratio m1 m2/(m1 + m2)^2. */
  readonly eta: number;
  /** (m1 - m2)/(m1 + m2). */
  readonly delta: number;
  readonly chi1: number;
  readonly chi2: number;
}

/** Frequencies times the mass (G = c = 1): the initial total mass of a binary. */
export interface Ringdown {
  readonly fRing: number;
  /** 1/(2 pi damping time). */
  readonly fDamp: number;
}

/** S1 + S2 in units of the total mass squared. */
function totalSpin({ delta, chi1, chi2 }: Binary): number {
  return ((1 + delta) ** 2 * chi1 + (1 - delta) ** 2 * chi2) / 4;
}

/** The dimensionless spin of the final black hole, along the orbital angular momentum. */
export function finalSpin(binary: Binary): number {
  const { eta } = binary;
  const s = totalSpin(binary);
  const withoutSpin =
    eta *
    (2 * Math.sqrt(3) + eta * (-4.399247300629289 + eta * (9.397292189321194 - eta * 13.180949901606242)));
  const linear = 1 + eta * (-0.0850917821418767 - eta * 5.837029316602263);
  const quadratic = eta * (0.1014665242971878 - eta * 2.0967746996832157);
  const cubic = eta * (-1.3546806617824356 + eta * 4.108962025369336);
  const quartic = eta * (-0.8676969352555539 + eta * 2.064046835273906);
  return withoutSpin + s * (linear + s * (quadratic + s * (cubic + s * quartic)));
}

/** The radiated energy over the initial mass. */
export function radiatedEnergy(binary: Binary): number {
  const { eta, delta } = binary;
  // m1^2 + m2^2 = (1 + delta^2)/2
  const s = (2 * totalSpin(binary)) / (1 + delta * delta);
  const withoutSpin =
    eta *
    (0.055974469826360077 +
      eta * (0.5809510763115132 + eta * (-0.9606726679372312 + eta * 3.352411249771192)));
  const numerator = 1 + s * (-0.0030302335878845507 + eta * (-2.0066110851351073 + eta * 7.7050567802399215));
  const denominator = 1 + s * (-0.6714403054720589 + eta * (-1.4756929437702908 + eta * 7.304676214885011));
  return (withoutSpin * numerator) / denominator;
}

/** Ringing of the final black hole, by a table over its spin that is made at the first call (30 ms). */
export function ringdown(binary: Binary): Ringdown {
  table ??= ringdownTable();
  const spin = finalSpin(binary);
  const finalMass = 1 - radiatedEnergy(binary);
  return {
    fRing: splineAt(table.spins, table.fRing, spin) / finalMass,
    fDamp: splineAt(table.spins, table.fDamp, spin) / finalMass,
  };
}

/** A natural cubic spline: values and second derivatives at the knots. */
interface NaturalSpline {
  readonly y: readonly number[];
  readonly bend: Float64Array;
}

/** Of a black hole with mass 1. */
interface Knot extends Ringdown {
  readonly spin: number;
}

interface RingdownTable {
  readonly spins: Float64Array;
  readonly fRing: NaturalSpline;
  readonly fDamp: NaturalSpline;
}

let table: RingdownTable | undefined;

/** Knots lie 1/KNOTS_PER_UNIT apart. */
const KNOTS_PER_UNIT = 500;
const RETROGRADE_END: readonly Knot[] = [{ spin: -1, fRing: 0.0464014, fDamp: 0.0140098 }];
/** Where the mode hardly decays LALSimulation's values are up to 1e-6 off those of Kerr; at 1 there is no mode. */
const PROGRADE_END: readonly Knot[] = [
  { spin: 0.996, fRing: 0.1456111, fDamp: 0.0031618 },
  { spin: 0.998, fRing: 0.1493707, fDamp: 0.0023131 },
  { spin: 0.999, fRing: 0.1521282, fDamp: 0.0016762 },
  { spin: 1, fRing: 0.1579619, fDamp: 0.0002908 },
];

/**
 * M f over the spin from -1 to 1. LALSimulation interpolates these modes at these knots rounded to six digits. That
 * changes h, by 4e-6 of itself at the median and 1e-3 far above the ringdown; so they are rounded here too.
 */
function ringdownTable(): RingdownTable {
  const outwards = Array.from({ length: KNOTS_PER_UNIT }, (_, k) => k / KNOTS_PER_UNIT);
  const prograde = kerrModes(outwards.filter((spin) => spin < PROGRADE_END[0].spin));
  const retrograde = kerrModes([...outwards, 0.999].map((spin) => -spin));
  const modes = [...retrograde.slice(1).reverse(), ...prograde].map(roundedKnot);
  const knots = [...RETROGRADE_END, ...modes, ...PROGRADE_END];
  const spins = Float64Array.from(knots, ({ spin }) => spin);
  const columnOf = (name: keyof Ringdown) =>
    naturalSpline(
      spins,
      knots.map((knot) => knot[name]),
    );
  return {
    spins,
    fRing: columnOf("fRing"),
    fDamp: columnOf("fDamp"),
  };
}

function roundedKnot({ spin, re, im }: KerrMode): Knot {
  const rounded = (omega: number) => Number((omega / (2 * Math.PI)).toPrecision(6));
  return { spin, fRing: rounded(re), fDamp: rounded(-im) };
}

function naturalSpline(x: Float64Array, y: readonly number[]): NaturalSpline {
  const n = x.length;
  const bend = new Float64Array(n);
  const upper = new Float64Array(n);
  for (let j = 1; j < n - 1; j++) {
    const left = x[j] - x[j - 1];
    const right = x[j + 1] - x[j];
    const kink = 6 * ((y[j + 1] - y[j]) / right - (y[j] - y[j - 1]) / left);
    const pivot = 2 * (left + right) - left * upper[j - 1];
    upper[j] = right / pivot;
    bend[j] = (kink - left * bend[j - 1]) / pivot;
  }
  for (let j = n - 2; j > 0; j--) bend[j] -= upper[j] * bend[j + 1];
  return { y, bend };
}

function splineAt(x: Float64Array, { y, bend }: NaturalSpline, point: number): number {
  let j = 0;
  let end = x.length - 1;
  while (end - j > 1) {
    const middle = (j + end) >> 1;
    if (x[middle] <= point) j = middle;
    else end = middle;
  }
  const width = x[end] - x[j];
  const t = (point - x[j]) / width;
  const u = 1 - t;
  const sag = (u * u * u - u) * bend[j] + (t * t * t - t) * bend[end];
  return u * y[j] + t * y[end] + (sag * width * width) / 6;
}
