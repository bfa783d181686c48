/** Small runs of the binary, complete and interrupted, for tests of what looks at run directories. */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { savedStates } from "../src/rundir/saved-states.ts";
import { BINARY, CACHE, runBinary } from "./helpers.ts";
import { BANK, EVENT } from "./make-inputs.ts";

export const argsOf = (rundir: string, n_ext: number) => [
  ...["run", EVENT, BANK, BANK, "--rundir", rundir, "--n-ext", `${n_ext}`, "--n-procs", "1", "--no-tune"],
  ...["--quiet", "--checkpoint-interval", "0"],
];

export async function makeRun(rundir: string): Promise<void> {
  const { code, stderr } = await runBinary(argsOf(rundir, 128));
  if (code !== 0) throw new Error(stderr);
}

/** Rows of some chunks are saved, not of all. */
export function hasSomeRows(rundir: string): boolean {
  const state = savedStates(join(rundir, "checkpoint")).find(({ name }) => name === "coherent");
  return state?.unit === "chunks of rows" && (state.done ?? 0) > 0 && state.done !== state.total;
}

/**
 * A run that gets a signal as soon as `isTime`.
 * @returns its exit code
 */
export async function interruptRun(
  rundir: string,
  signal: NodeJS.Signals,
  isTime: (rundir: string) => boolean = hasSomeRows,
): Promise<number> {
  for (;;) {
    rmSync(rundir, { recursive: true, force: true });
    const env = { ...process.env, XDG_CACHE_HOME: CACHE };
    const child = Bun.spawn([BINARY, ...argsOf(rundir, 2048)], { env, stdout: "ignore", stderr: "ignore" });
    while (child.exitCode === null && !isTime(rundir)) await Bun.sleep(5);
    child.kill(signal);
    const code = await child.exited;
    if (code !== 0) return code;
    // It was faster.
  }
}
