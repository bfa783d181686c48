import { afterAll, describe, expect, test } from "bun:test";
import { readAllowed } from "../src/machine/allowed.ts";
import { readState } from "../src/machine/state.ts";
import { readTopology } from "../src/machine/topology.ts";
import { formatMachine } from "../src/report/machine-report.ts";
import { drawTree } from "../src/report/machine-tree.ts";
import { formatBinaryBytes, formatBytes } from "../src/report/sizes.ts";
import { runBinary } from "./helpers.ts";
import {
  EPYC,
  type FoldedFiles,
  FoldedSystem,
  makeServer,
  readFixture,
  removeTrees,
  unpack,
} from "./machines.ts";

afterAll(removeTrees);

function describeCaptured(files: FoldedFiles) {
  const system = new FoldedSystem(files);
  const topology = readTopology(system);
  const allowed = readAllowed(system, topology, {});
  const state = readState(system, [0]);
  return {
    captured: "there",
    topology,
    allowed,
    workers: ["1 worker"],
    state,
    kernels: ["ref"],
    measured: [],
  };
}

function tree(files: FoldedFiles): string[] {
  const { topology, allowed } = describeCaptured(files);
  return drawTree(topology, allowed);
}

describe("the tree", () => {
  test("caches that are alike are one line", () => {
    expect(tree(makeServer(EPYC))).toEqual([
      "machine, 819 GB",
      "  socket 0, NUMA node 0, 410 GB",
      "    12 x L3 32 MiB  ########  8 cores of 2 threads each, CPUs 0-95,192-287",
      "  socket 1, NUMA node 1, 410 GB",
      "    12 x L3 32 MiB  ########  8 cores of 2 threads each, CPUs 96-191,288-383",
      "#: a core that may be used (.: may not); +: not all of its threads",
    ]);
  });

  test("what may not be used is marked, and breaks the line", () => {
    const mask = { "/proc/self/status": "Cpus_allowed_list:\t0-11,192-199" };
    expect(tree({ ...makeServer({ ...EPYC, nodesPerSocket: 2 }), ...mask }).slice(1, 8)).toEqual([
      "  socket 0",
      "    NUMA node 0, 410 GB",
      "      L3 32 MiB  ########  8 cores of 2 threads, CPUs 0-7,192-199",
      "      L3 32 MiB  ++++....  8 cores of 2 threads, CPUs 8-15,200-207",
      "      4 x L3 32 MiB  ........  8 cores of 2 threads each, CPUs 16-47,208-239",
      "    NUMA node 1, 410 GB",
      "      6 x L3 32 MiB  ........  8 cores of 2 threads each, CPUs 48-95,240-287",
    ]);
  });

  test("performance and efficiency cores; those that share a second-level cache side by side", () => {
    const mask = { "/proc/self/status": "Cpus_allowed_list:\t0-5,16-19" };
    expect(tree({ ...readFixture("20em64t-hybrid").files, ...mask })[2]).toBe(
      "    L3 24 MiB  PPPppp eeee EEEE  14 cores of 1 or 2 threads, CPUs 0-19",
    );
  });

  test("memory without CPUs, and a cache that several nodes share", () => {
    const lines = tree(readFixture("nvidiagpunumanodes").files);
    expect(lines).toContain("  NUMA node 250, 16.1 GB, without CPUs");
    const { files } = readFixture("x86_64-64cpu");
    expect(tree(files)).toContain("  socket 2, NUMA node 0, ? (in other sockets too)");
  });
});

test("sizes as people read them", () => {
  expect([0, 999, 812e6, 25_276_502_016, 1.55e12].map(formatBytes)).toEqual([
    "0 B",
    "999 B",
    "812 MB",
    "25.3 GB",
    "1.55 TB",
  ]);
  expect([32_768, 1_310_720, 2 ** 25, 5118 * 1024].map(formatBinaryBytes)).toEqual([
    "32 KiB",
    "1.25 MiB",
    "32 MiB",
    "5 MiB",
  ]);
  expect(formatBytes(NaN)).toBe("?");
});

test("what a captured tree says cannot command a terminal", () => {
  const { files } = readFixture("x86_64-64cpu-linux6.2");
  const text = formatMachine(
    describeCaptured({ ...files, "/proc/cpuinfo": "model name\t: \u001b[2Jx\u009b\u0007gone" }),
  );
  expect(text).toContain("?[2Jx??gone");
});

describe("dotpe-hpc machine", () => {
  test("of a captured tree, as text: nothing of this machine", async () => {
    const { files } = readFixture("32amd64-4s2n4c-cgroup2");
    const environment = { SLURM_CPUS_ON_NODE: "3" };
    const { code, stdout } = await runBinary(["machine", "--sysfs", unpack(files)], { env: environment });
    expect(code).toBe(0);
    expect(stdout).toContain("AMD Opteron(tm) Processor 6134");
    expect(stdout).toContain("0-5: 6 of 32, on 6 cores");
    expect(stdout).toMatch(/cpuset of \/uid_2008\/job_15389\/step_0 +6 CPUs +0-5/);
    expect(stdout).toContain("nothing is measured");
    expect(stdout).not.toContain("SLURM");
  });

  test("of this machine, as JSON: with the files read, and measured", async () => {
    const environment = { SLURM_CPUS_ON_NODE: "1", SLURM_MEM_PER_NODE: "" };
    const { code, stdout } = await runBinary(["--show", "--json"], { env: environment });
    expect(code).toBe(0);
    const { topology, allowed, kernels, measured, raw } = JSON.parse(stdout);
    expect(allowed.quota).toBeLessThanOrEqual(1);
    expect(allowed.limits).toContainEqual({ source: "SLURM_CPUS_ON_NODE", found: "1", cores: 1 });
    expect(topology.cpus.length).toBeGreaterThan(0);
    expect(kernels.at(-1)).toBe("ref");
    if (allowed.memoryBytes > 2e9) expect(measured[0].gflops).toBeGreaterThan(0);
    expect(raw["/proc/meminfo"]).toContain("MemTotal");
  });

  test("a folder that is none, an unknown part, help", async () => {
    const none = await runBinary(["machine", "--sysfs", "/nowhere"]);
    expect([none.code, none.stderr]).toEqual([66, expect.stringContaining("/nowhere/sys")]);
    const part = await runBinary(["machine", "chek"]);
    expect([part.code, part.stderr]).toEqual([64, expect.stringContaining("chek")]);
    const help = await runBinary(["machine", "--help"]);
    expect([help.code, help.stdout]).toEqual([0, expect.stringContaining("--sysfs DIR")]);
  });
});
