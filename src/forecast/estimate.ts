/** The forecast of a run: its memory and its time. */
import { loadKernels } from "../kernels/table.ts";
import { thisMachine } from "../machine/machine.ts";
import type { Options } from "../options.ts";
import type { EstimateReport } from "../report/estimate.ts";
import { countCandidates, type Inputs, readInputs } from "../stages/setup.ts";
import type { Setting } from "../tune/setting.ts";
import { workThatFits } from "./fit.ts";
import { forecastMemory, sizesOf } from "./memory.ts";
import { measureSamples } from "./samples.ts";
import { acceptedOf, forecastTime, measuredShares } from "./time.ts";

/**
 * Runs the program on a few samples.
 * @param settingFor the tuned setting that the run would take, if one is known
 * @throws DotpeError as a run does, also where it does not fit the memory.
 */
export async function estimateRun(
  options: Options,
  settingFor: (inputs: Inputs) => Promise<Setting | undefined>,
): Promise<EstimateReport> {
  const started = performance.now();
  const inputs = readInputs(options);
  const { event, banks, bins } = inputs;
  const n_candidates = countCandidates(inputs);
  const { work, warning } = workThatFits(options, inputs, await settingFor(inputs));
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
    warnings: warning === undefined ? [] : [warning],
    sampled: { n: samples.small.n + samples.large.n, seconds: (performance.now() - started) / 1000 },
  };
}
