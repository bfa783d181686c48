/** The forecast of a run: its memory and its time. */
import { loadKernels } from "../kernels/table.ts";
import { thisMachine } from "../machine/machine.ts";
import type { Options } from "../options.ts";
import type { EstimateReport } from "../report/estimate.ts";
import { workSettings } from "../stages/settings.ts";
import { countCandidates, readInputs } from "../stages/setup.ts";
import { forecastMemory, sizesOf } from "./memory.ts";
import { measureSamples } from "./samples.ts";
import { acceptedOf, forecastTime, measuredShares } from "./time.ts";

/** Runs the program on a few samples. @throws DotpeError as a run does. */
export async function estimateRun(options: Options): Promise<EstimateReport> {
  const started = performance.now();
  const inputs = readInputs(options);
  const { event, banks, bins } = inputs;
  const n_candidates = countCandidates(inputs);
  const work = workSettings(options, n_candidates);
  const sizes = sizesOf(inputs, options);
  const samples = await measureSamples(options, inputs, work);
  const accepted = acceptedOf(samples, n_candidates, options.maxIncoherentLnlikeDrop, options.loadInds);
  const waveform = 2 * 8 * 2 * bins.mArr.length * bins.fbin.length;
  return {
    event: event.name,
    banks: banks.map(({ folder }) => folder),
    ...{ n_candidates, threads: work.n_procs, kernel: loadKernels(work.kernel).name, n_ext: options.nExt },
    time: forecastTime(samples, sizes, work.n_procs, accepted),
    memory: forecastMemory(sizes, work, measuredShares(samples, sizes, accepted.expected)),
    allowedMB: thisMachine().allowed.memoryBytes / 1e6,
    readBytes: options.loadInds ? 0 : n_candidates * waveform,
    sampled: { n: samples.small.n + samples.large.n, seconds: (performance.now() - started) / 1000 },
  };
}
