/** Signals that ask a run to end: it saves what is done first. A second one ends it at once. */
import type { Interrupt } from "../interrupt.ts";
import type { Reporter } from "../report/reporter.ts";

/** Ctrl-C, a closed terminal; Slurm's end of a job, and what `--signal` sends before it. */
const SIGNALS = ["SIGINT", "SIGHUP", "SIGTERM", "SIGUSR1", "SIGUSR2"] as const;

/** Runs `action` and passes signals on to `interrupt` meanwhile. */
export async function endedBySignals<T>(
  interrupt: Interrupt,
  { note }: Pick<Reporter, "note">,
  action: () => Promise<T>,
): Promise<T> {
  const listen = (signal: NodeJS.Signals) => {
    if (interrupt.signal !== undefined) {
      // Without a listener the signal does what it always does.
      for (const one of SIGNALS) process.off(one, listen);
      process.kill(process.pid, signal);
      return;
    }
    note(`${signal}: saving what is done; a second signal ends at once`);
    interrupt.request(signal);
  };
  for (const signal of SIGNALS) process.on(signal, listen);
  try {
    return await action();
  } finally {
    for (const signal of SIGNALS) process.off(signal, listen);
  }
}
