import { describe, expect, test } from "bun:test";
import { closeSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  editDistance,
  type FlagSpec,
  nearestName,
  parseCommandLine,
  renderHelp,
  toCamel,
  toKebab,
  wantsHelp,
} from "../src/cli.ts";
import { EXIT_CODES, type ExitName } from "../src/errors.ts";
import { RUN_FLAGS } from "../src/option-table.ts";
import { BINARY, runBinary } from "./helpers.ts";
import { temporaryFolder, thrownBy } from "./io-helpers.ts";
import { formatTally, readTally } from "./run-all.ts";

const temporary = temporaryFolder();

const SPECS: FlagSpec[] = [
  { name: "n-ext", kind: "value", hint: "N", group: "A", help: "samples" },
  { name: "n-phi", kind: "value", hint: "N", group: "A", help: "phases" },
  { name: "i-batch", kind: "value", aliases: ["blocksize"], hint: "N", group: "B", help: "batch" },
  { name: "n-int", kind: "list", hint: "N", group: "B", help: "bank samples" },
  { name: "draw-subset", kind: "switch", group: "B", help: "draw" },
];

describe("command line", () => {
  test("values, equals signs, snake_case, lists, switches, positionals", () => {
    const argv = ["event", "--n_ext", "5", "--n-int=a=3", "--n-int", "b=4", "bank", "--no-draw-subset"];
    const { positionals, flags } = parseCommandLine(argv, SPECS);
    expect(positionals).toEqual(["event", "bank"]);
    expect(flags.get("n-ext")).toEqual({ value: "5", spelling: "--n_ext" });
    expect(flags.get("n-int")?.value).toEqual(["a=3", "b=4"]);
    expect(flags.get("draw-subset")?.value).toBe(false);
  });

  test("words after -- are positionals, and a number may be negative", () => {
    const { positionals, flags } = parseCommandLine(["--n-ext", "-3", "--", "--n-phi"], SPECS);
    expect(flags.get("n-ext")?.value).toBe("-3");
    expect(positionals).toEqual(["--n-phi"]);
    expect(wantsHelp(["a", "--", "--help"])).toBe(false);
    expect(wantsHelp(["a", "-h"])).toBe(true);
  });

  test("an unknown option names the nearest", () => {
    const error = thrownBy(() => parseCommandLine(["--n-exy", "3"], SPECS));
    expect(error.exit).toBe("usage");
    expect(error.message).toContain("--n-exy");
    expect(error.hint).toBe("Did you mean --n-ext?");
    expect(thrownBy(() => parseCommandLine(["--zzzzzz"], SPECS)).hint).toContain("--help");
    expect(thrownBy(() => parseCommandLine(["-n", "3"], SPECS)).message).toContain("-n");
  });

  test("only switches can be negated or stand alone", () => {
    expect(thrownBy(() => parseCommandLine(["--no-n-ext"], SPECS)).message).toContain("unknown option");
    expect(thrownBy(() => parseCommandLine(["--draw-subset=5"], SPECS)).message).toContain(
      "expected no value",
    );
    expect(thrownBy(() => parseCommandLine(["--n-ext"], SPECS)).message).toContain("found no value");
    expect(thrownBy(() => parseCommandLine(["--n-ext", "--n-phi"], SPECS)).message).toContain(
      "found no value",
    );
  });

  test("one option with two values is an error that shows both spellings; the same value is not", () => {
    const argv = ["--blocksize", "1", "--i_batch", "2"];
    const { message } = thrownBy(() => parseCommandLine(argv, SPECS));
    expect(message).toContain("--blocksize 1");
    expect(message).toContain("--i_batch 2");
    expect(parseCommandLine(["--blocksize", "1", "--i-batch", "1"], SPECS).flags.get("i-batch")?.value).toBe(
      "1",
    );
  });

  test("options that need no equivalent say why", () => {
    const error = thrownBy(() =>
      parseCommandLine(["--mchirp_guess", "3"], SPECS, { "mchirp-guess": "because" }),
    );
    expect(error.hint).toBe("because");
  });
});

describe("names", () => {
  test("edit distance counts insertions, deletions, substitutions and swaps", () => {
    expect(editDistance("", "abc")).toBe(3);
    expect(editDistance("kitten", "sitting")).toBe(3);
    expect(editDistance("n-etx", "n-ext")).toBe(1);
  });

  test("nearest name: a unique beginning first, none if all are far", () => {
    expect(nearestName("draw", ["draw-subset", "drop"])).toBe("draw-subset");
    expect(nearestName("quite", ["quiet", "json"])).toBe("quiet");
    expect(nearestName("frobnicate", ["quiet", "json"])).toBeUndefined();
  });

  test("spellings", () => {
    expect(toKebab("coherent_score_min_n_effective_prior")).toBe("coherent-score-min-n-effective-prior");
    expect(toKebab("nPhiIncoherent")).toBe("n-phi-incoherent");
    expect(toCamel("n-phi-incoherent")).toBe("nPhiIncoherent");
  });
});

describe("help", () => {
  test("is plain, grouped, no wider than 100 columns, and has every flag", () => {
    const page = renderHelp({
      summary: "Summary.",
      usage: "usage",
      positionals: [["EVENT", "event"]],
      flags: RUN_FLAGS,
      examples: [["command", "why"]],
      more: "more",
    });
    expect(page).not.toContain("\x1b");
    for (const line of page.split("\n")) expect(line.length).toBeLessThanOrEqual(100);
    for (const flag of RUN_FLAGS) {
      expect(page).toContain(`  --${flag.name}`);
      expect(page).toContain(`\n${flag.group}:\n`);
    }
  });
});

describe("the end of the test run", () => {
  const report =
    "\n 12 pass\n 2 skip\n 1 todo\n 3 fail\n 40 expect() calls\nRan 18 tests across 2 files. [1s]\n";
  test("is one line of counts", () => {
    expect(formatTally(readTally(report, 1))).toBe("12 passed, 3 failed, 3 skipped");
    expect(formatTally(readTally(" 2 pass\n 0 fail\n", 0))).toBe("2 passed, 0 failed");
  });
  test("a crash is a failure", () => {
    expect(formatTally(readTally("", 139))).toBe("0 passed, 1 failed");
    expect(readTally(" 5 pass\n 0 fail\n", 1).failed).toBe(1);
  });
});

describe("the binary", () => {
  async function expectError(args: string[], exit: ExitName, ...parts: string[]) {
    const { code, stdout, stderr } = await runBinary(args);
    for (const part of parts) expect(stderr).toContain(part);
    expect(stderr).toStartWith("error: ");
    expect(stderr).toContain("\n  hint: ");
    expect(stderr).not.toContain("\x1b");
    expect(stdout).toBe("");
    expect(code).toBe(EXIT_CODES[exit]);
  }

  test("--help lists the commands, and each describes itself", async () => {
    const { code, stdout, stderr } = await runBinary(["--help"]);
    expect(code).toBe(0);
    expect(stderr).toBe("");
    const commands = stdout
      .split("Commands:\n")[1]
      .match(/^ {2}\w+/gm)!
      .map((word) => word.trim());
    expect(commands).toContain("run");
    for (const command of commands.filter((name) => name !== "version")) {
      const help = await runBinary([command, "--help"]);
      expect(help.code).toBe(0);
      expect(help.stdout).toContain(`Usage: dotpe-hpc ${command}`);
      expect(help.stdout).not.toContain("\x1b");
    }
  });

  test("--version and version agree", async () => {
    const short = await runBinary(["--version"]);
    expect(short.stdout).toMatch(/^dotpe-hpc \d+\.\d+\.\d+ /);
    expect(await runBinary(["version"])).toEqual(short);
  });

  test("no command is a usage error that shows the commands", async () => {
    const { code, stdout } = await runBinary([]);
    expect(code).toBe(EXIT_CODES.usage);
    expect(stdout).toContain("Commands:");
  });

  test("unknown command and unknown option name the nearest", async () => {
    await expectError(["rum"], "usage", "rum", "Did you mean run?");
    await expectError(["run", "e", "b", "--n-exta", "3"], "usage", "--n-exta", "Did you mean --n-ext?");
    await expectError(["version", "--n-ext"], "usage", "--n-ext");
  });

  test("a bad value names the flag, what was found and what was expected", async () => {
    await expectError(
      ["run", "e", "b", "--n-ext", "many"],
      "usage",
      "--n-ext",
      "found many",
      "expected a whole",
    );
  });

  test("a missing configuration file has its own exit code", async () => {
    await expectError(["run", "e", "b", "--config", "missing.yaml"], "noInput", "missing.yaml");
  });

  test("a full or closed output ends the program, with its own code or silently", async () => {
    const shell = (script: string) => Bun.spawnSync(["sh", "-c", script, BINARY], { stderr: "pipe" });
    const full = shell(`"$0" run --help > /dev/full`);
    expect(full.stderr.toString()).toContain("standard output");
    expect(full.exitCode).toBe(EXIT_CODES.cannotCreate);
    expect(shell(`"$0" run --n-exy 2> /dev/full`).exitCode).toBe(EXIT_CODES.usage);
    const closed = shell(`"$0" run --help | true`);
    expect(closed.stderr.toString()).toBe("");
  });

  test("output is appended to a file that is open for appending, as make opens it", async () => {
    const path = join(temporary, "log");
    writeFileSync(path, "before\n");
    const log = openSync(path, "a");
    const child = Bun.spawn([BINARY, "run", "--help"], { stdout: log, stderr: log });
    await child.exited;
    closeSync(log);
    const help = (await runBinary(["run", "--help"])).stdout;
    expect(readFileSync(path, "utf8")).toBe(`before\n${help}`);
  });

  test("--json puts the error on standard output too", async () => {
    const { code, stdout, stderr } = await runBinary(["run", "e", "--json"]);
    expect(code).toBe(EXIT_CODES.usage);
    expect(stderr).toContain("no bank folder");
    const { error } = JSON.parse(stdout);
    expect(error).toMatchObject({ exit: "usage", code: EXIT_CODES.usage });
    expect(error.message).toContain("no bank folder");
    expect(error.hint.length).toBeGreaterThan(10);
  });
});
