/** What `machine env` prints, and what shells make of it. */
import { describe, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Allowed } from "../src/machine/allowed.ts";
import { chooseUse, formatExports, formatFile, quoted } from "../src/machine/environment.ts";
import { findLibraries } from "../src/machine/libraries.ts";
import { SystemFiles } from "../src/machine/system-files.ts";
import type { Cpu, Topology } from "../src/machine/topology.ts";
import { temporaryFolder } from "./io-helpers.ts";

const folder = temporaryFolder();

/** `n_cores` cores of `smt` threads, numbered as Linux does: all first threads, then all second ones. */
function machine(n_cores: number, smt = 1, n_nodes = 1): Topology {
  const cpus = Array.from({ length: n_cores * smt }, (_, id): Cpu => {
    const core = id % n_cores;
    const node = Math.floor((core * n_nodes) / n_cores);
    return { id, socket: node, core, l3: node, node, kind: "uniform" };
  });
  const nothing = { flags: [], offline: [], caches: [], nodes: [], notes: [], memoryBytes: 2 ** 34 };
  return { architecture: "x86_64", model: "test", cpus, ...nothing };
}

const allowing = (cpus: readonly number[], quota = Infinity): Allowed => ({
  ...{ cpus, quota, memoryBytes: 2 ** 34, limits: [] },
});
const all = (topology: Topology, quota?: number) =>
  allowing(
    topology.cpus.map(({ id }) => id),
    quota,
  );

/** Names and values of the exports. */
function exportsOf(text: string): Record<string, string> {
  const lines = text.split("\n").filter((line) => line.startsWith("export "));
  return Object.fromEntries(
    lines.map((line) =>
      line
        .slice(7)
        .split("=", 2)
        .map((part) => part.replaceAll("'", "")),
    ),
  );
}

describe("threads and places", () => {
  test("hpc: every allowed physical core once, bound, whatever the mask leaves of its hardware threads", () => {
    const topology = machine(4, 2);
    const use = chooseUse(topology, allowing([1, 4, 5, 6]), "hpc", {});
    // CPU 4 is core 0, 5 and 1 are core 1, 6 is core 2.
    expect(use.places).toEqual([1, 4, 6]);
    const variables = exportsOf(formatExports(use));
    expect(variables.OMP_NUM_THREADS).toBe("3");
    expect(variables.OMP_PLACES).toBe("{1},{4},{6}");
    expect(variables.OMP_PROC_BIND).toBe("close");
    expect(variables.NUMEXPR_MAX_THREADS).toBe("3");
  });

  test("hpc with a quota: no more threads than it grants, and not bound", () => {
    const topology = machine(8);
    const use = chooseUse(topology, all(topology, 2.5), "hpc", {});
    const variables = exportsOf(formatExports(use));
    expect([variables.OMP_NUM_THREADS, variables.OMP_PROC_BIND]).toEqual(["2", "false"]);
  });

  test("hpc_large: one thread a process, never bound", () => {
    const topology = machine(96, 2, 2);
    const use = chooseUse(topology, all(topology), "hpc_large", {});
    const variables = exportsOf(formatExports(use));
    for (const name of ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS"])
      expect(variables[name]).toBe("1");
    expect(variables.OMP_PROC_BIND).toBe("false");
    expect(use.reasons.join()).toContain("up to 96");
  });

  test("workstation: a core is left, at most eight threads, at least one", () => {
    const threads = (n: number) => chooseUse(machine(n), all(machine(n)), "workstation", {}).threads;
    expect([1, 2, 4, 24].map(threads)).toEqual([1, 1, 3, 8]);
  });

  test("auto: by cores, NUMA nodes and Slurm, and says which", () => {
    const choose = (topology: Topology, environment = {}, quota?: number) =>
      chooseUse(topology, all(topology, quota), "auto", environment);
    expect(choose(machine(8)).mode).toBe("workstation");
    expect(choose(machine(8), { SLURM_JOB_ID: "7" }).mode).toBe("hpc");
    expect(choose(machine(16, 1, 2), { SLURM_JOB_ID: "7" }).mode).toBe("hpc_large");
    expect(choose(machine(64)).mode).toBe("hpc_large");
    // What counts is what is granted.
    expect(choose(machine(64), {}, 4).mode).toBe("workstation");
    expect(choose(machine(64)).reasons[0]).toContain("hpc_large, chosen because 64 cores");
  });
});

describe("in shells", () => {
  const shells = ["sh", "dash", "bash", "zsh"].filter((name) => Bun.which(name));
  const hostile = {
    OMP_PLACES: "'; touch owned; '",
    XLA_FLAGS: '--xla_dump_to=/tmp/a"$(touch owned)"`touch owned`',
    IFS: "O_",
  };

  function shell(name: string, script: string, env: Record<string, string> = {}) {
    const { PATH = "" } = process.env;
    const child = Bun.spawnSync([name, "-c", script], { cwd: folder, env: { PATH, ...env } });
    return { code: child.exitCode, stdout: child.stdout.toString(), stderr: child.stderr.toString() };
  }

  const topology = machine(4, 2);
  const use = chooseUse(topology, allowing([0, 1, 2]), "hpc", {});
  writeFileSync(join(folder, "printed"), formatExports(use));
  const nasty = [{ kind: "MKL", path: "/a\n touch owned\r'`$(touch owned)`/libmkl_rt.so" }] as const;
  writeFileSync(join(folder, "file.sh"), formatFile(use, nasty));

  test("sh, dash and bash are there", () => expect(shells).toEqual(expect.arrayContaining(["sh", "bash"])));

  for (const name of shells) {
    test(`${name}: eval of what is printed sets and exports everything`, () => {
      const script = 'eval "$(cat printed)" && env';
      for (const env of [{}, hostile]) {
        const { code, stdout, stderr } = shell(name, script, env);
        expect([code, stderr]).toEqual([0, ""]);
        expect(stdout).toContain("OMP_NUM_THREADS=3\n");
        expect(stdout).toContain("OMP_PLACES={0},{1},{2}\n");
        expect(stdout).toContain("NUMEXPR_NUM_THREADS=3\n");
      }
      expect(Bun.file(join(folder, "owned")).size).toBe(0);
    });

    test(`${name}: eval without quotes, and with errors and unset variables forbidden`, () => {
      if (name !== "zsh")
        expect(shell(name, "eval $(cat printed); echo $OMP_PLACES").stdout).toBe("{0},{1},{2}\n");
      expect(shell(name, '. ./file.sh; echo "$NUMBA_NUM_THREADS"').stdout).toBe("3\n");
      expect(shell(name, "set -eu; . ./file.sh; echo ok").stdout).toBe("ok\n");
    });

    test(`${name}: the file keeps the user's XLA flags as they are, and runs nothing`, () => {
      const script = '. ./file.sh; printf "%s" "$XLA_FLAGS"';
      expect(shell(name, script).stdout).toBe("--xla_cpu_multi_thread_eigen=true");
      const kept = shell(name, script, hostile);
      expect(kept.stderr).toBe("");
      expect(kept.stdout).toBe(`${hostile.XLA_FLAGS} --xla_cpu_multi_thread_eigen=true`);
      expect(shell(name, script, { XLA_FLAGS: "flags.txt" }).stdout).toBe("flags.txt");
      expect(Bun.file(join(folder, "owned")).size).toBe(0);
    });

    test(`${name}: a quoted word is the word`, () => {
      for (const word of ["", "a b", "it's", "$(touch owned)", "`x`", "a\nb", "\\", '"', "-n", "*", "~"]) {
        expect(shell(name, `printf "%s" x${quoted(word)}`).stdout).toBe(`x${word}`);
      }
    });
  }
});

describe("libraries", () => {
  const put = (path: string) => {
    mkdirSync(join(folder, "tree", path, ".."), { recursive: true });
    writeFileSync(join(folder, "tree", path), "");
  };
  put("opt/intel/oneapi/mkl/2024.2/lib/libmkl_rt.so.2");
  put("opt/AMD/aocl/aocl-linux-gcc-4.2.0/gcc/lib/libblis-mt.so.4");
  put("home/me/venv/lib/python3.12/site-packages/numpy.libs/libscipy_openblas64_-56d6093b.so");
  put("usr/lib/x86_64-linux-gnu/openblas-pthread/libopenblas.so.0");
  put("usr/lib/x86_64-linux-gnu/openblas-pthread/libopenblasp-r0.3.26.so");
  put("scratch/libopenblas-notes.txt");

  test("are found and named where they usually are, those of the environment first", () => {
    const environment = { VIRTUAL_ENV: "/home/me/venv", LD_LIBRARY_PATH: ":relative:/scratch" };
    expect(findLibraries(new SystemFiles(join(folder, "tree")), environment, "x86_64")).toEqual([
      {
        kind: "OpenBLAS",
        path: "/home/me/venv/lib/python3.12/site-packages/numpy.libs/libscipy_openblas64_-56d6093b.so",
      },
      { kind: "MKL", path: "/opt/intel/oneapi/mkl/2024.2/lib/libmkl_rt.so.2" },
      { kind: "AOCL-BLIS", path: "/opt/AMD/aocl/aocl-linux-gcc-4.2.0/gcc/lib/libblis-mt.so.4" },
      { kind: "OpenBLAS", path: "/usr/lib/x86_64-linux-gnu/openblas-pthread/libopenblas.so.0" },
    ]);
  });

  test("a long path list is cut", () => {
    const files = new SystemFiles(join(folder, "tree"));
    const path = Array.from({ length: 100_000 }, (_, k) => `/x${k}`).join(":");
    expect(findLibraries(files, { LD_LIBRARY_PATH: path }, "x86_64").length).toBe(3);
    expect(files.reads).toBeLessThan(300);
  });
});
