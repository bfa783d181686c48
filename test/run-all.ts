/**
 * Runs every test with `bun test` and ends with one line: `N passed, N failed`, and `, N skipped` if any were.
 * Fails if a test failed, if bun failed, or if nothing ran. The line is also left in build/test-summary.txt.
 */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CACHE } from "./helpers.ts";

const ROOT = join(import.meta.dir, "..");
/** Tests through the binary run whole inferences. */
const TIMEOUT_MS = 300_000;

export interface Tally {
  passed: number;
  failed: number;
  skipped: number;
}

/** Reads the counts that end bun's own report; `exitCode` not 0 is at least one failure. */
export function readTally(report: string, exitCode: number): Tally {
  const count = (word: string) => Number(report.match(new RegExp(`^\\s*(\\d+) ${word}$`, "m"))?.[1] ?? 0);
  const failed = Math.max(count("fail"), exitCode === 0 ? 0 : 1);
  return { passed: count("pass"), failed, skipped: count("skip") + count("todo") };
}

export function formatTally(tally: Tally): string {
  const line = `${tally.passed} passed, ${tally.failed} failed`;
  return tally.skipped > 0 ? `${line}, ${tally.skipped} skipped` : line;
}

/** Passes bun's report through to stderr as it comes, and keeps a copy. */
async function runBunTest(patterns: string[]): Promise<{ report: string; exitCode: number }> {
  const child = Bun.spawn([process.execPath, "test", `--timeout=${TIMEOUT_MS}`, ...patterns], {
    cwd: ROOT,
    stdout: "inherit",
    stderr: "pipe",
  });
  let report = "";
  const decoder = new TextDecoder();
  for await (const chunk of child.stderr) {
    process.stderr.write(chunk);
    report += decoder.decode(chunk, { stream: true });
  }
  return { report: Bun.stripANSI(report), exitCode: await child.exited };
}

if (import.meta.main) {
  rmSync(CACHE, { recursive: true, force: true });
  const { report, exitCode } = await runBunTest(process.argv.slice(2));
  const tally = readTally(report.slice(report.lastIndexOf("\n\n")), exitCode);
  const line = formatTally(tally);
  mkdirSync(join(ROOT, "build"), { recursive: true });
  writeFileSync(join(ROOT, "build/test-summary.txt"), `${line}\n`);
  console.log(line);
  process.exitCode = tally.failed > 0 || tally.passed === 0 ? 1 : 0;
}
