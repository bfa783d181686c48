/** The threads of work on banks. */
import { thisMachine } from "../machine/machine.ts";
import { placeWorkers } from "../machine/placement.ts";
import { Pool } from "../workers/pool.ts";

/** Starts threads for `use`, and ends them. @param n_procs undefined: as many as may be used. */
export async function withPool<T>(n_procs: number | undefined, use: (pool: Pool) => Promise<T>): Promise<T> {
  const { topology, allowed } = thisMachine();
  const { seats } = placeWorkers(topology, allowed, { smt: false, placement: "auto", n_procs });
  const pool = new Pool(seats, "auto");
  try {
    pool.start();
    return await use(pool);
  } finally {
    pool.close();
  }
}
