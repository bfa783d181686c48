/** What tests share: where things are, and how to run the compiled binary. */
import { existsSync } from "node:fs";
import { join } from "node:path";

const ROOT = join(import.meta.dir, "..");

/** The compiled program, as `make build` leaves it. */
export const BINARY = join(ROOT, "dist/dotpe-hpc");
/** Inputs and reference results that are part of the repository. */
export const FIXTURES = join(ROOT, "test/fixtures");
/** Larger reference data beside the repository; may be absent: `test.skipIf(!existsSync(SHARED))`. */
export const SHARED = join(ROOT, "../shared/reference");

/** The user's own settings are neither read nor changed. */
export const CACHE = join(ROOT, "build/test-cache");

export interface BinaryResult {
  /** Exit code; 128 + signal number if a signal ended it. */
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs `dist/dotpe-hpc` with these arguments, off a terminal. */
export async function runBinary(
  args: readonly string[],
  settings: { cwd?: string; env?: Record<string, string> } = {},
): Promise<BinaryResult> {
  if (!existsSync(BINARY)) throw new Error("dist/dotpe-hpc is missing: run `make build` first");
  const child = Bun.spawn([BINARY, ...args], {
    cwd: settings.cwd ?? ROOT,
    env: { ...process.env, XDG_CACHE_HOME: CACHE, ...settings.env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [stdout, stderr, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { code, stdout, stderr };
}
