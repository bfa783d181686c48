/** Runs that must fail, through the binary: one clear error, its exit code, and nothing left behind. */
import { describe, expect, test } from "bun:test";
import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { EXIT_CODES, type ExitName } from "../src/errors.ts";
import { FIXTURES, runBinary } from "./helpers.ts";
import { temporaryFolder } from "./io-helpers.ts";

export const SMALL_RUN = join(FIXTURES, "runs/small");
export const COARSE = ["--n-ext", "32", "--n-phi", "8", "--n-t", "16"];
/** With the reference's waveform and extrinsic samples: quick where an error comes late. */
export const GIVEN = [
  ...["--n-phi", "8", "--n-t", "16", "--reference", join(SMALL_RUN, "reference.npz")],
  ...["--extrinsic-samples", join(SMALL_RUN, "extrinsic_samples.feather")],
];

/** An exit name, what the message must name, and a function that gives the words after `run`, for a folder of its own. */
export type Case = [exit: ExitName, parts: string[], make: (own: string) => string[]];

/** One test a case. Where a case names no place for the results, they would go into a folder that is not there yet. */
export function describeCases(title: string, cases: Record<string, Case>): void {
  describe(title, () => {
    const folder = temporaryFolder();
    let n = 0;
    test.each(Object.entries(cases))("%s", async (_, [exit, parts, make]) => {
      const own = join(folder, `case-${n++}`);
      mkdirSync(own);
      const args = make(own);
      const isPlaced = args.includes("--rundir") || args.includes("--event-dir");
      const place = isPlaced ? [] : ["--rundir", join(own, "deep/out")];
      const before = readdirSync(own, { recursive: true }).sort();
      const { code, stdout, stderr } = await runBinary(["run", ...args, ...place, "--quiet"], { cwd: own });
      const [message, hint, ...more] = stderr.trimEnd().split("\n");
      expect(message).toStartWith("error: ");
      for (const part of parts) expect(message).toContain(part);
      expect(hint).toMatch(/^ {2}hint: .{10,}/);
      expect(more).toEqual([]);
      expect(code).toBe(EXIT_CODES[exit]);
      expect(stdout).toBe("");
      expect(readdirSync(own, { recursive: true }).sort()).toEqual(before);
      rmSync(own, { recursive: true });
    });
  });
}
