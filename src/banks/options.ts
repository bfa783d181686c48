/** What a new bank is to be. */
import type { BinGrid } from "./bins.ts";
import type { DrawOptions } from "./draws.ts";

export interface BankOptions extends Omit<DrawOptions, "aligned"> {
  /** The folder to make. */
  readonly out: string;
  /** An event file, of which the bank takes band and grid; or a band of one's own. */
  readonly event: string | null;
  readonly band: BinGrid | null;
  /** rad: how much the phases of two waveforms may differ more from bin to bin. */
  readonly phaseTolerance: number;
  readonly approximant: string;
  /** null: those that the approximant has. */
  readonly harmonicModes: readonly (readonly [number, number])[] | null;
  /** null: LALSimulation's default. */
  readonly phenomXPrecVersion: number | null;
  readonly lal: string | null;
  readonly blocksize: number;
  /** undefined: as many as may be used. */
  readonly nProcs: number | undefined;
}

/** Of everything that need not be said. */
export const BANK_DEFAULTS = {
  band: null,
  phaseTolerance: 0.05,
  q: [0.2, 1],
  seed: 0,
  draw: "log",
  mchirpPower: -1.7,
  incFaceonFactor: null,
  approximant: "IMRPhenomD",
  harmonicModes: null,
  phenomXPrecVersion: null,
  lal: null,
  fRef: 50,
  blocksize: 4096,
  nProcs: undefined,
} as const;
