/** Complex waveforms as amplitude and continuous phase. */

const TURN = 2 * Math.PI;
/** Below this a sum of squares has lost digits or is 0. */
const SMALL = 1e-290;

/**
 * amplitude[at + b] = |h_b| and phase[at + b] = its angle without jumps of more than pi, for b < n; the first angle is in [-pi, pi].
 * h_bc holds pairs (real, imaginary). Where h is 0 its angle is 0. As numpy's unwrap(angle(h)).
 * @returns whether all numbers are finite
 */
export function polar(
  h_bc: Float64Array,
  n: number,
  amplitude: Float64Array,
  phase: Float64Array,
  at: number,
): boolean {
  let turns = 0;
  let last = 0;
  let finite = true;
  for (let b = 0; b < n; b++) {
    const re = h_bc[2 * b]!;
    const im = h_bc[2 * b + 1]!;
    const square = re * re + im * im;
    const angle = Math.atan2(im, re);
    const step = angle - last;
    if (b > 0) {
      if (step > Math.PI) turns--;
      else if (step < -Math.PI) turns++;
    }
    last = angle;
    amplitude[at + b] = square > SMALL ? Math.sqrt(square) : Math.hypot(re, im);
    phase[at + b] = angle + TURN * turns;
    // Infinity - infinity, and anything with NaN, is not 0.
    if (square - square !== 0) finite = false;
  }
  return finite;
}
