/** Run by test/tune-cache.test.ts: writes one entry again and again. Arguments: folder, number of writes, number of the writer. */
import { writeCached } from "../src/tune/cache.ts";
import { madeEntry } from "./tune-entries.ts";

const [folder, n, writer] = process.argv.slice(2);
for (let k = 0; k < Number(n); k++) {
  // Of very different lengths, so that a mixture of two could not be read.
  const change = { candidates: k + 1, host: `w${writer}-`.padEnd(10 + 24 * Number(writer), "x") };
  const written = writeCached(madeEntry("race", change), { user: folder, system: "/nonexistent" });
  if ("warning" in written) throw new Error(written.warning);
}
