/** Unusual paths, links, disks, limits, streams and variables: one line each, through the binary (docs/environment.md). */
import { expect } from "bun:test";
import { existsSync, realpathSync } from "node:fs";
import { join } from "node:path";
import {
  describeLines,
  type Ended,
  expectWhole,
  fails,
  failsWithoutTrace,
  type Line,
  namesIn,
  works,
} from "./environment-lines.ts";
import { EVENT } from "./make-inputs.ts";

/** Event, bank and results in a folder of this name. */
function inFolder(name: string): Line {
  return {
    env: { NAME: name },
    sh: 'mkdir -p "$NAME"; ln -s "$EVENT" "$NAME/e.npz"; ln -s "$BANK" "$NAME/bank"; exec "$@"',
    inputs: [`${name}/e.npz`, `${name}/bank`],
    rundir: `${name}/out`,
    outcome: works,
  };
}

const LINKED = { sh: 'ln -s "$EVENT" e.npz; ln -s "$BANK" bank; exec "$@"', inputs: ["e.npz", "bank"] };
/** BYTE in a word becomes the byte 0xff; beside it lies what the runtime makes of such a name, which must not be taken. */
const STRANGE = `for name in $'a\\xff' $'a\\uFFFD'; do mkdir $name; ln -s "$EVENT" $name/e.npz; ln -s "$BANK" $name/bank; done
  exec "\${@/BYTE/$'\\xff'}"`;
const notUtf8 = failsWithoutTrace("usage", "a\ufffd", "bytes that are not UTF-8");

describeLines("paths", {
  "blanks, quotes, new lines, escapes, other alphabets; a name of 255 bytes": inFolder(
    `a b'c"d\ne\u001b[31m$(touch owned)\`x\`*\\🌌é/${"n".repeat(255)}`,
  ),
  "a name of 256 bytes": {
    rundir: "n".repeat(256),
    outcome: failsWithoutTrace("cannotCreate", "n".repeat(256), "ENAMETOOLONG"),
  },
  "a path of 3,800 bytes": inFolder(`${"n".repeat(199)}/`.repeat(18) + "n".repeat(100)),
  "a path of 4,020 bytes: of the folder, not of its files": {
    rundir: `${`${"n".repeat(199)}/`.repeat(20)}${"n".repeat(20)}`,
    outcome: fails("cannotCreate", "ENAMETOOLONG"),
  },
  "a path of 4,500 bytes": {
    rundir: "n/".repeat(2250),
    outcome: failsWithoutTrace("cannotCreate", "ENAMETOOLONG"),
  },
  "an event of 4,500 bytes": {
    inputs: ["n/".repeat(2250), "bank"],
    outcome: failsWithoutTrace("noInput", "ENAMETOOLONG"),
  },
  "the character that stands for what is not UTF-8": inFolder("a\ufffd"),
  "an event that is not UTF-8": { sh: STRANGE, inputs: ["aBYTE/e.npz", "bank"], outcome: notUtf8 },
  "a bank that is not UTF-8": { sh: STRANGE, inputs: [`a\ufffd/e.npz`, "aBYTE/bank"], outcome: notUtf8 },
  "results that are not UTF-8": { sh: STRANGE, rundir: "aBYTE/out", outcome: notUtf8 },
  "a current folder that is not UTF-8": {
    sh: `mkdir $'a\\xff'; cd $'a\\xff'; "$@"; mv out ..`,
    outcome: works,
  },
  "a current folder that was removed: the runtime does not start": {
    sh: 'mkdir gone; cd gone; rmdir ../gone; exec "$@"',
    outcome: ({ code, stderr, own }) => {
      expect(stderr).toContain("current working directory was deleted");
      expect(code).not.toBe(0);
      expect(namesIn(own)).toEqual([]);
    },
  },
});

describeLines("links", {
  "to the event, the bank and the results": {
    ...{ ...LINKED, sh: `mkdir elsewhere; ln -s elsewhere out; ${LINKED.sh}` },
    outcome: (ended) => {
      works(ended);
      expect(realpathSync(ended.rundir)).toBe(realpathSync(join(ended.own, "elsewhere")));
    },
  },
  "to every block": {
    sh: 'mkdir bank bank/waveforms; cp "$BANK"/*.* bank; ln -s "$BANK"/waveforms/* bank/waveforms; exec "$@"',
    inputs: [EVENT, "bank"],
    outcome: works,
  },
  "to an event that is not there": linked(
    "ln -s nowhere e.npz",
    failsWithoutTrace("noInput", "e.npz", "no such file"),
  ),
  "of an event to itself": linked("ln -s e.npz e.npz", failsWithoutTrace("noInput", "e.npz", "ELOOP")),
  "to a bank that is not there": linked(
    "ln -s nowhere bank",
    failsWithoutTrace("noInput", "bank", "no such folder"),
  ),
  "of a bank to itself": linked("ln -s bank bank", failsWithoutTrace("noInput", "bank", "no such folder")),
  "to a block that is not there": linkedBlock(
    "nowhere",
    failsWithoutTrace("noInput", "phase_block_1.npy", "no such file"),
  ),
  "of a block to itself": linkedBlock(
    "phase_block_1.npy",
    failsWithoutTrace("noInput", "phase_block_1.npy", "ELOOP"),
  ),
  "to results that are not there": {
    sh: 'ln -s nowhere out; exec "$@"',
    outcome: (ended) => {
      failsWithoutTrace("cannotCreate", "out")(ended);
      expect(namesIn(ended.own)).toEqual(["out"]);
    },
  },
  "of results to themselves": { sh: 'ln -s out out; exec "$@"', outcome: fails("cannotCreate", "out") },
});

function linked(make: string, outcome: Line["outcome"]): Line {
  const rest = ['[ -L e.npz ] || ln -s "$EVENT" e.npz', '[ -L bank ] || ln -s "$BANK" bank', 'exec "$@"'];
  return { sh: [make, ...rest].join("; "), inputs: ["e.npz", "bank"], outcome };
}

function linkedBlock(target: string, outcome: Line["outcome"]): Line {
  const block = "bank/waveforms/phase_block_1.npy";
  return {
    sh: `ln -s "$EVENT" e.npz; cp -r "$BANK" bank; rm ${block}; ln -s ${target} ${block}; exec "$@"`,
    inputs: ["e.npz", "bank"],
    outcome,
  };
}

/** On a file system of its own, mounted with these options at "disk", where the results go. */
function onDisk(options: string, outcome: Line["outcome"]): Line {
  const sh = `mkdir disk kept; mount -t tmpfs -o ${options} none disk; code=0; "$@" || code=$?; cp -r disk/. kept; exit $code`;
  return { needs: ["mounts"], sh, rundir: "disk/out", outcome };
}

/** The disk is gone with its namespace; what was on it is in "kept". */
const onDiskFails =
  (...parts: string[]) =>
  (ended: Ended) =>
    fails("cannotCreate", ...parts)({ ...ended, rundir: join(ended.own, "kept/out") });

describeLines("disks", {
  "inputs on a read-only one": {
    needs: ["mounts"],
    sh: `mkdir in; cp -r "$BANK" in/bank; cp "$EVENT" in/e.npz; mount --bind in in; mount -o remount,bind,ro in
      touch in/x 2> /dev/null && exit 1; exec "$@"`,
    inputs: ["in/e.npz", "in/bank"],
    outcome: works,
  },
  "results on a read-only one": onDisk("ro", onDiskFails("EROFS")),
  "results on one that becomes full": onDisk("size=200k", onDiskFails("ENOSPC")),
  "results on one that is full": onDisk("size=20k", onDiskFails("ENOSPC")),
  "results on one that takes no more files": onDisk("nr_inodes=5", onDiskFails("ENOSPC")),
  "results in place of a device": { rundir: "/dev/null", outcome: fails("cannotCreate", "/dev/null") },
  "results below a file": {
    sh: 'touch file; exec "$@"',
    rundir: "file/out",
    outcome: fails("cannotCreate", "ENOTDIR"),
  },
  "results in /proc": { rundir: "/proc/out", outcome: fails("cannotCreate", "/proc/out") },
});

describeLines(
  "limits",
  {
    "64 open files": { sh: 'ulimit -n 64; exec "$@"', outcome: works },
    "12 open files": {
      sh: 'ulimit -n 12; exec "$@"',
      // Work is tried again first, with a warning.
      outcome: (ended) => {
        const stderr = ended.stderr.replace(/^warning: .*EMFILE.*\n/gm, "");
        failsWithoutTrace("tryAgain", "EMFILE", "ulimit -n")({ ...ended, stderr });
      },
    },
    "1 GB of addresses": {
      sh: 'ulimit -v 1000000; exec "$@"',
      outcome: failsWithoutTrace("tryAgain", "kernels cannot be opened", "ulimit -v"),
    },
    "files of 100 kB": {
      sh: 'ulimit -f 100; exec "$@"',
      outcome: (ended) => {
        expect([73, 75]).toContain(ended.code);
        expect(ended.stderr).toContain("EFBIG");
        expect(existsSync(join(ended.rundir, "summary_results.json"))).toBe(false);
      },
    },
    "a stack of 256 kB": { sh: 'ulimit -s 256; exec "$@"', outcome: works },
  },
  2,
);

describeLines("streams", {
  "standard input closed": { sh: 'exec "$@" <&-', outcome: works },
  "standard output closed": { sh: 'exec "$@" >&-', flags: ["--json", "--quiet"], outcome: works },
  "standard error closed": { sh: 'exec "$@" 2>&-', flags: [], outcome: works },
  "all closed": { sh: 'exec "$@" <&- >&- 2>&-', flags: [], outcome: works },
  "standard error full": { sh: 'exec "$@" 2> /dev/full', flags: [], outcome: works },
  "standard output full: the results are whole": {
    sh: 'exec "$@" > /dev/full',
    flags: ["--json", "--quiet"],
    outcome: ({ code, stderr, rundir }) => {
      expect(stderr).toStartWith("error: standard output: writing failed (ENOSPC)");
      expect(code).toBe(73);
      expectWhole(rundir);
    },
  },
  "nobody reads standard output": {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: of the shell
    sh: '"$@" | true; exit ${PIPESTATUS[0]}',
    flags: ["--json", "--quiet"],
    outcome: works,
  },
  "nobody reads standard error": { sh: 'exec 2> >(true); sleep 0.1; exec "$@"', flags: [], outcome: works },
});

/** Each of these files would break a run, or leave "owned", if it were believed. */
const BELIEVED = `evil='require("fs").writeFileSync("owned", ""); throw new Error("believed")'
  for file in evil.ts index.js preload.js; do echo "$evil" > $file; done
  mkdir -p src/workers; cp evil.ts src/workers/worker.ts; cp evil.ts src/workers/worker.js
  for name in citty valibot yaml consola consola/utils; do mkdir -p node_modules/$name; cp evil.ts node_modules/$name/index.js; done
  printf 'preload = ["./evil.ts"]\n[run]\npreload = ["./evil.ts"]\n' | tee .bunfig.toml > bunfig.toml
  printf 'DOTPE_DEBUG=1\nBUN_JSC_useJIT=0\nTMPDIR=/nonexistent\nBUN_OPTIONS=--preload=./evil.ts\n' | tee .env.production .env.local > .env`;

describeLines("files in the current folder are not believed", {
  "settings of the runtime, modules": {
    sh: `${BELIEVED}
      echo '{"name": "citty", "main": "./evil.ts", "imports": {"#x": "./evil.ts"}, "type": "module"}' > package.json
      echo '{"compilerOptions": {"paths": {"*": ["./evil.ts"], "bun:ffi": ["./evil.ts"]}}}' > tsconfig.json
      exec "$@"`,
    outcome: worksUntouched,
  },
  "the same, malformed": {
    sh: 'for file in package.json tsconfig.json jsconfig.json bunfig.toml; do echo "{{{" > $file; done; exec "$@"',
    outcome: worksUntouched,
  },
});

function worksUntouched(ended: Ended): void {
  works(ended);
  expect(namesIn(ended.own)).not.toContain("owned");
}

const EVIL = `echo 'require("fs").writeFileSync("owned", "")' > evil.js`;
const ESCAPE = "\u001b";

describeLines("variables", {
  "languages and time zones that are not there": {
    sh: 'exec env LANG=xx_YY.bad LC_ALL=tr_TR LANGUAGE=: TZ=/dev/full "$@"',
    outcome: works,
  },
  "decimal commas; a long time zone": {
    sh: 'exec env LANG=de_DE.UTF-8 LC_ALL=de_DE.UTF-8 TZ=$(printf "x%.0s" {1..5000}) "$@"',
    outcome: works,
  },
  "no PATH": { sh: 'program=$1; shift; PATH= exec "$program" "$@"', outcome: works },
  "colours, off a terminal": {
    sh: 'NO_COLOR=1 exec "$@"',
    flags: [],
    outcome: ({ stdout, stderr, rundir }) => {
      expect(stdout + stderr).not.toContain(ESCAPE);
      expectWhole(rundir);
    },
  },
  "of node and the runtime that change nothing": {
    env: {
      ...{ NODE_OPTIONS: "--require ./evil.js --bogus", NODE_PATH: "/nonexistent", NODE_ENV: "development" },
      ...{
        NODE_CHANNEL_FD: "77",
        NODE_UNIQUE_ID: "1",
        NODE_EXTRA_CA_CERTS: "/nonexistent",
        UV_THREADPOOL_SIZE: "0",
      },
      ...{ BUN_TMPDIR: "/nonexistent", BUN_INSTALL: "/nonexistent", BUN_CONFIG_PRELOAD: "./evil.js" },
      ...{
        BUN_INSPECT_PRELOAD: "./evil.js",
        BUN_RUNTIME_TRANSPILER_CACHE_PATH: "/nonexistent",
        JSC_useJIT: "0",
      },
      ...{
        BUN_GC_TIMER_DISABLE: "1",
        BUN_FEATURE_FLAG_DISABLE_MEMFD: "1",
        MALLOC_PERTURB_: "165",
        DEBUG: "*",
      },
    },
    sh: `${EVIL}; exec "$@"`,
    outcome: worksUntouched,
  },
  "of the runtime that change its speed alone": {
    env: { BUN_OPTIONS: "--smol", BUN_JSC_useFTLJIT: "0", BUN_JSC_useConcurrentGC: "0" },
    outcome: works,
  },
  "of the runtime that turn its compiler off": {
    env: { BUN_JSC_useJIT: "0" },
    outcome: failsWithoutTrace("tryAgain", "kernels cannot be opened", "BUN_JSC_"),
  },
  "of the runtime that it does not know: it does not start": {
    env: { BUN_JSC_noSuchOption: "1" },
    outcome: ({ code, stderr, own }) => {
      expect(stderr).toContain("BUN_JSC_noSuchOption");
      expect(code).not.toBe(0);
      expect(namesIn(own)).toEqual([]);
    },
  },
});

describeLines("clocks", {
  "in 1970": { needs: ["faketime"], sh: 'exec faketime "1970-01-02 00:00:00" "$@"', outcome: works },
  "in 2106": { needs: ["faketime"], sh: 'exec faketime "2106-03-01 00:00:00" "$@"', outcome: works },
});
