/** `dotpe-hpc machine estimate EVENT BANK...`: memory and time that a run would take. */
import { type HelpPage, renderHelp, wantsHelp } from "../cli.ts";
import { RUN_FLAGS } from "../option-table.ts";
import { parseRunOptions } from "../options.ts";
import { printOut } from "./print.ts";

const HELP: HelpPage = {
  summary:
    "Forecasts the time and the peak memory of a run, from two short runs on a few samples of the bank.",
  usage: "dotpe-hpc machine estimate EVENT BANK [BANK...] [options of run]",
  positionals: [
    ["EVENT", "event file (.npz), as for run"],
    ["BANK", "bank folder, as for run"],
  ],
  flags: RUN_FLAGS,
  examples: [
    ["dotpe-hpc machine estimate GW170814.npz banks/a", "by stage, with what dominates"],
    [
      "dotpe-hpc machine estimate GW170814.npz banks/a --n-ext 4096 --n-procs 8 --json",
      "other settings, as JSON",
    ],
  ],
  more: "(in brackets: the default)  Takes a second or two; nothing is written but a scratch folder in $TMPDIR.",
};

export async function run(args: string[]): Promise<void> {
  if (wantsHelp(args)) return printOut(renderHelp(HELP));
  const options = parseRunOptions(args);
  const [{ estimateRun }, { estimateJson, formatEstimate }, { chooseSetting }] = await Promise.all([
    import("../forecast/estimate.ts"),
    import("../report/estimate.ts"),
    import("../tune/choose.ts"),
  ]);
  // What is remembered is used; nothing is tuned for a forecast.
  const remembered = { ...options, tune: false };
  const report = await estimateRun(options, async (inputs) => {
    return (await chooseSetting(remembered, inputs, () => {})).setting;
  });
  await printOut(options.json ? estimateJson(report) : formatEstimate(report));
}
