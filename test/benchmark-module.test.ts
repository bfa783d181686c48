/** `run --benchmark` and `tune --benchmark` through the compiled binary: workloads of a user's own. */
import { expect, test } from "bun:test";
import { cpSync, readFileSync } from "node:fs";
import { join } from "node:path";
import ldpc from "../examples/ldpc/ldpc.ts";
import { EXIT_CODES } from "../src/errors.ts";
import { runBinary } from "./helpers.ts";
import { temporaryFolder, writeTemporary } from "./io-helpers.ts";

const ROOT = join(import.meta.dir, "..");
const folder = temporaryFolder();
/** A copy: the example needs nothing of the repository. */
const LDPC = join(folder, "ldpc/ldpc.ts");
cpSync(join(ROOT, "examples/ldpc"), join(folder, "ldpc"), { recursive: true });
const MINUTE = 60_000;

/** Away from the repository, with a cache of settings of its own. */
async function call(...args: string[]) {
  const { code, stdout, stderr } = await runBinary(args, { cwd: folder, env: { XDG_CACHE_HOME: folder } });
  return { code, stdout, stderr, lines: stdout.trimEnd().split("\n") };
}

const options = (...pairs: string[]) => pairs.flatMap((pair) => ["--benchmark-option", pair]);

/** A module with some fields replaced: 1000 units, the result is their sum. */
function made(name: string, fields: string): string {
  const text = `
    const module = {
      name: "${name}",
      unit: "numbers",
      prepare: () => null,
      size: () => 1000,
      open() {
        let sum = 0;
        const run = (first, end) => { for (let n = first; n < end; n++) sum += n; };
        return { run, result: () => sum };
      },
      reduce: (_, sums) => sums.reduce((a, b) => a + b, 0),
      check(_, sum, n) { if (sum !== (n * (n - 1)) / 2) throw new Error("wrong sum " + sum); },
    };
    export default { ...module, ${fields} };`;
  return writeTemporary(folder, `${name}.ts`, text);
}

test(
  "the decoder: the same answer with 1, 2, 5 workers, any batch and tile, and without the program",
  async () => {
    const given = { n: "512", p: "0.065", frames: "301", seed: "4" };
    const plan = ldpc.prepare(given);
    const alone = ldpc.open(plan, { batch: 301, tile: 8 });
    alone.run(0, 301);
    const result = ldpc.reduce(plan, [alone.result()]);
    ldpc.check(plan, result, 301);
    const expected = ldpc.report(plan, result);
    expect(expected.at(-1)).toMatch(/^checksum +[0-9a-f]{16}$/);
    const cuts = [
      ["1", "64", "1", "8"],
      ["2", "16", "4", "64"],
      ["5", "1", "1", "16"],
      ["5", "1000", "8", "32"],
    ];
    for (const [n_procs, iBatch, batches, tile] of cuts) {
      const cut = [
        ...["--n-procs", n_procs, "--i-batch", iBatch],
        ...["--batches-per-task", batches, "--i-tile", tile],
      ];
      const pairs = options(...Object.entries(given).map(([key, value]) => `${key}=${value}`));
      const { code, lines, stderr } = await call("run", "--benchmark", LDPC, ...pairs, ...cut);
      expect(stderr).toContain(`settings: ${n_procs} thread`);
      expect({ code, lines: lines.slice(0, -1) }).toEqual({ code: 0, lines: expected });
      expect(lines.at(-1)).toStartWith("301 frames in ");
    }
  },
  MINUTE,
);

test(
  "the example of docs/benchmark-modules.md runs as it stands, is tuned, and the setting is used",
  async () => {
    const text = readFileSync(join(ROOT, "docs/benchmark-modules.md"), "utf8").match(
      /```js\n([\s\S]+?)```/,
    )![1];
    writeTemporary(folder, "primes.ts", text);
    const run = ["run", "--benchmark", "primes.ts", ...options("limit=10000")];
    const before = await call(...run);
    // pi(10^4): oeis.org/A006880.
    expect([before.code, before.lines[0]]).toEqual([0, "1229 primes below 10000"]);
    expect(before.stderr).toContain("(built-in)");
    const tuned = await call("tune", "--benchmark", "primes.ts", ...options("limit=10000"), "--budget", "3s");
    expect(tuned.stdout).toContain("numbers/s");
    expect(tuned.stdout).toContain(`remembered in ${folder}`);
    expect(tuned.code).toBe(0);
    const after = await call(...run);
    expect([after.code, after.lines[0]]).toEqual([0, "1229 primes below 10000"]);
    expect(after.stderr).toContain("(tuned)");
    const other = await call("run", "--benchmark", "primes.ts", ...options("limit=100"));
    expect(other.stderr).toContain("(built-in)");
    expect(other.lines[0]).toBe("25 primes below 100");
  },
  MINUTE,
);

test(
  "tune leaves out what is wrong",
  async () => {
    const open = `open() { let calls = 0; return { run() { calls++; }, result: () => calls }; }, check() {}`;
    const calls = await call("tune", "--benchmark", made("calls", open), "--budget", "2s");
    expect(calls.stderr).toContain("it depends on how the work is cut");
    const wrong = made("wrong", `reduce: (_, sums) => 1 + sums.reduce((a, b) => a + b, 0)`);
    const refused = await call("tune", "--benchmark", wrong, "--budget", "2s");
    // The sum of 0 .. 63 is 2016.
    expect(refused.stderr).toContain("wrong sum 2017");
    expect(refused.code).not.toBe(0);
  },
  MINUTE,
);

test(
  "what is wrong with a module is said with its name",
  async () => {
    const throwing = `open: () => ({ run(first) { if (first > 500) throw new Error("not " + first); }, result: () => 0 })`;
    const syntax = writeTemporary(folder, "syntax.ts", "export default {");
    const empty = writeTemporary(folder, "empty.ts", "export const name = 1;");
    const cases: [string[], keyof typeof EXIT_CODES, string][] = [
      [["none.ts"], "noInput", "none.ts: cannot be loaded"],
      [[syntax], "noInput", "syntax.ts: cannot be loaded"],
      [[empty], "badData", "empty.ts: default export: prepare: found undefined, expected a function"],
      [[made("no-open", "open: 3")], "badData", "no-open.ts: default export: open: found number"],
      [[made("Name", "")], "badData", "Name.ts: default export: name: "],
      [[made("tiles", "tiles: [0]")], "badData", "tiles.ts: default export: tiles: "],
      [
        [made("size", "size: () => 2.5")],
        "badData",
        "size.ts: size: found 2.5, expected a whole number above 0",
      ],
      [
        [made("async", `prepare: async () => { throw new Error("no table"); }`)],
        "badData",
        "prepare: no table",
      ],
      [[made("throws", throwing), "--n-procs", "1", "--i-batch", "9"], "badData", "throws.ts: run: not "],
      [[made("throws", throwing), "--n-procs", "2", "--i-batch", "9"], "badData", "throws.ts: run: not "],
      [[made("text", `report() { throw "no line"; }`)], "badData", "text.ts: report: no line"],
      [[LDPC, ...options("p=0.7")], "badData", "ldpc.ts: prepare: p=0.7: expected 0 to 0.5"],
      [[LDPC, "--benchmark-option", "p"], "usage", "--benchmark-option: found p, expected KEY=VALUE"],
    ];
    for (const [args, exit, message] of cases) {
      const { code, stderr } = await call("run", "--benchmark", ...args);
      expect(stderr).toContain(message);
      expect([args, code]).toEqual([args, EXIT_CODES[exit]]);
    }
    const good = await call("run", "--benchmark", made("good", ""));
    expect([good.code, good.lines[0]]).toEqual([0, "499500"]);
  },
  MINUTE,
);
