/** The program on unusual machines: one line each, through the binary. What users are told of them is docs/environment.md. */
import { describe, expect, test } from "bun:test";
import { existsSync, lstatSync } from "node:fs";
import { join } from "node:path";
import { readAllowed } from "../src/machine/allowed.ts";
import { placeWorkers } from "../src/machine/placement.ts";
import { readTopology } from "../src/machine/topology.ts";
import { neededVersions } from "./elf-versions.ts";
import {
  describeLines,
  fails,
  failsWithoutTrace,
  namesIn,
  works,
  worksNearly,
  worksWith,
} from "./environment-lines.ts";
import { BINARY } from "./helpers.ts";
import { type FoldedFiles, FoldedSystem, makeServer } from "./machines.ts";
import { BANK, EVENT } from "./make-inputs.ts";

const KERNELS = join(import.meta.dir, "../build/kernels");

describeLines(
  "the folder for temporary files",
  {
    "is left as it was": {
      sh: 'mkdir tmp; TMPDIR=$OWN/tmp exec "$@"',
      outcome: (ended) => {
        works(ended);
        expect(namesIn(join(ended.own, "tmp"))).toEqual([]);
      },
    },
    "is missing": { sh: 'TMPDIR=/nonexistent exec "$@"', outcome: works },
    "is a file": { sh: 'touch tmp; TMPDIR=$OWN/tmp exec "$@"', outcome: works },
    "is relative": { sh: 'mkdir tmp; TMPDIR=tmp exec "$@"', outcome: works },
    "has a long name": {
      sh: `long=$OWN; for k in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17; do long=$long/$(printf 'l%.0s' {1..200}); done
      mkdir -p $long; TMPDIR=$long exec "$@"`,
      outcome: works,
    },
    "has blanks, quotes, a new line": {
      sh: `tmp=$OWN/$'a b\\'"\\nc'; mkdir "$tmp"; TMPDIR=$tmp exec "$@"`,
      outcome: works,
    },
    "is named in bytes that are not UTF-8": {
      sh: `tmp=$OWN/$'a\\xff'; mkdir "$tmp"; TMPDIR=$tmp exec "$@"`,
      outcome: works,
    },
    "is read-only": {
      needs: ["mounts"],
      sh: 'mkdir tmp; mount -t tmpfs -o ro none tmp; TMPDIR=$OWN/tmp exec "$@"',
      outcome: works,
    },
    "is full": {
      needs: ["mounts"],
      sh: 'mkdir tmp; mount -t tmpfs -o size=4k none tmp; head -c 4096 /dev/zero > tmp/full; TMPDIR=$OWN/tmp exec "$@"',
      outcome: works,
    },
    "is mounted noexec": {
      needs: ["mounts"],
      sh: 'mkdir tmp; mount -t tmpfs -o noexec none tmp; TMPDIR=$OWN/tmp exec "$@"',
      outcome: works,
    },
    "is used, and left empty, where the system has no files in memory": {
      needs: ["strace"],
      sh: `mkdir tmp; TMPDIR=$OWN/tmp exec strace -f -qq -o /dev/null -e trace=memfd_create -e inject=memfd_create:error=ENOSYS "$@"`,
      outcome: (ended) => {
        works(ended);
        expect(namesIn(join(ended.own, "tmp"))).toEqual([]);
      },
    },
    "cannot be written, nor any other, where the system has no files in memory": {
      needs: ["strace"],
      sh: `exec strace -f -qq -o /dev/null -e trace=memfd_create,mkdir,mkdirat \\
      -e inject=memfd_create:error=ENOSYS -e inject=mkdir,mkdirat:error=EROFS "$@"`,
      outcome: failsWithoutTrace("tryAgain", "kernels cannot be opened", "EROFS", "TMPDIR", "--kernel ref"),
    },
    "is missing, for measurements": {
      sh: 'TMPDIR=/nonexistent exec "$@"',
      command: ["machine", "estimate", EVENT, BANK],
      outcome: fails("cannotCreate", "/nonexistent", "temporary files", "TMPDIR"),
    },
  },
  2,
);

describeLines("the cache and the home", {
  "no HOME": { sh: 'unset HOME XDG_CACHE_HOME; exec "$@"', outcome: works },
  "an empty HOME": { sh: 'unset XDG_CACHE_HOME; HOME= exec "$@"', outcome: works },
  "a HOME that is not there": {
    sh: 'unset XDG_CACHE_HOME; HOME=$OWN/nobody exec "$@"',
    outcome: (ended) => {
      works(ended);
      expect(existsSync(join(ended.own, "nobody"))).toBe(false);
    },
  },
  "a HOME that is a file": { sh: 'unset XDG_CACHE_HOME; HOME=$EVENT exec "$@"', outcome: works },
  "a HOME that is read-only": {
    needs: ["mounts"],
    sh: 'unset XDG_CACHE_HOME; mkdir home; mount -t tmpfs -o ro none home; HOME=$OWN/home exec "$@"',
    outcome: works,
  },
  "a relative XDG_CACHE_HOME": {
    sh: 'XDG_CACHE_HOME=cache HOME=$OWN exec "$@"',
    outcome: (ended) => {
      works(ended);
      expect(namesIn(ended.own)).toEqual(["out"]);
    },
  },
  "a strange XDG_CACHE_HOME": { sh: `XDG_CACHE_HOME=$OWN/$'a\\n\\xff' exec "$@"`, outcome: works },
  "a full cache, for what is measured": {
    needs: ["mounts"],
    sh: 'mkdir c; mount -t tmpfs -o size=4k none c; head -c 4096 /dev/zero > c/full; XDG_CACHE_HOME=$OWN/c exec "$@"',
    command: ["tune", EVENT, BANK, "--budget", "1s"],
    outcome: ({ code, stderr }) => {
      expect(stderr).toMatch(/^warning: the setting is not remembered: .*ENOSPC/m);
      expect(code).toBe(0);
    },
  },
});

describeLines("memory, processor, system files", {
  "no /dev/shm": {
    needs: ["mounts"],
    sh: `mkdir dev; for file in null zero random urandom; do touch dev/$file; mount --bind /dev/$file dev/$file; done
      mount --rbind dev /dev; exec "$@"`,
    outcome: works,
  },
  "a full /dev/shm": {
    needs: ["mounts"],
    sh: 'mount -t tmpfs -o size=4k none /dev/shm; head -c 4096 /dev/zero > /dev/shm/full; exec "$@"',
    outcome: works,
  },
  "no /sys": { needs: ["mounts"], sh: 'mount -t tmpfs none /sys; exec "$@"', outcome: works },
  "no /proc: the runtime does not start": {
    needs: ["mounts"],
    sh: 'mount -t tmpfs none /proc; exec "$@"',
    outcome: ({ code, own }) => {
      expect(code).not.toBe(0);
      expect(namesIn(own)).toEqual([]);
    },
  },
  "no /proc/meminfo, mounts, cgroup": {
    needs: ["mounts"],
    sh: `for file in meminfo self/cgroup cpuinfo; do mount --bind /dev/null /proc/$file; done; exec "$@"`,
    flags: ["--quiet", "--kernel", "ref"],
    outcome: worksWith("ref"),
  },
  "a quota of a fifth of a core": {
    needs: ["cgroup v1"],
    sh: inGroup("cpu", { "cpu.cfs_period_us": "100000", "cpu.cfs_quota_us": "20000" }),
    outcome: works,
  },
  "64 MB of memory": {
    needs: ["cgroup v1"],
    sh: inGroup("memory", { "memory.limit_in_bytes": "64M" }),
    outcome: failsWithoutTrace("tryAgain", "memory", "expected at least"),
  },
  "pid 1 of a namespace": {
    needs: ["mounts"],
    sh: 'exec unshare -pf --mount-proc "$@"',
    outcome: works,
  },
  "all read-only but the run's folder": {
    needs: ["mounts"],
    sh: `mkdir w; mount -t tmpfs none w; cd w; mount -o remount,bind,ro /; touch /x 2> /dev/null && exit 1
      "$@"; cp -r out /dev/shm/dotpe-line-$$; mount -o remount,bind,rw /; mv /dev/shm/dotpe-line-$$ $OWN/out`,
    outcome: works,
  },
});

/** In a control group of its own, of version 1. */
function inGroup(controller: string, settings: Readonly<Record<string, string>>): string {
  const writes = Object.entries(settings).map(([name, text]) => `echo ${text} > $group/${name}`);
  return `group=/sys/fs/cgroup/${controller}/dotpe-line-$$; mkdir $group; ${writes.join("; ")}; code=0
    (echo $BASHPID > $group/cgroup.procs; exec "$@") || code=$?; rmdir $group; exit $code`;
}

/** Under a /proc/cpuinfo without the flags that begin so. */
const without = (flags: string, command = '"$@"') =>
  `sed -E '/^flags/ s/ (${flags})[^ ]*//g' /proc/cpuinfo > cpuinfo; mount --bind cpuinfo /proc/cpuinfo; exec ${command}`;

describe.skipIf(process.arch !== "x64")("processors", () => {
  describeLines(
    "kernels follow what /proc/cpuinfo says",
    {
      "no AVX-512": {
        needs: ["mounts", "avx2"],
        sh: without("avx512"),
        outcome: worksWith("x86-64-v3"),
      },
      "no AVX2": {
        needs: ["mounts"],
        sh: without("avx2|avx512"),
        outcome: worksWith("x86-64-v2"),
      },
      "no flags: what every processor has": {
        needs: ["mounts"],
        sh: 'mount --bind /dev/null /proc/cpuinfo; exec "$@"',
        outcome: worksWith("x86-64-v2"),
      },
      "a processor of 2008, emulated": {
        needs: ["mounts", "qemu-x86_64", "DOTPE_TEST_EMULATED=1"],
        sh: without("avx|fma|bmi|f16c", 'qemu-x86_64 -cpu Nehalem "$@"'),
        outcome: worksNearly("x86-64-v2"),
      },
      "a processor of 2008, emulated: it starts": {
        needs: ["qemu-x86_64"],
        sh: 'exec qemu-x86_64 -cpu Nehalem "$@"',
        command: ["version"],
        outcome: ({ code, stdout }) => {
          expect(stdout).toStartWith("dotpe-hpc ");
          expect(code).toBe(0);
        },
      },
    },
    2,
  );
});

describe("the C library of 2012 (glibc 2.17) is enough", () => {
  const objects = ["v2", "v3", "v4"].map((level) => join(KERNELS, `libdotpe-x86-64-${level}.so`));
  for (const path of [BINARY, ...objects, join(KERNELS, "libdotpe-aarch64.so")]) {
    const isEmpty = !existsSync(path) || lstatSync(path).size === 0;
    test.skipIf(isEmpty)(path.slice(path.lastIndexOf("/") + 1), () => {
      const versions = neededVersions(path).filter((name) => name.startsWith("GLIBC_"));
      expect(versions.length).toBeGreaterThan(0);
      const newer = versions.filter((name) => Bun.semver.order(pad(name), "2.17.0") > 0);
      expect(newer).toEqual([]);
    });
  }
  const pad = (name: string) => {
    const [major, minor, patch = 0] = name.slice("GLIBC_".length).split(".");
    return `${major}.${minor}.${patch}`;
  };
});

describe("quotas: one worker at least, none for a quota that cannot be", () => {
  const server = makeServer({ sockets: 1, cores: 8, coresPerL3: 8, nodesPerSocket: 1, threads: 1 });
  const mounts = {
    2: "26 25 0:24 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw",
    1: "26 25 0:24 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu",
  };
  const quota = (version: 1 | 2, files: FoldedFiles) => {
    const cgroup = version === 2 ? "0::/job" : "3:cpu:/job";
    const group = { "/proc/self/mountinfo": mounts[version], "/proc/self/cgroup": cgroup, ...files };
    const system = new FoldedSystem({ ...server, ...group });
    const topology = readTopology(system);
    const allowed = readAllowed(system, topology, {});
    return [allowed.quota, placeWorkers(topology, allowed, { smt: false, placement: "auto" }).seats.length];
  };
  const v2 = (max: string) => quota(2, { "/sys/fs/cgroup/job/cpu.max": max });
  const v1 = (us: string, period = "100000") =>
    quota(1, {
      "/sys/fs/cgroup/cpu/job/cpu.cfs_quota_us": us,
      "/sys/fs/cgroup/cpu/job/cpu.cfs_period_us": period,
    });

  test.each([
    ["a hundredth of a core, v2", v2("1000 100000"), [0.01, 1]],
    ["a hundredth of a core, v1", v1("1000"), [0.01, 1]],
    ["a thousandth of a core, v1", v1("1000", "1000000"), [0.001, 1]],
    ["two and a half cores, v2", v2("250000 100000"), [2.5, 2]],
    ["no core, v2", v2("0 100000"), [Infinity, 8]],
    ["no core, v1", v1("0"), [Infinity, 8]],
    ["no limit, v2", v2("max 100000"), [Infinity, 8]],
    ["no limit, v1", v1("-1"), [Infinity, 8]],
    ["no period, v1", v1("1000", "0"), [Infinity, 8]],
  ])("%s", (_, found, expected) => expect(found).toEqual(expected));
});
