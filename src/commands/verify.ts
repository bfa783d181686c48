/** `dotpe-hpc verify RUNDIR...`: reads every file of runs again, and says which are good. */
import { defineCommand } from "citty";
import { flagOf, type HelpPage, parseCommandLine, renderHelp, wantsHelp } from "../cli.ts";
import { DotpeError, EXIT_CODES } from "../errors.ts";
import { printOut } from "./print.ts";

const COMMAND = "dotpe-hpc verify";
const FLAGS = [
  flagOf("Options", "inputs", "", "are event and banks those that the run was begun with? Reads them, too"),
  flagOf("Options", "json", "", "every check, as JSON: an array, an object a run"),
];

const HELP: HelpPage = {
  summary:
    "Reads every file of a run again: checksums, what is in the files, whether they fit the summary; of a run that is not " +
    "complete, whether what is saved can be gone on from.",
  usage: `${COMMAND} RUNDIR [RUNDIR...] [--inputs] [--json]`,
  positionals: [["RUNDIR", "folder of a run, complete or not"]],
  flags: FLAGS,
  examples: [
    [`${COMMAND} GW170814/run_0`, "after a copy, or before it is published"],
    [`${COMMAND} GW170814/run_0 --inputs`, "before it goes on on another machine"],
  ],
  more: "Changes nothing. Ends with 0 if all is good, with 65 if a file is not, with 66 if there is no run.",
};

export default defineCommand({
  meta: { name: "verify", description: HELP.summary },
  async run({ rawArgs }) {
    if (wantsHelp(rawArgs)) return printOut(renderHelp(HELP));
    const { positionals, flags } = parseCommandLine(rawArgs, FLAGS);
    if (positionals.length === 0)
      throw new DotpeError("usage", "no run directory given", `Write \`${COMMAND} RUNDIR\`.`);
    const [{ verifyRun }, { formatVerified }] = await Promise.all([
      import("../rundir/verify.ts"),
      import("../report/run-verify.ts"),
    ]);
    const isOn = (name: string) => flags.get(name)?.value === true;
    const all = positionals.map((rundir) => verifyRun(rundir, isOn("inputs")));
    await printOut(isOn("json") ? `${JSON.stringify(all, null, 1)}\n` : all.map(formatVerified).join("\n"));
    if (all.some(({ checks }) => checks.some(({ level }) => level === "fail")))
      process.exitCode = EXIT_CODES.badData;
  },
});
