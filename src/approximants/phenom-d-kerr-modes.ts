/**
 * Frequencies of the least damped l = m = 2 quasi-normal mode of Kerr black holes by continued fractions: Leaver,
 * Proc. R. Soc. Lond. A 402, 285 (1985), equations 19 to 21 (angular) and 23 to 27 (radial), there with 2M = 1.
 */

/** A mode's M omega = re + i im (im < 0: it decays), for a spin of 0 to below 1; negative: a retrograde mode. */
export interface KerrMode {
  readonly spin: number;
  readonly re: number;
  readonly im: number;
}

interface Complex {
  readonly re: number;
  readonly im: number;
}

/** Spin weight and azimuthal number. */
const S = -2;
const M = 2;
/** Leaver's k1 = |m - s|/2, k2 = |m + s|/2. */
const K1 = Math.abs(M - S) / 2;
const K2 = Math.abs(M + S) / 2;
const L = 2;

/** Schwarzschild: 2M omega (Leaver, table 1). */
const START: Complex = { re: 0.747343, im: -0.177925 };
const ANGULAR_TERMS = 16;
/** Times 1/sqrt(1 - spin^2): with three times as many no frequency changes by 1e-11 (the retrograde ones need them). */
const RADIAL_TERMS = 100;
const TOLERANCE = 1e-12;
const MAX_STEPS = 60;

const add = (x: Complex, y: Complex): Complex => ({ re: x.re + y.re, im: x.im + y.im });
const subtract = (x: Complex, y: Complex): Complex => ({ re: x.re - y.re, im: x.im - y.im });
const times = (x: Complex, y: Complex): Complex => ({
  re: x.re * y.re - x.im * y.im,
  im: x.re * y.im + x.im * y.re,
});
const scale = (x: Complex, k: number): Complex => ({ re: k * x.re, im: k * x.im });
const timesI = (x: Complex, k: number): Complex => ({ re: -k * x.im, im: k * x.re });
const plus = (x: Complex, k: number): Complex => ({ re: x.re + k, im: x.im });
const real = (re: number): Complex => ({ re, im: 0 });

function over(x: Complex, y: Complex): Complex {
  const norm = y.re * y.re + y.im * y.im;
  return { re: (x.re * y.re + x.im * y.im) / norm, im: (x.im * y.re - x.re * y.im) / norm };
}

/** c[0] + c[1] n + c[2] n^2. */
type Quadratic = readonly [Complex, Complex, Complex];

/** alpha_n a_(n+1) + beta_n a_n + gamma_n a_(n-1) = 0. */
interface Recurrence {
  readonly alpha: Quadratic;
  readonly beta: Quadratic;
  readonly gamma: Quadratic;
}

/** beta_0 - alpha_0 gamma_1/(beta_1 - alpha_1 gamma_2/(beta_2 - ...)): zero where the recurrence has a minimal solution. */
function continuedFraction({ alpha, beta, gamma }: Recurrence, terms: number): Complex {
  const [a0, a1, a2] = alpha;
  const [b0, b1, b2] = beta;
  const [g0, g1, g2] = gamma;
  let re = 0;
  let im = 0;
  for (let n = terms; n > 0; n--) {
    const k = n - 1;
    const ar = a0.re + k * (a1.re + k * a2.re);
    const ai = a0.im + k * (a1.im + k * a2.im);
    const gr = g0.re + n * (g1.re + n * g2.re);
    const gi = g0.im + n * (g1.im + n * g2.im);
    const br = b0.re + n * (b1.re + n * b2.re) - re;
    const bi = b0.im + n * (b1.im + n * b2.im) - im;
    const pr = ar * gr - ai * gi;
    const pi = ar * gi + ai * gr;
    const norm = br * br + bi * bi;
    re = (pr * br + pi * bi) / norm;
    im = (pi * br - pr * bi) / norm;
  }
  return { re: b0.re - re, im: b0.im - im };
}

/** @param c a omega @param A Leaver's separation constant A_lm */
function angularRecurrence(c: Complex, A: Complex): Recurrence {
  const k = K1 + K2;
  const constant = subtract(
    subtract(real(k * (k + 1) - S * (S + 1)), scale(c, 2 * (2 * K1 + S + 1))),
    add(times(c, c), A),
  );
  return {
    alpha: [real(-2 * (2 * K1 + 1)), real(-2 * (2 * K1 + 2)), real(-2)],
    beta: [constant, plus(scale(c, -4), 2 * k + 1), real(1)],
    gamma: [scale(c, 2 * (k + S)), scale(c, 2), real(0)],
  };
}

/** @param a spin/2 @param w 2M omega */
function radialRecurrence(a: number, w: Complex, A: Complex): Recurrence {
  const b = Math.sqrt(1 - 4 * a * a);
  const d = scale(plus(scale(w, 0.5), -a * M), 1 / b);
  const w2 = times(w, w);
  const e = times({ re: 4 * w.re, im: 4 * w.im + 2 }, d);
  const c0 = plus(subtract(timesI(w, -1), timesI(d, 2)), 1 - S);
  const c1 = plus(add(timesI(w, 2 * (2 + b)), timesI(d, 4)), -4);
  const c2 = plus(subtract(timesI(w, -3), timesI(d, 2)), S + 3);
  const c3 = add(
    subtract(plus(scale(w2, 4 + 2 * b - a * a), -S - 1), add(scale(w, 2 * a * M), A)),
    add(timesI(w, 2 + b), e),
  );
  const c4 = subtract(plus(subtract(scale(w2, -2), timesI(w, 2 * S + 3)), S + 1), e);
  return {
    alpha: [c0, plus(c0, 1), real(1)],
    beta: [c3, plus(c1, 2), real(-2)],
    gamma: [plus(subtract(c4, c2), 2), plus(c2, -3), real(1)],
  };
}

/** The separation constant: the residual is -A plus what hardly depends on A, so adding it converges. */
function separationConstant(c: Complex, start: Complex): Complex {
  let A = start;
  for (let step = 0; step < MAX_STEPS; step++) {
    const residual = continuedFraction(angularRecurrence(c, A), ANGULAR_TERMS);
    A = add(A, residual);
    if (Math.abs(residual.re) + Math.abs(residual.im) < TOLERANCE) break;
  }
  return A;
}

/** The mode at `spin` by the secant method, from a nearby 2M omega. */
function refine(spin: number, near: Complex): Complex {
  const a = spin / 2;
  const terms = Math.ceil(RADIAL_TERMS / Math.sqrt(1 - spin * spin));
  let A = real(L * (L + 1) - S * (S + 1));
  const residualAt = (w: Complex): Complex => {
    A = separationConstant(scale(w, a), A);
    return continuedFraction(radialRecurrence(a, w, A), terms);
  };
  let [before, w] = [scale(near, 1 + 1e-5), near];
  let residualBefore = residualAt(before);
  for (let n = 0; n < MAX_STEPS; n++) {
    const residual = residualAt(w);
    const move = over(times(residual, subtract(w, before)), subtract(residual, residualBefore));
    [before, residualBefore, w] = [w, residual, subtract(w, move)];
    if (Math.abs(move.re) + Math.abs(move.im) < TOLERANCE) break;
  }
  return w;
}

/**
 * The modes at these spins, followed from one spin to the next: steps of at most about 0.01 below |spin| = 0.99 and finer above.
 * @param spins from the one nearest to 0 outwards, |spin| < 1
 */
export function kerrModes(spins: readonly number[]): KerrMode[] {
  let w = START;
  return spins.map((spin) => {
    w = refine(spin, w);
    return { spin, re: w.re / 2, im: w.im / 2 };
  });
}
