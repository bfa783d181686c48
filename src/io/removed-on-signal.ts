/** Folders that are of no use to anybody once the process has ended. */
import { rmSync } from "node:fs";

const ENDINGS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** Runs `use`; a signal that ends the process meanwhile removes the folder first. */
export async function removedOnSignal<T>(folder: string, use: () => Promise<T>): Promise<T> {
  const end = (signal: NodeJS.Signals) => {
    rmSync(folder, { recursive: true, force: true });
    for (const one of ENDINGS) process.off(one, end);
    // Without a listener the signal does what it always does; another one has been told already.
    if (process.listenerCount(signal) === 0) process.kill(process.pid, signal);
  };
  for (const signal of ENDINGS) process.on(signal, end);
  try {
    return await use();
  } finally {
    for (const signal of ENDINGS) process.off(signal, end);
  }
}
