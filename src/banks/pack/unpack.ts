/** Unpacks a bank: waveforms in blocks of .npy files again, as dot_pe reads them. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { DotpeError } from "../../errors.ts";
import { openBank } from "../../gw/bank.ts";
import { bankFiles } from "../../gw/bank-reader.ts";
import { writeAt } from "../../io/atomic-write.ts";
import { encodeHeader } from "../../io/npy-write.ts";
import type { Reporter } from "../../report/reporter.ts";
import { withPool } from "../threads.ts";
import { copyRest, syncPath, withOutFolder } from "./out-folder.ts";
import { blockParts, type UnpackPlan } from "./unpack-job.ts";

export interface UnpackOptions {
  readonly bank: string;
  readonly out: string;
  readonly nProcs: number | undefined;
}

export interface UnpackedBank {
  readonly folder: string;
  readonly mode: "exact" | "rounded";
  readonly samples: number;
  readonly blocks: number;
  /** Of the waveforms: packed, and as numbers. */
  readonly packedBytes: number;
  readonly rawBytes: number;
  readonly seconds: number;
}

/** Writes the bank `out`. @throws DotpeError as `openBank`; badData if it is not packed, or damaged; cannotCreate. */
export async function unpackBank(options: UnpackOptions, report: Reporter): Promise<UnpackedBank> {
  const bank = openBank(options.bank, "bank");
  const { packed, config, n_i } = bank;
  if (packed === null)
    throw new DotpeError("badData", `bank ${options.bank}: is not packed`, "It can be used as it is.");
  const from = bankFiles(bank);
  const { blocksize } = config;
  const blocks = Math.ceil(n_i / blocksize);
  const headerOf = (block: number) =>
    encodeHeader("<f8", [Math.min(blocksize, n_i - block * blocksize), from.n_m, 2, from.n_b]);
  return withOutFolder(options.out, async (folder) => {
    const started = performance.now();
    mkdirSync(join(folder, "waveforms"));
    const plan: UnpackPlan = {
      ...{ from, chunkItems: packed.chunkItems, folder, blocksize },
      headerBytes: [headerOf(0).length, headerOf(blocks - 1).length],
      tag: `${process.pid}-${Bun.randomUUIDv7()}`,
    };
    const stage = report.stage("unpack", n_i, "samples");
    await withPool(options.nProcs, (pool) =>
      pool.run("unpack", plan, Math.ceil(n_i / plan.chunkItems), (done) =>
        stage.update(Math.min(n_i, done * plan.chunkItems)),
      ),
    );
    stage.update(n_i);
    stage.end();
    for (let block = 0; block < blocks; block++) {
      const header = headerOf(block);
      const n = Math.min(blocksize, n_i - block * blocksize);
      for (const file of blockParts(plan, block)) {
        writeAt(file, header, 0);
        file.commit(header.length + 8 * n * 2 * from.n_m * from.n_b);
      }
    }
    copyRest(options.bank, folder);
    syncPath(join(folder, "waveforms"));
    const seconds = (performance.now() - started) / 1000;
    const { header, size } = packed;
    return {
      ...{ folder: options.out, mode: header.mode, samples: n_i, blocks },
      ...{ packedBytes: size, rawBytes: header.rawBytes, seconds },
    };
  });
}
