/** Entries of the cache of settings, made up for its tests. */
import { join } from "node:path";
import type { CacheEntry } from "../src/tune/entry.ts";
import { signatureId } from "../src/tune/signature.ts";

export function madeEntry(
  workload = "d3 m4 b384 t128 o64 e1024 i16k",
  change: Partial<CacheEntry> = {},
): CacheEntry {
  const parts = { cpu: "AMD EPYC 7763 64-Core Processor", cores: "8", workload };
  return {
    ...{ signature: { id: signatureId(parts), parts }, version: "0.1.0", host: "node17" },
    created: "2026-01-31T12:00:00.000Z",
    setting: {
      ...{ n_procs: 8, iBatch: 128, batchesPerTask: 2, iTile: 16, eTile: 256 },
      ...{ kernel: "x86-64-v3", smt: false },
    },
    ...{ rate: 1.5e6, unit: "likelihoods", defaultRate: 1.2e6, gain: 1.25, error: 0.004 },
    ...{ candidates: 41, seconds: 18.2, search: "halving" },
    ...change,
  };
}

let n_places = 0;
/** Folders of one test under the temporary one of its file; neither is made. */
export function newPlaces(folder: string): { user: string; system: string } {
  n_places++;
  return { user: join(folder, `${n_places}/cache/dotpe`), system: join(folder, `${n_places}/etc`) };
}
