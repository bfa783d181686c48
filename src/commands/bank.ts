/** `dotpe-hpc bank`: makes, describes, checks and packs banks of waveforms. Each part has its own options. */
import { defineCommand } from "citty";
import { type HelpPage, renderHelp, wantsHelp } from "../cli.ts";
import { DotpeError } from "../errors.ts";
import { printOut } from "./print.ts";

const PARTS = {
  create: { about: "draw samples and make their waveforms", load: () => import("./bank-create.ts") },
  info: { about: "what a bank is: size, bins, ranges, who made it", load: () => import("./bank-info.ts") },
  check: { about: "read a bank and say what is wrong with it", load: () => import("./bank-check.ts") },
  pack: {
    about: "compress the waveforms, exactly or within a tolerance",
    load: () => import("./bank-pack.ts"),
  },
  unpack: { about: "a packed bank as .npy files again", load: () => import("./bank-unpack.ts") },
};

const HELP: HelpPage = {
  summary: "Banks of waveforms, in dot_pe's folder format.",
  usage: `dotpe-hpc bank ${Object.keys(PARTS).join("|")} ...`,
  positionals: Object.entries(PARTS).map(([name, { about }]) => [name, about]),
  flags: [],
  examples: [
    ["dotpe-hpc bank create bank --event GW170814.npz --mchirp 25,30 --n 32768", "for one event"],
    ["dotpe-hpc bank check bank --event GW170814.npz", "is it whole, and good for the event?"],
    ["dotpe-hpc bank pack bank packed --tolerance 0.01", "much smaller; run reads it as it is"],
  ],
  more: "dotpe-hpc bank create --help describes create, and so for the others.",
};

export default defineCommand({
  meta: { name: "bank", description: HELP.summary },
  async run({ rawArgs }) {
    const [first, ...others] = rawArgs;
    if (first !== undefined && Object.hasOwn(PARTS, first))
      return (await PARTS[first as keyof typeof PARTS].load()).run(others);
    if (wantsHelp(rawArgs)) return printOut(renderHelp(HELP));
    throw new DotpeError(
      "usage",
      `bank: found ${first ?? "nothing"}, expected ${Object.keys(PARTS).join(", ")}`,
      "`dotpe-hpc bank --help` lists them.",
    );
  },
});
