/** Run by test/tune-log.test.ts: adds measurements to the log of a tune, says so, and waits to be killed, or goes on. */
import { openLog } from "../src/tune/log.ts";
import { HEADER, madeRecord } from "./tune-log-records.ts";

const [folder, n, then] = process.argv.slice(2);
const { log, warning } = openLog(HEADER, folder);
if (warning !== undefined) throw new Error(warning);
const first = log.known.length;
for (let k = first; k < first + Number(n); k++) {
  const problem = log.append(madeRecord(k));
  if (problem !== undefined) throw new Error(problem);
}
process.stdout.write(`${first}\n`);
if (then === "wait") await Bun.sleep(600_000);
if (then === "finish") log.finish();
