/**
 * Belief propagation on `tile` frames at once. Messages are laid out (edge, frame), frames fastest, so that a vector holds
 * the same edge of eight frames. A frame leaves the tile when it is done and the next one takes its place, so that no frame
 * waits for a slower one, and none is touched after its own last iteration.
 */
import { LANES, openKernel } from "./min-sum-kernel.ts";
import type { ParityCheck } from "./parity-check.ts";
import { PRIOR } from "./plain-decoder.ts";

const PAGE = 65536;
const MAX_BYTES = 2 ** 31;

export interface DecodedFrame {
  readonly frame: number;
  readonly converged: boolean;
  readonly iterations: number;
  /** The flipped bits: bit v is bit v % 32 of word v >> 5. Overwritten by the next frame. [ceil(n_bits / 32)] */
  readonly words: Uint32Array;
}

/** A frame and what was done for it; no frame: the lane is idle. */
interface Lane {
  frame: number | undefined;
  iterations: number;
}

export class TileDecoder {
  private readonly lanes: Lane[];
  /** Frames in a row of an array: `tile` filled up to whole vectors. */
  private readonly stride: number;
  private readonly syndrome_cf: Int16Array;
  private readonly message_ef: Int16Array;
  private belief_vf: Int16Array;
  private nextBelief_vf: Int16Array;
  private readonly unmatched_f: Int16Array;
  private readonly iterate: (before: Int16Array, after: Int16Array, n_lanes: number) => void;
  private readonly syndrome_c: Uint8Array;
  private readonly words: Uint32Array;

  /** @throws Error if the tile needs more memory than WebAssembly may have */
  constructor(
    private readonly h: ParityCheck,
    readonly tile: number,
    private readonly maxIterations: number,
  ) {
    const { n_bits, n_checks, n_edges } = h;
    this.stride = Math.ceil(tile / LANES) * LANES;
    const bytes =
      4 * (n_checks + 1 + n_edges) + 64 * 8 + 2 * this.stride * (n_checks + n_edges + 2 * n_bits + 1);
    if (bytes > MAX_BYTES)
      throw new Error(`a tile of ${tile} frames needs ${bytes} bytes, at most ${MAX_BYTES}`);
    this.lanes = Array.from({ length: tile }, () => ({ frame: undefined, iterations: 0 }));
    const memory = new WebAssembly.Memory({ initial: Math.ceil(bytes / PAGE) });
    let used = 0;
    const place = (n_bytes: number) => {
      const start = used;
      used = Math.ceil((start + n_bytes) / 64) * 64;
      return start;
    };
    const integers = (n: number) => new Int32Array(memory.buffer, place(4 * n), n);
    const rows = (n: number) => new Int16Array(memory.buffer, place(2 * n * this.stride), n * this.stride);
    const starts = integers(n_checks + 1);
    starts.set(h.starts);
    const bits = integers(n_edges);
    bits.set(h.bits.map((bit) => bit * 2 * this.stride));
    this.syndrome_cf = rows(n_checks);
    this.message_ef = rows(n_edges);
    this.belief_vf = rows(n_bits);
    this.nextBelief_vf = rows(n_bits);
    this.unmatched_f = rows(1);
    this.syndrome_c = new Uint8Array(n_checks);
    this.words = new Uint32Array(Math.ceil(n_bits / 32));
    const kernel = openKernel(memory);
    const fixed = [starts, bits, this.syndrome_cf, this.message_ef].map((array) => array.byteOffset);
    const unmatched = this.unmatched_f.byteOffset;
    this.iterate = (before, after, n_lanes) => {
      const width = 2 * Math.ceil(n_lanes / LANES) * LANES;
      kernel(...fixed, before.byteOffset, after.byteOffset, unmatched, 2 * this.stride, width, n_checks);
    };
  }

  /**
   * Decodes the frames first <= frame < end.
   * @param syndromeOf writes a frame's syndrome, 0 or 1 of each check
   * @param found is told each frame when it is done, in no order
   */
  decode(
    first: number,
    end: number,
    syndromeOf: (frame: number, syndrome_c: Uint8Array) => void,
    found: (decoded: DecodedFrame) => void,
  ): void {
    let next = first;
    const refill = (f: number) => {
      const lane = this.lanes[f];
      lane.frame = next < end ? next++ : undefined;
      if (lane.frame === undefined) return;
      syndromeOf(lane.frame, this.syndrome_c);
      this.start(f);
    };
    for (let f = 0; f < this.tile; f++) refill(f);
    for (;;) {
      const n_lanes = 1 + this.lanes.findLastIndex(({ frame }) => frame !== undefined);
      if (n_lanes === 0) return;
      this.nextBelief_vf.fill(PRIOR);
      this.unmatched_f.fill(0);
      this.iterate(this.belief_vf, this.nextBelief_vf, n_lanes);
      [this.belief_vf, this.nextBelief_vf] = [this.nextBelief_vf, this.belief_vf];
      for (let f = 0; f < n_lanes; f++) {
        const { frame, iterations } = this.lanes[f];
        if (frame === undefined) continue;
        const converged = this.unmatched_f[f] >= 0;
        this.lanes[f].iterations++;
        if (!converged && iterations < this.maxIterations) continue;
        found({ frame, converged, iterations, words: this.decision(f) });
        refill(f);
      }
    }
  }

  /** Puts a new frame with the syndrome `syndrome_c` into lane f. */
  private start(f: number): void {
    const { stride } = this;
    this.lanes[f].iterations = 0;
    for (let c = 0; c < this.syndrome_c.length; c++) this.syndrome_cf[c * stride + f] = -this.syndrome_c[c];
    for (let k = f; k < this.message_ef.length; k += stride) this.message_ef[k] = 0;
    for (let k = f; k < this.belief_vf.length; k += stride) this.belief_vf[k] = PRIOR;
  }

  /** The decision of lane f that the last iteration looked at, which is on the beliefs before it. */
  private decision(f: number): Uint32Array {
    this.words.fill(0);
    for (let v = 0, k = f; v < this.h.n_bits; v++, k += this.stride) {
      this.words[v >> 5] |= (this.nextBelief_vf[k] >>> 31) << (v & 31);
    }
    return this.words;
  }
}
