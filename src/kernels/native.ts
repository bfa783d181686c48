/** The C kernels, compiled for several instruction sets and embedded; the only place that opens one of them. */
import { type FFIFunction, FFIType } from "bun:ffi";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, statSync } from "node:fs";
import { getEnvironmentData, isMainThread, setEnvironmentData } from "node:worker_threads";
import arm from "../../build/kernels/libdotpe-aarch64.so" with { type: "file" };
import v2 from "../../build/kernels/libdotpe-x86-64-v2.so" with { type: "file" };
import v3 from "../../build/kernels/libdotpe-x86-64-v3.so" with { type: "file" };
import v4 from "../../build/kernels/libdotpe-x86-64-v4.so" with { type: "file" };
import { DotpeError } from "../errors.ts";
import { BASELINE } from "./baseline.ts";
import { bindExtrinsic, EXTRINSIC_SYMBOLS } from "./native-extrinsic.ts";
import { bindPack, PACK_SYMBOLS } from "./native-pack.ts";
import { bindRows, ROW_SYMBOLS } from "./native-rows.ts";
import { bindSetup, SETUP_SYMBOLS } from "./native-setup.ts";
import { bindSingle, SINGLE_SYMBOLS } from "./native-single.ts";
import { openShared } from "./shared-object.ts";
import type { Kernels } from "./table.ts";

/** Best first. Flags as /proc/cpuinfo names them: the kernel lists only what the system has enabled. */
const VARIANTS = [
  { name: "x86-64-v4", path: v4, flags: ["avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl", "fma"] },
  { name: "x86-64-v3", path: v3, flags: ["avx2", "fma", "bmi1", "bmi2", "f16c", "movbe"] },
  { name: "x86-64-v2", path: v2, flags: ["sse4_2", "ssse3", "popcnt"] },
  { name: "aarch64", path: arm, flags: ["asimd"] },
] as const;

/** Variants of which results have the same bits. */
const EQUAL: readonly (readonly string[])[] = [["x86-64-v4", "x86-64-v3"]];

/** The best variant for this processor and those with the same results to the bit, best first; `ref` without any. */
export function equalVariants(): string[] {
  const names: string[] = nativeVariants().map(({ name }) => name);
  const [best = "ref"] = names;
  const equal = EQUAL.find((some) => some.includes(best)) ?? [best];
  return names.length === 0 ? [best] : names.filter((name) => equal.includes(name));
}

const P = "ptr";
const N = "i32";
const L = FFIType.i64_fast;
const D = "f64";

const SYMBOLS = {
  ...SETUP_SYMBOLS,
  ...EXTRINSIC_SYMBOLS,
  ...ROW_SYMBOLS,
  ...SINGLE_SYMBOLS,
  ...PACK_SYMBOLS,
  dotpe_waveform: { args: [P, P, P, L, L, P, D, N, N, N], returns: "void" },
  dotpe_align: { args: [P, P, L, P, P, P, D, N], returns: "f64" },
  dotpe_weighted: { args: [P, P, P, N, N, N], returns: "void" },
  dotpe_mode_products: { args: [P, P, P, P, P, N, N, N, N, N], returns: "void" },
  dotpe_project: { args: [P, N, P, L, N, P, N, N, N], returns: "void" },
  dotpe_expand_grid: { args: [P, P, N, P, P, P, P, N, N, N, N, N], returns: "void" },
  dotpe_expand_set: { args: [P, P, L, P, P, P, N, N, N, N], returns: "void" },
  dotpe_incoherent_max: { args: [P, L, P, L, P, N, N, N, N, N], returns: "f64" },
  dotpe_coherent_tile: {
    args: [P, P, P, P, P, P, P, P, P, N, N, N, N, N, N, D],
    returns: "i32",
  },
} as const;

/** Of the benchmark alone: they return the work that they did, in flops or bytes. */
const LIMIT_SYMBOLS = {
  dotpe_fma_peak: { args: [P, N], returns: "f64" },
  dotpe_stream: { args: [P, P, P, N, N], returns: "f64" },
} as const;

const THREAD_SYMBOLS = {
  dotpe_thread_id: { args: [], returns: "i32" },
  dotpe_pin: { args: [P, N], returns: "i32" },
  dotpe_loosen: { args: [P, N], returns: "i32" },
} as const;

const FILE_SYMBOLS = { dotpe_will_need: { args: [N, L, L], returns: "void" } } as const;

export interface LimitKernels {
  /** n times twelve vectors of multiply-adds; writes eight numbers. */
  fmaPeak(out: Float64Array, n: number): number;
  /** a = b + 3 c over n numbers, a multiple of 8, so many times. */
  stream(a: Float64Array, b: Float64Array, c: Float64Array, n: number, times: number): number;
}

export interface Variant {
  readonly name: string;
  readonly path: string;
  load(): Kernels;
  loadLimits(): LimitKernels;
}

/** Where threads run. */
export interface ThreadTools {
  /** Of the calling thread, as the system numbers it. */
  id(): number;
  /** Binds the calling thread, and those that it starts from then on, to CPUs; 0, or the system's error number. */
  bind(cpus: readonly number[]): number;
  /** Lets all threads but these be wherever the main thread may be; how many were elsewhere. */
  loosen(bound: readonly number[]): number;
}

/** Without native kernels they do nothing. */
export function threadTools(): ThreadTools {
  const c = openBest(THREAD_SYMBOLS);
  if (c === undefined) return { id: () => 0, bind: () => 0, loosen: () => 0 };
  return {
    id: c.dotpe_thread_id,
    bind: (cpus) => c.dotpe_pin(Int32Array.from(cpus), cpus.length),
    loosen: (bound) => c.dotpe_loosen(Int32Array.from(bound), bound.length),
  };
}

/** Asks the system to read a part of a file before it is needed (bytes), and does not wait; does nothing without native kernels. */
export function fileHint(fd: number, offset: number, length: number): void {
  willNeed ??= loadFileHint();
  willNeed(fd, offset, length);
}

type FileHint = (fd: number, offset: number, length: number) => void;
let willNeed: FileHint | undefined;

function loadFileHint(): FileHint {
  return openBest(FILE_SYMBOLS)?.dotpe_will_need ?? (() => {});
}

/** Functions that a run can do without: undefined if no variant can be opened. What computes says so (`bind`). */
// biome-ignore lint/suspicious/noExplicitAny: bun:ffi takes typed arrays as pointers
function openBest(symbols: Record<string, FFIFunction>): any {
  const [best] = nativeVariants();
  if (best === undefined) return undefined;
  try {
    return openShared(best.path, symbols).symbols;
  } catch (error) {
    if (error instanceof DotpeError) return undefined;
    throw error;
  }
}

let found: Variant[] | undefined;

/** The variants that this processor runs, best first. */
export function nativeVariants(): Variant[] {
  found ??= findVariants();
  return found;
}

/** What tells the compiled code of a variant apart from another build's. */
export interface Fingerprint {
  readonly name: string;
  /** Of the shared object's bytes, in hex. */
  readonly sha256: string;
}

let fingerprints: Fingerprint[] | undefined;

/** Of the variants that this processor runs, best first. Read and hashed once, in about a millisecond. */
export function kernelFingerprints(): readonly Fingerprint[] {
  fingerprints ??= nativeVariants().map(({ name, path }) => ({
    name,
    sha256: createHash("sha256").update(readFileSync(path)).digest("hex"),
  }));
  return fingerprints;
}

/** Names of the variants that a processor with these flags runs, best first. */
export function variantsFor(flags: Iterable<string>): string[] {
  return usableVariants(new Set(flags)).map(({ name }) => name);
}

function usableVariants(flags: ReadonlySet<string>) {
  return VARIANTS.filter(
    ({ path, flags: needed }) =>
      existsSync(path) && statSync(path).size > 0 && needed.every((flag) => flags.has(flag)),
  );
}

function findVariants(): Variant[] {
  return usableVariants(processorFlags()).map(({ name, path }) => ({
    ...{ name, path, load: () => bind(name, path), loadLimits: () => bindLimits(path) },
  }));
}

const PROCESSOR = "dotpe-hpc processor";

/** Workers are told what the main thread has found: they must not find anything else, as where no more files can be opened. */
function processorFlags(): Set<string> {
  const told = getEnvironmentData(PROCESSOR);
  if (typeof told === "string") return new Set(told.split(" "));
  const flags = readFlags() ?? BASELINE[process.arch] ?? [];
  if (isMainThread) setEnvironmentData(PROCESSOR, flags.join(" "));
  return new Set(flags);
}

/** Undefined if it cannot be read, or names none. */
function readFlags(): string[] | undefined {
  try {
    const line = /^(?:flags|Features)\s*:(.*)$/m.exec(readFileSync("/proc/cpuinfo", "latin1"));
    return line?.[1].trim().split(/\s+/);
  } catch {
    return undefined;
  }
}

function bindLimits(path: string): LimitKernels {
  // biome-ignore lint/suspicious/noExplicitAny: bun:ffi takes typed arrays as pointers
  const c = openShared(path, LIMIT_SYMBOLS).symbols as any;
  return { fmaPeak: c.dotpe_fma_peak, stream: c.dotpe_stream };
}

function bind(name: string, path: string): Kernels {
  // biome-ignore lint/suspicious/noExplicitAny: bun:ffi takes typed arrays as pointers; the types of table.ts check them
  const c = openShared(path, SYMBOLS).symbols as any;
  return {
    name,
    ...bindSetup(c),
    ...bindExtrinsic(c),
    ...bindRows(c),
    ...bindSingle(c),
    ...bindPack(c),
    waveform: c.dotpe_waveform,
    align: c.dotpe_align,
    weighted: c.dotpe_weighted,
    modeProducts: c.dotpe_mode_products,
    project: c.dotpe_project,
    expandGrid: (z, y, ldy, ec, es, cosFc, sinFc, n_r, rc, rs, n_h, first) =>
      c.dotpe_expand_grid(z, y, ldy, ec, es, cosFc, sinFc, n_r, rc, rs, n_h, first ? 1 : 0),
    expandSet: (dh, a, start, x, cosFc, sinFc, n_m, n_k, n_e, first) =>
      c.dotpe_expand_set(dh, a, start, x, cosFc, sinFc, n_m, n_k, n_e, first ? 1 : 0),
    incoherentMax: (z, zStart, hh, hhStart, p, n_m, n_t, symmetric) =>
      c.dotpe_incoherent_max(
        ...[z, zStart, hh, hhStart, p.waves_Oxo, n_m, p.n_k, n_t, p.n_op, symmetric ? 1 : 0],
      ),
    coherentTile: (rows, hh, dh, c_cdx, ff, p, n_m, n_d, n_e, n_valid, threshold) =>
      c.dotpe_coherent_tile(
        ...[rows.e, rows.o, rows.dh, rows.hh, hh, dh, c_cdx, ff, p.waves_Oxo],
        ...[n_m, p.n_k, n_d, n_e, n_valid, p.n_o, threshold],
      ),
  };
}
