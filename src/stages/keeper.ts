/** What a long stage needs to be interrupted: a place for its state, and somebody who says when. */
import { DotpeError } from "../errors.ts";

/** Arrays by name. */
export type State = Readonly<Record<string, Float64Array | Int32Array | Uint8Array>>;

export interface Keeper {
  /** Whether the job that runs should pause, so that what is done can be saved. */
  isDue(): boolean;
  /** Whether the run is to end as soon as it can. */
  isEnding(): boolean;
  /** Between two jobs: makes the work smaller if memory runs short. @throws DotpeError runAgain if the run is to end here. */
  goOn(): void;
  /**
   * Replaces the state of this name; all of it or nothing.
   * @param begun when saving it began, by performance.now(), if that was before this call
   * @throws DotpeError cannotCreate; tryAgain if another process has taken the run over.
   */
  save(name: string, state: State, begun?: number): void;
  /**
   * The state of this name that an earlier process has left; undefined if there is none that can be believed.
   * @param lengths of the arrays that must be there; undefined: any
   * @throws DotpeError tryAgain if it cannot be read now.
   */
  load<const N extends string>(
    name: string,
    lengths: Readonly<Record<N, number | undefined>>,
  ): Record<N, Float64Array> | undefined;
  /** Of work that an error ends: whether it is so much that it should be saved. */
  isWorthSaving(): boolean;
  /** How often states were saved, and what that took (s). */
  readonly spent: { readonly saved: number; readonly seconds: number };
}

/** For runs that are not interrupted. */
export const NOT_KEPT: Keeper = {
  isDue: () => false,
  isEnding: () => false,
  goOn: () => {},
  save: () => {},
  load: () => undefined,
  isWorthSaving: () => false,
  spent: { saved: 0, seconds: 0 },
};

/** Whether, after this error, the same command may well succeed: no fault of the inputs. */
export function canGoOn(error: unknown): boolean {
  if (!(error instanceof DotpeError)) return true;
  return ["cannotCreate", "tryAgain", "runAgain"].includes(error.exit);
}

/** A number that tells whether arrays hold the same bytes: 52 bits of XXH3. */
export function fingerprintOf(arrays: Iterable<ArrayBufferView>): number {
  let hash = 0n;
  for (const { buffer, byteOffset, byteLength } of arrays)
    hash = Bun.hash.xxHash3(new Uint8Array(buffer, byteOffset, byteLength), hash);
  return Number(BigInt.asUintN(52, hash));
}

/** @throws DotpeError mismatch: what an earlier process has computed would not fit what this one computes. */
export function checkFingerprint(name: string, found: number, expected: number): void {
  if (found === expected) return;
  throw new DotpeError(
    "mismatch",
    `checkpoint ${name}: made from other numbers than this process has computed from the same inputs`,
    "The processors or system libraries differ: go on on a machine like the first, or begin again in another --rundir.",
  );
}
