/** What a run would do, and the memory it would need, without computing: `--dry-run`. */
import { workThatFits } from "./forecast/fit.ts";
import { assumedShares, forecastMemory, sizesOf } from "./forecast/memory.ts";
import { readAllColumns } from "./gw/bank.ts";
import type { Options } from "./options.ts";
import type { RunPlan } from "./report/summary.ts";
import { positiveDifferences } from "./stages/phases.ts";
import { type Inputs, readInputs } from "./stages/setup.ts";
import type { Setting } from "./tune/setting.ts";

/**
 * @param settingFor a tuned setting for such inputs, if there is one
 * @throws DotpeError as a run would for its inputs.
 */
export async function planRun(
  options: Options,
  settingFor: (inputs: Inputs) => Promise<Setting | undefined>,
): Promise<RunPlan> {
  const inputs = readInputs(options);
  const { event, banks, band, bins, candidates } = inputs;
  banks.forEach(readAllColumns);
  const { work, warning } = workThatFits(options, inputs, await settingFor(inputs));
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
      ["threads", work.placement.reasons.join("; ")],
    ],
    memoryMB: forecastMemory(sizesOf(inputs, options), work, assumedShares(options)),
    warnings: [band.note, warning].filter((text) => text != null),
  };
}
