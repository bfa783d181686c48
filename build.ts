/**
 * Builds `dist/dotpe-hpc`: one executable with the program, its workers and the native kernels inside.
 * `make build` compiles the kernels into build/kernels first; native.ts embeds them from there.
 */
import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";

const ROOT = import.meta.dir;
const OUTPUT = join(ROOT, "dist/dotpe-hpc");
/** A Worker is found inside the binary only if it is an entry point of its own. */
const WORKER = join(ROOT, "src/workers/worker.ts");

async function build(): Promise<void> {
  mkdirSync(join(ROOT, "dist"), { recursive: true });
  const unfinished = `${OUTPUT}.new`;
  const result = await Bun.build({
    root: ROOT,
    entrypoints: [join(ROOT, "src/main.ts"), ...(existsSync(WORKER) ? [WORKER] : [])],
    target: "bun",
    minify: { whitespace: true, syntax: true, identifiers: false },
    compile: {
      outfile: unfinished,
      // Without these two the binary would run code named by files in the user's current folder.
      autoloadBunfig: false,
      autoloadDotenv: false,
    },
  });
  if (!result.success) throw new AggregateError(result.logs, "bun build failed");
  // A rename, so that a copy that is running stays whole.
  renameSync(unfinished, OUTPUT);
  console.log(`dist/dotpe-hpc  ${(Bun.file(OUTPUT).size / 1e6).toFixed(0)} MB`);
}

try {
  await build();
} catch (error) {
  rmSync(`${OUTPUT}.new`, { force: true });
  throw error;
}
