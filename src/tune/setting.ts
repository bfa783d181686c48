/** What a tuner chooses: how the work is cut and who does it. None of this changes a result. */

export interface Setting {
  readonly n_procs: number;
  /** Bank samples that a thread reads at once. */
  readonly iBatch: number;
  /** Batches that a thread takes at a time. */
  readonly batchesPerTask: number;
  /** Bank samples and extrinsic samples in a tile of the coherent stage. */
  readonly iTile: number;
  readonly eTile: number;
  /** Variant of the kernels. */
  readonly kernel: string;
  /** Workers on both hardware threads of a core. */
  readonly smt: boolean;
}

export type Knob = keyof Setting;
export type KnobValue = Setting[Knob];

/** A knob and the values that are tried, rising where they are numbers. */
export interface Dimension {
  readonly knob: Knob;
  readonly values: readonly KnobValue[];
}

/** The position of a candidate's value in each dimension. */
export type Point = readonly number[];

export interface Space {
  readonly dimensions: readonly Dimension[];
  /** Points with the same key do the same work: one is measured for all. Undefined: the point cannot be used. */
  key(point: Point): string | undefined;
  /** The built-in setting, or the point nearest to it. */
  readonly start: Point;
}

/** A measurement of one candidate. */
export interface Measured {
  /** Median, units of work a second. */
  readonly rate: number;
  /** Standard error of the rate, relative. */
  readonly error: number;
  /** Timed runs. */
  readonly n: number;
}
