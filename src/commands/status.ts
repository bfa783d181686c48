/** `dotpe-hpc status RUNDIR...`: what runs are, who works on them, and how far they are. */
import { defineCommand } from "citty";
import { flagOf, type HelpPage, parseCommandLine, renderHelp, wantsHelp } from "../cli.ts";
import { DotpeError } from "../errors.ts";
import { printOut } from "./print.ts";

const COMMAND = "dotpe-hpc status";
const FLAGS = [flagOf("Options", "json", "", "print it as JSON: an array, an object a run")];

const HELP: HelpPage = {
  summary: "Says what a run is, who works on it or how it ended, how far it is, and how to go on.",
  usage: `${COMMAND} RUNDIR [RUNDIR...] [--json]`,
  positionals: [["RUNDIR", "folder of a run, or one that holds run_N: then a line each, the last one first"]],
  flags: FLAGS,
  examples: [
    [`${COMMAND} GW170814/run_0`, "on one screen"],
    [`${COMMAND} GW170814`, "every run of the event"],
    [`watch ${COMMAND} GW170814/run_0`, "while it runs"],
  ],
  more: "Changes nothing. Ends with 0 whatever the state, with 66 if there is no run. `dotpe-hpc verify` reads the files.",
};

export default defineCommand({
  meta: { name: "status", description: HELP.summary },
  async run({ rawArgs }) {
    if (wantsHelp(rawArgs)) return printOut(renderHelp(HELP));
    const { positionals, flags } = parseCommandLine(rawArgs, FLAGS);
    if (positionals.length === 0)
      throw new DotpeError("usage", "no run directory given", `Write \`${COMMAND} RUNDIR\`.`);
    const [{ rundirsOf, runStatus }, { formatRunList, formatRunStatus }] = await Promise.all([
      import("../rundir/status.ts"),
      import("../report/run-status.ts"),
    ]);
    const rundirs = positionals.flatMap(rundirsOf);
    const isList = rundirs.length > positionals.length;
    const all = rundirs.map((rundir) => runStatus(rundir));
    if (flags.get("json")?.value === true) return printOut(`${JSON.stringify(all, null, 1)}\n`);
    await printOut(isList ? formatRunList(all) : all.map(formatRunStatus).join("\n"));
  },
});
