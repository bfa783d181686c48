/** A whole run on machines that are made up: several caches, several NUMA nodes, more cores than there are here. */
import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Machine } from "../src/machine/machine.ts";
import { parseRunOptions } from "../src/options.ts";
import { runInference } from "../src/pipeline.ts";
import { SILENT_REPORTER } from "../src/report/reporter.ts";
import { allAllowed, type MadeMachine, madeTopology } from "./made-topology.ts";
import { BANK, EVENT } from "./make-inputs.ts";

const folder = mkdtempSync(join(tmpdir(), "placed-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function rowsOf(name: string, made: MadeMachine, ...flags: string[]): Promise<Buffer> {
  const rundir = join(folder, name);
  const topology = madeTopology(made);
  const machine: Machine = { topology, allowed: allAllowed(topology) };
  const options = parseRunOptions([
    EVENT,
    BANK,
    "--n-ext",
    "256",
    "--seed",
    "3",
    "--rundir",
    rundir,
    ...flags,
  ]);
  await runInference(options, SILENT_REPORTER, { machine });
  return readFileSync(join(rundir, "prob_samples.feather"));
}

test("tasks by cache and tables by NUMA node leave every byte as it is", async () => {
  const alone = await rowsOf("alone", {}, "--n-procs", "1");
  const two = await rowsOf("two", { sockets: 2, cachesPerNode: 2, coresPerCache: 1 }, "--n-procs", "4");
  const packed = ["--n-procs", "5", "--placement", "pack"];
  const three = await rowsOf("three", { sockets: 2, nodesPerSocket: 2, coresPerCache: 2 }, ...packed);
  expect(two.equals(alone)).toBeTrue();
  expect(three.equals(alone)).toBeTrue();
}, 120_000);
