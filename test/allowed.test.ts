import { describe, expect, test } from "bun:test";
import { type Allowed, readAllowed } from "../src/machine/allowed.ts";
import { formatCpuList } from "../src/machine/cpu-list.ts";
import { SystemFiles } from "../src/machine/system-files.ts";
import { readTopology } from "../src/machine/topology.ts";
import { type FoldedFiles, FoldedSystem, fixtureNames, makeServer, readFixture } from "./machines.ts";

/** 16 CPUs, 400e6 kB; everything below is made up unless it names a fixture. */
const SERVER = makeServer({ sockets: 1, cores: 16, coresPerL3: 8, nodesPerSocket: 1, threads: 1 });
const MEMORY = 400e6 * 1024;

function read(files: FoldedFiles, environment: Record<string, string> = {}): Allowed {
  const system = new FoldedSystem({ ...SERVER, ...files });
  return readAllowed(system, readTopology(system), environment);
}

/** Of everything that limits something: who, and what. */
function told({ limits }: Allowed): string[] {
  return limits.slice(2).map(({ source, found }) => `${source}: ${found}`);
}

const V2 = {
  "/proc/self/mountinfo": "26 25 0:24 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate",
  "/proc/self/cgroup": "0::/user.slice/job 1/step",
};

test("nothing but the machine: every CPU, no quota, all memory", () => {
  const allowed = read({});
  expect(allowed).toMatchObject({ quota: Infinity, memoryBytes: MEMORY });
  expect(formatCpuList(allowed.cpus)).toBe("0-15");
  expect(told(allowed)).toEqual([]);
});

test("an odd affinity mask", () => {
  const allowed = read({
    "/proc/self/status":
      "Name:\tx\nCpus_allowed:\taaaa\nCpus_allowed_list:\t1,3,5,7,9,11,13,15\nMems_allowed_list:\t0",
  });
  expect(allowed.cpus).toEqual([1, 3, 5, 7, 9, 11, 13, 15]);
  expect(told(allowed)).toEqual(["affinity mask: 1,3,5,7,9,11,13,15"]);
});

describe("control groups v2", () => {
  const CGROUP = "/sys/fs/cgroup";

  test("the least of all ancestors, for each of time and memory", () => {
    const allowed = read({
      ...V2,
      [`${CGROUP}/user.slice/cpu.max`]: "350000 100000",
      [`${CGROUP}/user.slice/memory.max`]: "8589934592",
      [`${CGROUP}/user.slice/job 1/cpu.max`]: "max 100000",
      [`${CGROUP}/user.slice/job 1/memory.max`]: "max",
      [`${CGROUP}/user.slice/job 1/memory.high`]: "4294967296",
      [`${CGROUP}/user.slice/job 1/step/cpu.max`]: "40000 10000",
      [`${CGROUP}/user.slice/job 1/step/memory.max`]: "17179869184",
    });
    expect(allowed).toMatchObject({ quota: 3.5, memoryBytes: 2 ** 32 });
    expect(told(allowed)).toEqual([
      "cpu.max of /user.slice: 350000 us in 100000 us",
      "cpu.max of /user.slice/job 1/step: 40000 us in 10000 us",
      "memory.max of /user.slice: 8589934592",
      "memory.high of /user.slice/job 1: 4294967296",
      "memory.max of /user.slice/job 1/step: 17179869184",
    ]);
  });

  test("a part of a core is kept as it is", () => {
    expect(read({ ...V2, [`${CGROUP}/user.slice/cpu.max`]: "50000 100000" }).quota).toBe(0.5);
  });

  test("cpusets: the group's own and those above", () => {
    const allowed = read({
      ...V2,
      [`${CGROUP}/cpuset.cpus.effective`]: "0-15",
      [`${CGROUP}/user.slice/cpuset.cpus.effective`]: "0-7",
      [`${CGROUP}/user.slice/job 1/cpuset.cpus.effective`]: "2-5",
      "/proc/self/status": "Cpus_allowed_list:\t2-4",
    });
    expect(allowed.cpus).toEqual([2, 3, 4]);
    expect(told(allowed).map((line) => line.split(": ")[0])).toEqual([
      ...["cpuset of /", "cpuset of /user.slice", "cpuset of /user.slice/job 1", "affinity mask"],
    ]);
  });

  test("CPUs that a group has for itself alone are missing in those above it, and are allowed", () => {
    const allowed = read({
      ...V2,
      [`${CGROUP}/cpuset.cpus.effective`]: "0-7",
      [`${CGROUP}/user.slice/cpuset.cpus.effective`]: "8-15",
    });
    expect(formatCpuList(allowed.cpus)).toBe("8-15");
    expect(told(allowed)[0]).toBe("cpuset of /: 0-7: others are in partitions");
  });

  test("in a container: a group that is mounted as the outermost, with and without a namespace of its own", () => {
    const limit = { [`${CGROUP}/cpu.max`]: "200000 100000" };
    const bound = "26 25 0:24 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup rw";
    const paths = ["0::/docker/abc", "0::/", "0::/../../x", "0::/system.slice/hidden"];
    for (const path of paths) {
      const files = { ...limit, "/proc/self/mountinfo": bound, "/proc/self/cgroup": path };
      expect(read(files).quota).toBe(2);
    }
    const inside = { ...limit, [`${CGROUP}/inner/cpu.max`]: "100000 100000" };
    const files = { ...inside, "/proc/self/mountinfo": bound, "/proc/self/cgroup": "0::/docker/abc/inner" };
    expect(read(files)).toMatchObject({ quota: 1 });
    expect(told(read(files))).toEqual([
      "cpu.max of /docker/abc: 200000 us in 100000 us",
      "cpu.max of /docker/abc/inner: 100000 us in 100000 us",
    ]);
  });

  test("a group outside the namespace is not looked for inside", () => {
    const limit = "100000 100000";
    const files = { ...V2, "/proc/self/cgroup": "0::/../../other", "/other/cpu.max": limit };
    expect(read({ ...files, [`${CGROUP}/other/cpu.max`]: limit }).quota).toBe(Infinity);
  });
});

describe("control groups v1", () => {
  const V1 = {
    "/proc/self/mountinfo": [
      "30 25 0:26 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct",
      "31 25 0:27 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset",
      "32 25 0:28 / /mnt/my\\040groups rw shared:3 master:1 - cgroup cgroup rw,memory",
      "33 25 0:29 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw",
    ].join("\n"),
    "/proc/self/cgroup": "4:memory:/a\n3:cpuset:/set/inner\n2:cpu,cpuacct:/a/b\n1:name=systemd:/x\n0::/y",
  };

  test("quota of every ancestor; -1 is none; unlimited memory is a number near 2^63", () => {
    const cpu = "/sys/fs/cgroup/cpu,cpuacct";
    const allowed = read({
      ...V1,
      [`${cpu}/cpu.cfs_quota_us`]: "-1",
      [`${cpu}/cpu.cfs_period_us`]: "100000",
      [`${cpu}/a/cpu.cfs_quota_us`]: "150000",
      [`${cpu}/a/cpu.cfs_period_us`]: "100000",
      [`${cpu}/a/b/cpu.cfs_quota_us`]: "400000",
      [`${cpu}/a/b/cpu.cfs_period_us`]: "100000",
      "/mnt/my groups/memory.limit_in_bytes": "9223372036854771712",
      "/mnt/my groups/a/memory.limit_in_bytes": "1073741824",
      "/sys/fs/cgroup/cpuset/cpuset.cpus": "0-15",
      "/sys/fs/cgroup/cpuset/set/cpuset.cpus": "0-9",
      "/sys/fs/cgroup/cpuset/set/inner/cpuset.cpus": "0-9",
      "/sys/fs/cgroup/cpuset/set/inner/cpuset.effective_cpus": "4-6",
    });
    expect(allowed).toMatchObject({ cpus: [4, 5, 6], quota: 1.5, memoryBytes: 2 ** 30 });
    expect(told(allowed).slice(3)).toEqual([
      "cpu.cfs_quota_us of /a: 150000 us in 100000 us",
      "cpu.cfs_quota_us of /a/b: 400000 us in 100000 us",
      "memory.limit_in_bytes of /a: 1073741824",
    ]);
  });

  test("both versions at once: each limits", () => {
    const allowed = read({
      ...V1,
      "/sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us": "300000",
      "/sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us": "100000",
      "/sys/fs/cgroup/unified/y/cpu.max": "250000 100000",
    });
    expect(allowed.quota).toBe(2.5);
    expect(told(allowed).length).toBe(2);
  });
});

describe("Slurm", () => {
  const granted = (environment: Record<string, string>) => {
    const { quota, memoryBytes } = read({}, environment);
    return [quota, memoryBytes / 2 ** 20];
  };
  const ALL = MEMORY / 2 ** 20;

  test("CPUs of the task, else of the node, else of this node in the job's list", () => {
    expect(granted({ SLURM_CPUS_PER_TASK: "4", SLURM_CPUS_ON_NODE: "12" })).toEqual([4, ALL]);
    expect(granted({ SLURM_CPUS_ON_NODE: "12" })).toEqual([12, ALL]);
    expect(granted({ SLURM_JOB_CPUS_PER_NODE: "8(x2),6", SLURM_NODEID: "2" })).toEqual([6, ALL]);
    expect(granted({ SLURM_JOB_CPUS_PER_NODE: "8(x2),6", SLURM_NODEID: "1" })).toEqual([8, ALL]);
    expect(granted({ SLURM_JOB_CPUS_PER_NODE: "8(x2),6" })).toEqual([6, ALL]);
  });

  test("tasks of one step share what it has on the node", () => {
    const step = {
      SLURM_CPUS_ON_NODE: "12",
      SLURM_STEP_TASKS_PER_NODE: "5(x2)",
      SLURM_MEM_PER_NODE: "10000",
    };
    expect(granted(step)).toEqual([2, 2000]);
    expect(told(read({}, step))[0]).toBe("SLURM_CPUS_ON_NODE: 12, shared by 5 tasks");
  });

  test("memory: of the node, or of each CPU; 0 is all of it", () => {
    expect(granted({ SLURM_MEM_PER_NODE: "2048" })[1]).toBe(2048);
    expect(granted({ SLURM_MEM_PER_CPU: "1000", SLURM_CPUS_PER_TASK: "3" })).toEqual([3, 3000]);
    expect(granted({ SLURM_MEM_PER_NODE: "0" })[1]).toBe(ALL);
    expect(granted({ SLURM_MEM_PER_CPU: "1000" })[1]).toBe(ALL);
  });

  test.each(["x", "-3", "1e3", "4(x0)", "4(x99999999)", "4,,4", " "])(
    "nonsense limits nothing: %p",
    (text) => {
      expect(
        granted({ SLURM_CPUS_ON_NODE: text, SLURM_CPUS_PER_TASK: text, SLURM_MEM_PER_NODE: text }),
      ).toEqual([Infinity, ALL]);
    },
  );
});

test("a mask that would leave nothing is passed over, and says so", () => {
  const allowed = read({ "/proc/self/status": "Cpus_allowed_list:\t40-47" });
  expect(formatCpuList(allowed.cpus)).toBe("0-15");
  expect(told(allowed)).toEqual(["affinity mask: 40-47: leaves no CPU, passed over"]);
});

test.each(["", "max", "x y", "0 0", "-5 100000", "1 0", "9".repeat(40), "100000"])(
  "a damaged quota is none: %p",
  (text) => {
    expect(read({ ...V2, "/sys/fs/cgroup/user.slice/cpu.max": text }).quota).toBe(Infinity);
  },
);

describe("captured machines", () => {
  const allowedOf = (name: string) => {
    const files = new FoldedSystem(readFixture(name).files);
    return readAllowed(files, readTopology(files), {});
  };

  test.each(fixtureNames())("%s: the CPUs that lstopo finds allowed", (name) => {
    const { lstopo } = readFixture(name).expected;
    // lstopo goes by cpuset.cpus, 0-175, of which the kernel lets 0-87 be used: cpuset.effective_cpus.
    const found = name === "nvidiagpunumanodes" ? "0-15" : lstopo!.allowed;
    expect(formatCpuList(allowedOf(name).cpus)).toBe(found);
  });

  test("a job step's cpuset in a control group mounted at an odd place", () => {
    const { limits } = allowedOf("32amd64-4s2n4c-cgroup2");
    expect(limits.at(-1)).toMatchObject({ source: "cpuset of /uid_2008/job_15389/step_0", found: "0-5" });
  });
});

test("here: as many CPUs as nproc says", () => {
  const files = new SystemFiles();
  const { cpus, memoryBytes } = readAllowed(files, readTopology(files), {});
  const environment = { ...process.env, OMP_NUM_THREADS: undefined, OMP_THREAD_LIMIT: undefined };
  expect(cpus.length).toBe(Number(Bun.spawnSync(["nproc"], { env: environment }).stdout.toString()));
  expect(memoryBytes).toBeGreaterThan(2 ** 27);
});
