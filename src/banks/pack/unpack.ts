/** Unpacks a bank: waveforms in blocks of .npy files again, as dot_pe reads them. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { DotpeError } from "../../errors.ts";
import { openBank } from "../../gw/bank.ts";
import { bankFiles } from "../../gw/bank-reader.ts";
import type { Reporter } from "../../report/reporter.ts";
import { type BankShape, blockPlan, blocksOf } from "../block-writer.ts";
import { sumsOfBlocks } from "../checksums.ts";
import { withPool } from "../threads.ts";
import { copyRest, syncPath, withOutFolder } from "./out-folder.ts";
import type { UnpackPlan } from "./unpack-job.ts";

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
  const shape: BankShape = { n_i, blocksize: config.blocksize, n_m: from.n_m, n_b: from.n_b };
  return withOutFolder(options.out, async (folder) => {
    const started = performance.now();
    mkdirSync(join(folder, "waveforms"));
    const { chunkItems } = packed;
    const plan: UnpackPlan = { ...blockPlan(folder, shape), from, chunkItems };
    const stage = report.stage("unpack", n_i, "samples");
    const made = await withPool(options.nProcs, (pool) =>
      pool.run("unpack", plan, Math.ceil(n_i / chunkItems), (done) =>
        stage.update(Math.min(n_i, done * chunkItems)),
      ),
    );
    stage.update(n_i);
    stage.end();
    copyRest(options.bank, folder, sumsOfBlocks(folder, shape, made.flat()));
    syncPath(join(folder, "waveforms"));
    const seconds = (performance.now() - started) / 1000;
    const { header, size } = packed;
    return {
      ...{ folder: options.out, mode: header.mode, samples: n_i, blocks: blocksOf(shape) },
      ...{ packedBytes: size, rawBytes: header.rawBytes, seconds },
    };
  });
}
