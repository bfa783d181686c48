/**
 * Belief propagation as the textbooks write it, one frame at a time: what the fast decoder is checked against.
 *
 * Syndrome decoding by normalised min-sum on integer messages (positive: "this bit is not flipped"):
 *   bit to check     q(v, c) = PRIOR + sum of r(c', v) over the other checks c' of v
 *   check to bit     r(c, v) = (-1)^s(c) prod sign q(v', c) * softened(min |q(v', c)|) over the other bits v' of c
 *   decision         bit v is flipped if PRIOR + sum of r(c, v) over all its checks is negative
 * The decision before the first iteration is "no bit"; decoding ends when its syndrome is s, or after `maxIterations`.
 */
import type { ParityCheck } from "./parity-check.ts";

/**
 * The belief in a bit that no check has spoken for. Min-sum decides the same for beliefs in any unit, and all bits have the
 * same chance to be flipped, so the chance itself is not needed.
 */
export const PRIOR = 16;
/** Messages are integers up to this: sums are exact, in any order. */
export const MAX = 127;

/** Three quarters, rounded up: the least belief alone overstates what the check knows. */
export function softened(magnitude: number): number {
  return Math.min(MAX, magnitude - (magnitude >> 2));
}

export interface Decoded {
  /** 1 for each flipped bit. [n_bits] */
  readonly flipped: Uint8Array;
  readonly converged: boolean;
  readonly iterations: number;
}

/** @param syndrome 0 or 1 of each check [n_checks] */
export function decodePlainly(h: ParityCheck, syndrome: Uint8Array, maxIterations: number): Decoded {
  const edges_v = edgesOfBits(h);
  const r_e = new Int32Array(h.n_edges);
  const q_e = new Int32Array(h.n_edges);
  const flipped = new Uint8Array(h.n_bits);
  for (let iterations = 0; ; iterations++) {
    for (let v = 0; v < h.n_bits; v++) {
      let belief = PRIOR;
      for (const e of edges_v[v]) belief += r_e[e];
      flipped[v] = belief < 0 ? 1 : 0;
    }
    const converged = explains(h, flipped, syndrome);
    if (converged || iterations === maxIterations) return { flipped, converged, iterations };
    bitsToChecks(edges_v, r_e, q_e);
    checksToBits(h, syndrome, q_e, r_e);
  }
}

function explains(h: ParityCheck, flipped: Uint8Array, syndrome: Uint8Array): boolean {
  for (let c = 0; c < h.n_checks; c++) {
    let parity = 0;
    for (let e = h.starts[c]; e < h.starts[c + 1]; e++) parity ^= flipped[h.bits[e]];
    if (parity !== syndrome[c]) return false;
  }
  return true;
}

function bitsToChecks(edges_v: readonly (readonly number[])[], r_e: Int32Array, q_e: Int32Array): void {
  for (const edges of edges_v) {
    for (const e of edges) {
      q_e[e] = PRIOR;
      for (const other of edges) if (other !== e) q_e[e] += r_e[other];
    }
  }
}

function checksToBits(h: ParityCheck, syndrome: Uint8Array, q_e: Int32Array, r_e: Int32Array): void {
  for (let c = 0; c < h.n_checks; c++) {
    for (let e = h.starts[c]; e < h.starts[c + 1]; e++) {
      let sign = syndrome[c] === 1 ? -1 : 1;
      let least = 32767;
      for (let other = h.starts[c]; other < h.starts[c + 1]; other++) {
        if (other === e) continue;
        if (q_e[other] < 0) sign = -sign;
        least = Math.min(least, Math.abs(q_e[other]));
      }
      r_e[e] = sign * softened(least);
    }
  }
}

function edgesOfBits(h: ParityCheck): number[][] {
  const edges_v: number[][] = Array.from({ length: h.n_bits }, () => []);
  for (let e = 0; e < h.n_edges; e++) edges_v[h.bits[e]].push(e);
  return edges_v;
}
