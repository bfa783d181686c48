/** Stage 6: drawn rows, read back from their file chunk by chunk. */
import { sampleDistance } from "../gw/distance.ts";
import { sharedF64, sharedI32 } from "../workers/arena.ts";
import type { Pool } from "../workers/pool.ts";
import { chunkAt } from "./chunks.ts";
import type { Keeper } from "./keeper.ts";
import type { MergedSums } from "./merged-sums.ts";
import { placeOf } from "./row-files.ts";
import { type FinishPlan, readChunk, sampleRows, type WrittenRows } from "./row-finish.ts";
import {
  distanceShares,
  drawShares,
  evenShares,
  type SampleRows,
  type SampleSources,
  sampleTable,
  shownTable,
  type TableColumn,
} from "./sample-table.ts";

export interface DrawInput extends SampleSources {
  readonly options: { readonly seed: number };
}

/**
 * Draws rows by weight, and gives the rows in the files their weights on the way.
 * @param n_draws rows with replacement, each with probability proportional to its weight; all of weight 1
 * @returns them as columns of samples.feather, and a table for `parameterSummaries` of samples of equal weight spread over
 * all rows
 */
export async function drawSamples(
  pool: Pool,
  rows: WrittenRows,
  { weight_c }: MergedSums,
  n_draws: number,
  input: DrawInput,
  keeper: Keeper,
): Promise<{ samples: TableColumn[]; table: TableColumn[] }> {
  const { seed } = input.options;
  const shares = Float64Array.of(...drawShares(n_draws, seed), ...evenShares());
  const plan: FinishPlan = {
    ...rows,
    n_draws,
    ...placePicks(shares, weight_c),
    seed,
    picked: sampleRows(shares.length),
  };
  const shouldStop = () => keeper.isEnding();
  await pool.run("finish", plan, rows.grid.n_chunks, undefined, { shouldStop });
  keeper.goOn();
  const drawn = cutRows(plan.picked, 0, n_draws);
  return {
    samples: sampleTable(drawn, new Float64Array(n_draws).fill(1), input),
    table: shownTable(cutRows(plan.picked, n_draws, shares.length), input),
  };
}

/** Which chunk each share of the cumulative weights falls into, and where in it. */
export function placePicks(shares: Float64Array, weight_c: Float64Array) {
  const n_c = weight_c.length;
  const before_c = new Float64Array(n_c + 1);
  for (let c = 0; c < n_c; c++) before_c[c + 1] = before_c[c] + weight_c[c];
  const last = weight_c.findLastIndex((weight) => weight > 0);
  const position = shares.map((share) => share * before_c[n_c]);
  const order = Int32Array.from(shares.keys()).sort((a, b) => position[a] - position[b] || a - b);
  const firstPick_c = sharedI32(n_c + 1);
  const target = sharedF64(shares.length);
  let c = 0;
  order.forEach((pick, x) => {
    while (c < last && !(before_c[c + 1] > position[pick])) firstPick_c[++c] = x;
    target[pick] = position[pick] - before_c[c];
  });
  firstPick_c.fill(shares.length, c + 1);
  const pick_x = sharedI32(shares.length);
  pick_x.set(order);
  return { firstPick_c, pick_x, target };
}

function cutRows(rows: SampleRows, start: number, end: number): SampleRows {
  const parts = Object.entries(rows).map(([name, values]) => [name, values.slice(start, end)]);
  return Object.fromEntries(parts) as SampleRows;
}

/** Every row once with its weight, a chunk at a time. */
export function* everySample(rows: WrittenRows, input: DrawInput): Generator<TableColumn[]> {
  const { grid, bank_j, progress, lnTotal_k, lnMerged } = rows;
  let first = 0;
  for (let c = 0; c < grid.n_chunks; c++) {
    const n = placeOf(progress, c, "merged").n_rows;
    if (n === 0) continue;
    const batch = readChunk(rows, c);
    const { bank } = chunkAt(grid, bank_j, c);
    const share = distanceShares(n, input.options.seed, first);
    const integers = (name: "i" | "e" | "o") => {
      const words = batch.words(name);
      return new Int32Array(n).map((_, r) => words[2 * r]);
    };
    const [d_h_1Mpc, h_h_1Mpc] = [batch.numbers("d_h_1Mpc"), batch.numbers("h_h_1Mpc")];
    const ln_posterior = batch.numbers("ln_posterior");
    const d_luminosity = share.map((u, r) => sampleDistance(u, d_h_1Mpc[r], h_h_1Mpc[r]));
    const samples: SampleRows = {
      ...{ bank: new Int32Array(n).fill(bank), i: integers("i"), e: integers("e"), o: integers("o") },
      ...{ ln_posterior, d_h_1Mpc, h_h_1Mpc, d_luminosity },
      lnl_marginalized: batch.numbers("lnl_marginalized"),
      bestfit_lnlike: batch.numbers("bestfit_lnlike"),
    };
    const lnWeight = lnTotal_k[bank] + lnMerged;
    yield sampleTable(
      samples,
      ln_posterior.map((ln) => Math.exp(ln - lnWeight)),
      input,
    );
    first += n;
  }
}
