/** `dotpe-hpc version`. */
import { defineCommand } from "citty";
import { version } from "../../package.json";
import { parseCommandLine, wantsHelp } from "../cli.ts";
import { printOut } from "./print.ts";

export default defineCommand({
  meta: { name: "version", description: "The version of this program." },
  async run({ rawArgs }) {
    if (!wantsHelp(rawArgs)) parseCommandLine(rawArgs, []);
    const text = `dotpe-hpc ${version} (bun ${Bun.version}, ${process.platform} ${process.arch})\n`;
    await printOut(text);
  },
});
