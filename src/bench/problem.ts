/** What is measured: an event and banks, given or made up, and the results of one run on them to start later ones from. */
import { cpus } from "node:os";
import { join } from "node:path";
import { thisMachine } from "../machine/machine.ts";
import { placeWorkers } from "../machine/placement.ts";
import { parseRunOptions } from "../options.ts";
import { countCandidates, readInputs } from "../stages/setup.ts";
import { type ChildRun, runProgram } from "./child.ts";
import { linkBank } from "./linked-bank.ts";
import { writeSyntheticBank, writeSyntheticEvent } from "./synthetic.ts";

export interface Size {
  /** Of the made-up bank, and of the blocks it is linked from. */
  readonly n_i: number;
  readonly block: number;
  /** Times that each measurement is made. */
  readonly repeats: number;
  /** Spent on each variant of a kernel. */
  readonly kernelSeconds: number;
  readonly flags: readonly string[];
  /** Bank samples at which one thread and workers are compared. */
  readonly crossover: readonly number[];
}

const USUAL = ["--n-ext", "1024", "--n-phi", "50", "--n-t", "128", "--seed", "1"];

export const SIZES: Readonly<Record<"micro" | "small" | "full", Size>> = {
  micro: {
    ...{ n_i: 64, block: 32, repeats: 1, kernelSeconds: 0.002, crossover: [16, 64] },
    flags: ["--n-ext", "64", "--n-phi", "16", "--n-t", "32", "--seed", "1"],
  },
  small: {
    ...{ n_i: 4096, block: 256, repeats: 3, kernelSeconds: 0.1, flags: USUAL },
    crossover: [16, 64, 256, 1024, 4096],
  },
  full: {
    ...{ n_i: 16_384, block: 256, repeats: 7, kernelSeconds: 0.5, flags: USUAL },
    crossover: [16, 32, 64, 128, 256, 512, 1024, 2048, 4096],
  },
};

export type SizeName = keyof typeof SIZES;

export interface Problem {
  readonly label: string;
  readonly inputs: readonly string[];
  readonly flags: readonly string[];
  /** Folder for everything that is made; removed afterwards by the caller. */
  readonly scratch: string;
  readonly repeats: number;
  readonly kernelSeconds: number;
  readonly crossover: readonly number[];
  readonly cores: number;
  /** Bank samples of all banks. */
  readonly n_i: number;
  /** Directory of the first run. */
  readonly base: string;
  /** Of the first run: flags that take its reference waveform, extrinsic samples, accepted bank samples. */
  readonly from: { readonly reference: string[]; readonly extrinsic: string[]; readonly accepted: string[] };
  /** The first run: with cold caches, so not a measurement. */
  readonly first: ChildRun;
}

/**
 * Makes the inputs where none are given, and runs once.
 * @throws DotpeError for inputs that a run would refuse.
 */
export async function openProblem(
  sizeName: SizeName,
  given: readonly string[],
  scratch: string,
): Promise<Problem> {
  const size = SIZES[sizeName];
  const inputs = given.length > 0 ? given : makeInputs(size, scratch);
  const read = readInputs(parseRunOptions([...inputs]));
  const { event, bins, banks } = read;
  const n_i = countCandidates(read);
  const base = join(scratch, "base");
  const first = await runProgram(scratch, [...inputs, ...size.flags], base);
  const modes = bins.mArr.length;
  return {
    label: `${event.name}, ${event.n_d} detectors, ${n_i} bank samples of ${modes} modes and ${bins.fbin.length} bins, ${size.flags.join(" ")}`,
    ...{ inputs, scratch, n_i, first, base },
    ...{ flags: size.flags, repeats: size.repeats, kernelSeconds: size.kernelSeconds, cores: allowedCores() },
    crossover: size.crossover.filter((n) => n <= banks[0].n_i),
    from: {
      reference: ["--reference", join(base, "reference.npz")],
      extrinsic: ["--extrinsic-samples", join(base, "extrinsic_samples.feather")],
      accepted: ["--load-inds", ...banks.flatMap(({ id }) => ["--inds-path", indsOf(base, id)])],
    },
  };
}

function indsOf(base: string, id: string): string {
  return `${id}=${join(base, "banks", id, "intrinsic_samples.npz")}`;
}

function makeInputs({ n_i, block }: Size, scratch: string): string[] {
  const event = writeSyntheticEvent(scratch);
  const blocks = writeSyntheticBank(join(scratch, "block"), block);
  const bank = join(scratch, "bank");
  linkBank(blocks, bank, n_i);
  return [event, bank];
}

/** Threads of a run that is not told how many. */
function allowedCores(): number {
  const { topology, allowed } = thisMachine();
  return placeWorkers(topology, allowed, { smt: false, placement: "auto" }).seats.length;
}

export function machineName(): string {
  return `${cpus()[0]?.model.trim() ?? "unknown processor"}, ${allowedCores()} cores`;
}

/** One after the other: measurements must not share the machine. */
export async function repeat<T>(n: number, measure: () => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  for (let k = 0; k < n; k++) results.push(await measure());
  return results;
}
