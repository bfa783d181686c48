/** What a run would do, and the memory it would need, without computing: `--dry-run`. */
import { readAllColumns } from "./gw/bank.ts";
import type { Options } from "./options.ts";
import type { Reporter } from "./report/reporter.ts";
import type { RunPlan } from "./report/summary.ts";
import { positiveDifferences } from "./stages/phases.ts";
import { workSettings } from "./stages/settings.ts";
import { countCandidates, readInputs } from "./stages/setup.ts";

const MB = 1e6;
/** The runtime and the program, measured: a run on one sample. */
const BASE_MB = 120;
/** The sky dictionary and the 16 marginalizations, measured. */
const EXTRINSIC_MB = 80;
/** A thread's chunks of rows, as made, as encoded and as waiting for their turn: measured with many of them. */
const CHUNKS_MB = 40;

/** @throws DotpeError as a run would for its inputs. */
export async function planRun(options: Options, _report: Reporter): Promise<RunPlan> {
  const inputs = readInputs(options);
  const { event, banks, band, bins, candidates } = inputs;
  banks.forEach(readAllColumns);
  const work = workSettings(options, countCandidates(inputs));
  const n_m = bins.mArr.length;
  const n_bp = Math.ceil(bins.fbin.length / 8) * 8;
  const n_terms = n_m * (n_m + 1) * 2 * event.n_d * 2 * n_bp * 8;
  const perWorker =
    (n_m * 2 * 2 * n_bp * (4 + event.n_d) + event.n_d * n_m * 4 * (options.nT + 8)) * 8 +
    work.eTile * options.nPhi * 24;
  const bankLines = banks.map(
    (bank, k) =>
      [
        `bank ${bank.folder}`,
        `${candidates[k].i.length} of ${bank.n_i} samples, ${bins.fbin.length} bins, modes ${bins.mArr.join(" ")}`,
      ] as const,
  );
  return {
    event: event.name,
    lines: [
      [
        "detectors",
        `${event.detectors.join(" ")}, ${event.f0}-${event.f1} Hz, df 1/${Math.round(1 / event.df)} Hz`,
      ],
      ...bankLines,
      ["incoherent stage", `${options.nT} times x ${options.nPhiIncoherent ?? options.nPhi} phases`],
      [
        "coherent stage",
        `${options.nExt} extrinsic samples x ${options.nPhi} phases, ${positiveDifferences(bins.mArr).length} mode differences`,
      ],
      ["threads", `${work.n_procs}`],
    ],
    memoryMB: [
      { name: "program", megabytes: BASE_MB },
      { name: "weights", megabytes: (2 * n_terms) / MB },
      { name: "per-thread buffers", megabytes: (work.n_procs * perWorker) / MB },
      { name: "extrinsic stage", megabytes: options.extrinsicSamples === undefined ? EXTRINSIC_MB : 0 },
      { name: "chunks of rows", megabytes: work.n_procs * CHUNKS_MB },
    ],
    warnings: band.note ? [band.note] : [],
  };
}
