/** What can be wrong with the numbers of one waveform. */
import { N_POLARIZATIONS } from "../gw/bank.ts";
import { inspiralSeries } from "../gw/taylor-f2.ts";

/** A fault of one sample: its mode (position), polarization and bin, and how large it is. */
export interface Fault {
  readonly m: number;
  readonly p: number;
  readonly b: number;
  /** notFinite, negative: the number. zero: 0. step: rad from bin b to b + 1. jump: see `RowChecker`. */
  readonly value: number;
}

/** By kind, at most one fault a sample: the first, of steps and jumps the largest. */
export interface Faults {
  notFinite: Fault | null;
  negative: Fault | null;
  zero: Fault | null;
  step: Fault | null;
  jump: Fault | null;
}

export type FaultKind = keyof Faults;
export const FAULT_KINDS = ["notFinite", "negative", "zero", "step", "jump"] as const satisfies FaultKind[];

/**
 * A phase may go by this much from bin to bin (rad), or by this much more or less than the inspiral's, which turns many times
 * between the bins of a light system: phases that were unwrapped go by less than pi, packed ones nearly.
 */
export const MAX_STEP = Math.PI + 0.25;
/**
 * A phase counts where the amplitude (times f^(7/6)) is more than this share of the largest of its row, and of the sample: packed
 * waveforms keep little of what is fainter.
 */
const FAINT_STEP = 1e-3;
const FAINT_JUMP = 0.02;
const FAINT_IN_SAMPLE = 2e-3;
/** Two straight lines through the waveform before and after an interval miss each other by this share of it. */
export const SUSPICIOUS_JUMP = 1;
/** Where the slope of the phase differs from its neighbours' by this much (rad), the jump is computed. */
const UNUSUAL = 0.5;
/** Slopes to either side that say how fast the waveform turns. */
const REACH = 6;

const TWO_PI = 2 * Math.PI;
const PER_TURN = 1 / TWO_PI;

/**
 * Looks at the rows (m, p) of one sample after the other. One a thread; no allocation but for faults.
 *
 * Phases jump in good waveforms too: at low frequencies modes turn by more than pi from bin to bin, so that unwrapping is
 * arbitrary, and precession leads a polarization near zero, where its phase turns at once. So a jump is looked for in the
 * complex number: of u = A f^(7/6) exp(i (phase - inspiral's)), turned back by the median slope of its phase around, the
 * straight lines through the two values before an interval and the two after it should meet in its middle. The jump is
 * their distance over the largest of the four |u|: at most 0.3 where the waveform is smooth between bins (99.9% of the
 * rows of IMRPhenomXPHM banks), 2 sin(x / 2) for a phase that is off by x from there on.
 */
export class RowChecker {
  private readonly df_b: Float64Array;
  /** f^(7/6) */
  private readonly flat_b: Float64Array;
  /** f^(1/3), ln f */
  private readonly x_b: Float64Array;
  private readonly ln_b: Float64Array;
  /** Of the inspiral's phase, for each mode, from bin b to b + 1. */
  private readonly inspiral_mb: Float64Array;
  private hasInspiral = false;
  private readonly slope_b: Float64Array;
  /** Largest A f^(7/6) of each row. */
  private readonly top_mp: Float64Array;
  /** Intervals to look at again. */
  private readonly unusual_k: Int32Array;
  private readonly sorted = new Float64Array(2 * REACH);
  private readonly line = new Float64Array(8);
  private readonly n_b: number;

  constructor(
    private readonly fbin: Float64Array,
    private readonly mArr: readonly number[],
  ) {
    const n_b = fbin.length;
    this.n_b = n_b;
    this.df_b = Float64Array.from({ length: n_b - 1 }, (_, b) => fbin[b + 1] - fbin[b]);
    this.flat_b = fbin.map((f) => f ** (7 / 6));
    this.x_b = fbin.map(Math.cbrt);
    this.ln_b = fbin.map(Math.log);
    this.inspiral_mb = new Float64Array(mArr.length * (n_b - 1));
    this.slope_b = new Float64Array(n_b - 1);
    this.top_mp = new Float64Array(N_POLARIZATIONS * mArr.length);
    this.unusual_k = new Int32Array(n_b);
  }

  /** Faults of a waveform (m, p, b) that starts at `start` and is finite. @param m1 detector frame, Msun */
  look(
    amplitude: Float64Array,
    phase: Float64Array,
    start: number,
    m1: number,
    m2: number,
    s1z: number,
    s2z: number,
  ): Faults {
    const { n_b, mArr } = this;
    const faults: Faults = { notFinite: null, negative: null, zero: null, step: null, jump: null };
    this.setInspiral(m1, m2, s1z, s2z);
    const { top_mp } = this;
    let loudest = 0;
    for (let m = 0; m < mArr.length; m++) {
      for (let p = 0; p < N_POLARIZATIONS; p++) {
        const mp = N_POLARIZATIONS * m + p;
        const top = this.lookAtAmplitude(faults, amplitude, start + mp * n_b, m, p);
        top_mp[mp] = top;
        if (top > loudest) loudest = top;
        // Times are aligned by the quadrupole's plus: without it nothing can be computed.
        if (top === 0 && p === 0 && mArr[m] === 2) faults.zero ??= { m, p, b: 0, value: 0 };
      }
    }
    const faint = FAINT_IN_SAMPLE * loudest;
    for (let mp = 0; mp < top_mp.length; mp++) {
      if (top_mp[mp] > faint) {
        this.lookAtPhase(faults, amplitude, phase, start + mp * n_b, mp, faint);
      }
    }
    if (loudest === 0) faults.zero ??= { m: 0, p: 0, b: 0, value: 0 };
    return faults;
  }

  /** @returns the largest A f^(7/6) of the row */
  private lookAtAmplitude(
    faults: Faults,
    amplitude: Float64Array,
    row: number,
    m: number,
    p: number,
  ): number {
    const { n_b, flat_b } = this;
    let [top, least] = [0, 0];
    for (let b = 0; b < n_b; b++) {
      const a = amplitude[row + b];
      const flat = a * flat_b[b];
      if (flat > top) top = flat;
      if (a < least) least = a;
    }
    if (least < 0 && faults.negative === null) {
      const b = amplitude.subarray(row, row + n_b).findIndex((a) => a < 0);
      faults.negative = { m, p, b, value: amplitude[row + b] };
    }
    return top;
  }

  private lookAtPhase(
    faults: Faults,
    amplitude: Float64Array,
    phase: Float64Array,
    row: number,
    mp: number,
    faintInSample: number,
  ): void {
    const [m, p] = [mp >> 1, mp & 1];
    const faintStep = Math.max(FAINT_STEP * this.top_mp[mp], faintInSample);
    const faintJump = Math.max(FAINT_JUMP * this.top_mp[mp], faintInSample);
    const { n_b, df_b, flat_b, slope_b, inspiral_mb, unusual_k } = this;
    let n_unusual = 0;
    const model = m * (n_b - 1);
    // The residual step and slope of the interval before, and the slope of the one before that.
    let [before, slope1, slope2] = [0, 0, 0];
    for (let b = 0; b < n_b - 1; b++) {
      const step = phase[row + b + 1] - phase[row + b];
      let rest = step - inspiral_mb[model + b];
      if ((step > MAX_STEP || step < -MAX_STEP) && (rest > MAX_STEP || rest < -MAX_STEP)) {
        const counts =
          amplitude[row + b] * flat_b[b] > faintStep && amplitude[row + b + 1] * flat_b[b + 1] > faintStep;
        if (counts && Math.abs(step) > Math.abs(faults.step?.value ?? 0)) {
          faults.step = { m, p, b, value: step };
        }
      }
      rest -= TWO_PI * Math.floor(rest * PER_TURN + 0.5);
      const slope = rest / df_b[b];
      slope_b[b] = slope;
      if (b >= 2) {
        let unusual = before - 0.5 * df_b[b - 1] * (slope2 + slope);
        unusual -= TWO_PI * Math.floor(unusual * PER_TURN + 0.5);
        if (unusual > UNUSUAL || unusual < -UNUSUAL) unusual_k[n_unusual++] = b - 1;
      }
      slope2 = slope1;
      slope1 = slope;
      before = rest;
    }
    if (!this.hasInspiral) return;
    for (let k = 0; k < n_unusual; k++) {
      const b = unusual_k[k];
      const jump = this.jumpAt(amplitude, phase, row, model, b, faintJump);
      if (jump >= SUSPICIOUS_JUMP && jump > (faults.jump?.value ?? 0)) faults.jump = { m, p, b, value: jump };
    }
  }

  /** See the class; 0 where the waveform is faint. Interval b, of which a neighbour exists on both sides. */
  private jumpAt(
    amplitude: Float64Array,
    phase: Float64Array,
    row: number,
    model: number,
    b: number,
    faint: number,
  ): number {
    const { fbin, flat_b, inspiral_mb, line } = this;
    const size = (k: number) => amplitude[row + k] * flat_b[k];
    if (!(Math.min(size(b), size(b + 1)) > faint)) return 0;
    const slope = this.slopeAround(b);
    let [angle, largest] = [0, 0];
    for (let k = 0; k < 4; k++) {
      const at = b - 1 + k;
      if (k > 0) {
        const step = phase[row + at] - phase[row + at - 1] - inspiral_mb[model + at - 1];
        angle += step - slope * (fbin[at] - fbin[at - 1]);
      }
      const u = size(at);
      if (u > largest) largest = u;
      line[2 * k] = u * Math.cos(angle);
      line[2 * k + 1] = u * Math.sin(angle);
    }
    const half = 0.5 * (fbin[b + 1] - fbin[b]);
    const left = half / (fbin[b] - fbin[b - 1]);
    const right = half / (fbin[b + 2] - fbin[b + 1]);
    const miss = (c: number) =>
      line[2 + c] + (line[2 + c] - line[c]) * left - (line[4 + c] - (line[6 + c] - line[4 + c]) * right);
    return Math.hypot(miss(0), miss(1)) / largest;
  }

  /** Median slope of the phase (rad/Hz) of the intervals around b. */
  private slopeAround(b: number): number {
    const { slope_b, sorted } = this;
    let n = 0;
    for (let k = Math.max(0, b - REACH); k <= Math.min(slope_b.length - 1, b + REACH); k++) {
      if (k !== b) sorted[n++] = slope_b[k];
    }
    return sorted.subarray(0, n).sort()[n >> 1];
  }

  private setInspiral(m1: number, m2: number, s1z: number, s2z: number): void {
    const { mArr, n_b, inspiral_mb, x_b, ln_b } = this;
    this.hasInspiral = m1 > 0 && m2 > 0 && Number.isFinite(s1z + s2z);
    if (!this.hasInspiral) {
      inspiral_mb.fill(0);
      return;
    }
    for (let m = 0; m < mArr.length; m++) {
      const s = inspiralSeries({ m1, m2, s1z, s2z }, mArr[m]);
      const row = m * (n_b - 1);
      let before = 0;
      for (let b = 0; b < n_b; b++) {
        const x = x_b[b];
        const ln = ln_b[b];
        const x2 = x * x;
        const high = s[4] + s[5] * ln + x * (s[6] + s[7] * ln + x * s[8]);
        const series = 1 + x2 * (s[1] + x * (s[2] + x * (s[3] + x * high)));
        const angle = (s[0] * series) / (x2 * x2 * x);
        if (b > 0) inspiral_mb[row + b - 1] = angle - before;
        before = angle;
      }
    }
  }
}
