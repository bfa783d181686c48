/**
 * How the rows of stage 5 are cut into chunks, the record batches of their files. That depends on the problem alone, never on
 * threads, batches and tiles: so the files do not either. A chunk is a few accepted samples of one bank with all extrinsic
 * samples, or, where those are many, one accepted sample with a span of them.
 */
import { sharedI32 } from "../workers/arena.ts";
import type { Items } from "./incoherent.ts";

/** So many (i, e, o) make a chunk: its rows, whatever passes, fit a thread's memory. */
const VOLUME = 2 ** 19;
/** Of one accepted sample, of which most may pass, so many. */
const SPAN_VOLUME = 2 ** 18;
const MOST_ITEMS = 16;
/** A file has about this many batches at most. */
const MOST_CHUNKS = 2 ** 14;
/** Spans begin at multiples of this. */
const SPAN_STEP = 256;

export interface ChunkGrid {
  readonly n_chunks: number;
  /** Spans of extrinsic samples, each `span` long; the last may be shorter. Chunk c is span c % n_spans of block c / n_spans. */
  readonly n_spans: number;
  readonly span: number;
  readonly n_e: number;
  readonly mostItems: number;
  /** Items of a block: first, and one past the last. */
  readonly j0_block: Int32Array;
  readonly j1_block: Int32Array;
}

/** A part is what one item has in one chunk; they are numbered item by item. */
export interface Chunk {
  readonly bank: number;
  readonly j0: number;
  readonly j1: number;
  readonly span: number;
  readonly e0: number;
  readonly e1: number;
}

/** @param items by (bank, i) ascending */
export function chunkGrid({ bank_j }: Items, n_e: number, n_phi: number): ChunkGrid {
  const n_j = bank_j.length;
  // Few enough chunks: their tables are read as a whole.
  const least = Math.ceil((n_j * n_e * n_phi) / MOST_CHUNKS);
  const most = Math.max(MOST_ITEMS, Math.ceil(n_j / MOST_CHUNKS));
  const spanVolume = Math.max(SPAN_VOLUME, least);
  const isWhole = n_e * n_phi <= spanVolume;
  const span = isWhole ? n_e : SPAN_STEP * Math.max(1, Math.floor(spanVolume / n_phi / SPAN_STEP));
  const fitting = isWhole ? Math.floor(Math.max(VOLUME, least) / (n_e * n_phi)) : 1;
  const mostItems = Math.max(1, Math.min(most, fitting));
  const starts: number[] = [];
  for (let j = 0; j < n_j; j++) {
    const last = starts[starts.length - 1];
    if (j === 0 || bank_j[j] !== bank_j[last] || j - last === mostItems) starts.push(j);
  }
  const [j0_block, j1_block] = [sharedI32(starts.length), sharedI32(starts.length)];
  j0_block.set(starts);
  j1_block.set([...starts.slice(1), n_j].slice(0, starts.length));
  const n_spans = Math.ceil(n_e / span);
  return { n_chunks: starts.length * n_spans, n_spans, span, n_e, mostItems, j0_block, j1_block };
}

export function chunkAt(grid: ChunkGrid, bank_j: Int32Array, c: number): Chunk {
  const span = c % grid.n_spans;
  const block = (c - span) / grid.n_spans;
  const j0 = grid.j0_block[block];
  const e0 = span * grid.span;
  return {
    ...{ bank: bank_j[j0], j0, j1: grid.j1_block[block] },
    ...{ span, e0, e1: Math.min(e0 + grid.span, grid.n_e) },
  };
}

/** Tiles of extrinsic samples, which do not reach over spans: tile t of span s is number s * perSpan + t. */
export interface Tiles {
  /** Extrinsic samples of a tile, a multiple of 8; the last ones of a span may be padding. */
  readonly size: number;
  readonly perSpan: number;
  readonly n: number;
}

export function tilesOf({ n_spans, span }: ChunkGrid, size: number): Tiles {
  const fitting = Math.min(size, Math.ceil(span / 8) * 8);
  const perSpan = Math.ceil(span / fitting);
  return { size: fitting, perSpan, n: n_spans * perSpan };
}

/** The extrinsic samples e0 <= e < e1 of a tile; none if it lies beyond the last. */
export function tileRange({ span, n_e }: ChunkGrid, { size, perSpan }: Tiles, t: number): [number, number] {
  const s = Math.floor(t / perSpan);
  const e0 = Math.min(n_e, s * span + (t % perSpan) * size);
  return [e0, Math.max(e0, Math.min(e0 + size, (s + 1) * span, n_e))];
}
