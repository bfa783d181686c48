import { afterAll, describe, expect, test } from "bun:test";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  formatBriefly,
  formatCpuList,
  intersect,
  parseCpuList,
  parseCpuMask,
} from "../src/machine/cpu-list.ts";
import { readState } from "../src/machine/state.ts";
import { SystemFiles } from "../src/machine/system-files.ts";
import { type Cpu, readTopology, type Topology } from "../src/machine/topology.ts";
import {
  EPYC,
  type FoldedFiles,
  FoldedSystem,
  fixtureNames,
  makeServer,
  readFixture,
  removeTrees,
  unpack,
} from "./machines.ts";

afterAll(removeTrees);

function read(files: FoldedFiles, settings?: { everyCore: boolean }): Topology {
  return readTopology(new FoldedSystem(files), settings);
}

/** The CPUs of each group by a property, as lists, sorted as texts. */
function groups({ cpus }: Topology, key: (cpu: Cpu) => number): string[] {
  return [...Map.groupBy(cpus, key).values()].map((group) => formatCpuList(group.map(({ id }) => id))).sort();
}

function cacheLists({ caches }: Topology, name: string): Topology["caches"] {
  const types = { d: "data", i: "instruction" } as const;
  return caches.filter(
    ({ level, type }) => level === Number(name[1]) && type === (types[name[2] as "d"] ?? "unified"),
  );
}

/** 0 where hwloc is told nothing. */
const orZero = (value: number) => (Number.isNaN(value) ? 0 : value);

describe.each(fixtureNames())("captured machine %s", (name) => {
  const { files, expected } = readFixture(name);
  const topology = read(files, { everyCore: true });

  test("one core's caches for all cores: the same as those of every core", () => {
    expect(read(files)).toEqual(topology);
  });

  test("cores, sockets and caches are those that lstopo finds", () => {
    const says = expected.lstopo!;
    expect(groups(topology, ({ core }) => core)).toEqual(says.cores.toSorted());
    for (const [cache, lists] of Object.entries(says.caches)) {
      const found = cacheLists(topology, cache).map(
        ({ cpus, bytes, lineBytes }) => `${formatCpuList(cpus)} ${orZero(bytes)} ${orZero(lineBytes)}`,
      );
      expect([cache, found.sort()]).toEqual([cache, lists.toSorted()]);
    }
    expect(topology.caches.length).toBe(Object.values(says.caches).flat().length);
    // Clusters of the telephone are packages to lstopo; they share a cache, so they are one socket here.
    const sockets = name.startsWith("arm-A510") ? ["0-7"] : says.packages.toSorted();
    expect(groups(topology, ({ socket }) => socket)).toEqual(sockets);
  });

  test("NUMA nodes are those that lstopo finds", () => {
    const says = expected.lstopo!.nodes.map((line) => line.split(" "));
    const placed = says.flatMap(([, cpus]) => parseCpuList(cpus)!);
    for (const [id, cpus, bytes] of says) {
      const node = topology.nodes.find((one) => one.id === Number(id))!;
      // A CPU in no node is put into one; a note says so.
      expect(formatCpuList(intersect(node.cpus, placed))).toBe(cpus);
      // lstopo adds the huge pages to a node, and knows no memory of a tree without NUMA.
      if (bytes !== "" && topology.nodes.length > 1) expect(node.memoryBytes).toBe(Number(bytes));
    }
    const withCpus = topology.nodes.filter(({ cpus }) => cpus.length > 0);
    expect(withCpus.length).toBe(says.length);
    for (const { id, node } of topology.cpus) {
      expect(topology.nodes.find((one) => one.id === node)!.cpus).toContain(id);
    }
  });

  const says = expected.lscpu;
  if (says === undefined) return;
  test("model, nodes, caches, cores and sockets are those that lscpu finds", () => {
    expect(topology.model).toContain(says.model.replace(/\s+/g, " "));
    const nodes = topology.nodes.map(({ id, cpus }) => [`${id}`, formatCpuList(cpus)]);
    if (Object.keys(says.nodes).length > 0) expect(Object.fromEntries(nodes)).toEqual(says.nodes);
    for (const [cache, { total, instances }] of Object.entries(says.caches)) {
      const found = cacheLists(topology, cache);
      expect([cache, found.length]).toEqual([cache, instances]);
      expect(found.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(total);
    }
    const { Core, Socket, ...caches } = says.groups;
    for (const [cache, lists] of Object.entries(caches)) {
      expect(
        cacheLists(topology, cache)
          .map(({ cpus }) => formatCpuList(cpus))
          .sort(),
      ).toEqual(lists.toSorted());
    }
    expect(groups(topology, ({ socket }) => socket)).toEqual(Socket.toSorted());
    // lscpu numbers the telephone's cores within each kind, from 0 again.
    if (!name.startsWith("arm-A510")) expect(groups(topology, ({ core }) => core)).toEqual(Core.toSorted());
  });
});

describe("what no other tool says", () => {
  const fixture = (name: string) => read(readFixture(name).files);

  test("performance and efficiency cores", () => {
    const slow = (name: string) =>
      formatCpuList(fixture(name).cpus.flatMap(({ kind, id }) => (kind === "efficiency" ? [id] : [])));
    expect(slow("20em64t-hybrid")).toBe("12-19");
    expect(slow("nvidia-dgx-gb10")).toBe("0-4,10-14");
    expect(slow("arm-A510-A710-A715-X3")).toBe("0-2");
    for (const name of ["x86_64-epyc_7451", "x86_64-64cpu-linux6.2", "128arm-2pa2n8cluster4co"]) {
      expect(new Set(fixture(name).cpus.map(({ kind }) => kind))).toEqual(new Set(["uniform"]));
    }
  });

  test("Intel's lists of kinds are believed before any clock", () => {
    const { files } = readFixture("20em64t-hybrid");
    const lists = {
      "/sys/devices/cpu_core/cpus": "0-13",
      "/sys/devices/cpu_atom/cpus": "14-17",
      "/sys/devices/cpu_lowpower/cpus": "18-19",
    };
    const { cpus } = read({ ...files, ...lists });
    expect(formatCpuList(cpus.flatMap(({ kind, id }) => (kind === "efficiency" ? [id] : [])))).toBe("14-19");
  });

  test("groups by the last cache that cores share", () => {
    expect(groups(fixture("nvidia-dgx-gb10"), ({ l3 }) => l3)).toEqual(["0-9", "10-19"]);
    expect(groups(fixture("x86_64-epyc_7451"), ({ l3 }) => l3).length).toBe(16);
    expect(groups(fixture("48amd64-4pa2n6c-sparse"), ({ l3 }) => l3)[0]).toBe("0-5");
  });

  test("without a shared cache a group is a socket's part of a node", () => {
    const { files } = readFixture("48amd64-4pa2n6c-sparse");
    const kept = Object.entries(files).filter(([path]) => !/cache\/index3/.test(path));
    const topology = read(Object.fromEntries(kept));
    expect(groups(topology, ({ l3 }) => l3)).toEqual(groups(topology, ({ node }) => node));
    expect(topology.notes.join()).toContain("no cache is shared");
  });

  test("offline CPUs are in no core, no cache and no node", () => {
    const topology = fixture("16em64t-4s2c2t-offlines");
    expect(topology.offline).toEqual([2, 5, 13, 14]);
    const everywhere = [...topology.caches, ...topology.nodes].flatMap(({ cpus }) => cpus);
    for (const id of topology.offline) {
      expect(everywhere).not.toContain(id);
      expect(topology.cpus.map((cpu) => cpu.id)).not.toContain(id);
    }
    expect(formatCpuList(fixture("offline-cpu0-node0").offline)).toBe("0-3,21-23");
  });

  test("nodes of memory alone are listed, with distances from all", () => {
    const { nodes } = fixture("nvidiagpunumanodes");
    expect(nodes.map(({ id, cpus }) => [id, cpus.length])).toEqual([
      [0, 16],
      [8, 16],
      ...[250, 251, 252, 253, 254, 255].map((id) => [id, 0]),
    ]);
    for (const { distances } of nodes) expect(distances.length).toBe(8);
  });

  test("architecture, and the models of an ARM machine with several", () => {
    expect(fixture("nvidia-dgx-gb10").model).toBe("10 x ARM Cortex-A725, 10 x ARM Cortex-X925");
    expect(fixture("128arm-2pa2n8cluster4co")).toMatchObject({
      architecture: "aarch64",
      model: "HiSilicon Kunpeng-920",
    });
    expect(fixture("x86_64-64cpu").architecture).toBe("x86_64");
    expect(fixture("128arm-2pa2n8cluster4co").flags).toContain("asimd");
  });

  test("models beyond the first pages of /proc/cpuinfo count too", () => {
    const block = (part: string) =>
      `Features\t: ${"asimd ".repeat(40)}\nCPU implementer\t: 0x41\nCPU part\t: ${part}`;
    const blocks = [...Array(90).fill(block("0xd4f")), ...Array(6).fill(block("0xabc"))];
    const { model } = read({ "/proc/cpuinfo": blocks.join("\n\n") });
    expect(model).toBe("90 x ARM Neoverse-V2, 6 x ARM part 0xabc");
  });

  test("state: clock, governor, huge pages", () => {
    const files = new FoldedSystem(readFixture("20em64t-hybrid").files);
    const { clock } = readState(files, [0, 5, 12]);
    expect(clock).toMatchObject({
      governors: { powersave: 3 },
      driver: "intel_pstate",
      maxMHz: 5200,
      boost: true,
    });
    const opteron = new FoldedSystem(readFixture("32amd64-4s2n4c-cgroup2").files);
    expect(readState(opteron, [0]).hugePages).toEqual([{ pageBytes: 2 ** 21, pages: 513, free: 513 }]);
    const here = new FoldedSystem(readFixture("2amd64-vm-cgroup1").files);
    expect(readState(here, [0])).toMatchObject({
      transparentHugePages: "madvise",
      load: [expect.any(Number), expect.any(Number), expect.any(Number)],
    });
  });
});

describe("a server of 2 x 96 cores", () => {
  test("192 cores, 384 CPUs, 24 caches; the second threads are numbered after all first ones", () => {
    const topology = read(makeServer(EPYC));
    expect(topology.cpus.length).toBe(384);
    expect(groups(topology, ({ core }) => core)).toContain("7,199");
    expect(groups(topology, ({ l3 }) => l3).length).toBe(24);
    expect(groups(topology, ({ l3 }) => l3)).toContain("8-15,200-207");
    expect(groups(topology, ({ socket }) => socket)).toEqual(["0-95,192-287", "96-191,288-383"].sort());
    expect(cacheLists(topology, "L2").length).toBe(192);
    expect(topology.notes).toEqual([]);
  });

  test("four NUMA nodes a socket", () => {
    const { nodes } = read(makeServer({ ...EPYC, nodesPerSocket: 4 }));
    expect(nodes.length).toBe(8);
    expect(nodes[1].distances).toEqual([12, 10, 12, 12, 32, 32, 32, 32]);
    expect(formatCpuList(nodes[1].cpus)).toBe("24-47,216-239");
  });

  // 192 for the cores, 21 for the caches of the first, 2 for each other L3, 3 for each of 2 nodes, 10 for all else.
  test("275 files are read, not 20 for each core", () => {
    const files = new FoldedSystem(makeServer(EPYC));
    readTopology(files);
    expect(files.reads).toBe(275);
  });
});

describe("lists of CPUs", () => {
  test("a mask of more CPUs than there can be is refused", () => {
    expect(parseCpuMask(Array(2048).fill("0").join(","))).toEqual([]);
    expect(parseCpuMask(Array(2049).fill("0").join(","))).toBeUndefined();
  });

  test("lists, masks and back", () => {
    expect(parseCpuList("0-3,8,10-11\n")).toEqual([0, 1, 2, 3, 8, 10, 11]);
    expect(parseCpuList("\n")).toEqual([]);
    expect(parseCpuList("0-6:2,1")).toEqual([0, 1, 2, 4, 6]);
    expect(parseCpuMask("00000000,0000ffff\n")).toEqual([...Array(16).keys()]);
    expect(parseCpuMask("8000,00000001")).toEqual([0, 47]);
    for (const list of ["0-3,8,10-11", "5", "0,2,4", "none"]) {
      expect(formatCpuList(parseCpuList(list.replace("none", ""))!)).toBe(list);
    }
    expect(formatBriefly([0, 2, 4, 6, 9, 10, 11, 20])).toBe("0-6:2,9-11,20");
    expect(formatBriefly([0, 5, 48, 53])).toBe("0,5,48,53");
    expect(parseCpuList(formatBriefly([1, 5, 9, 13, 64, 65]))).toEqual([1, 5, 9, 13, 64, 65]);
  });

  test.each(["x", "1-", "-1", "3-1", "0-65536", "0-99999999", "1;2", "0-4:0", "1,,2", "0-65535,0-65535"])(
    "nonsense is refused: %s",
    (text) => expect(parseCpuList(text)).toBeUndefined(),
  );

  test.each(["", "xyz", "123456789", "f,,f", Array(3000).fill("f").join(",")])(
    "a mask that is none: %s",
    (text) => expect(parseCpuMask(text)).toBeUndefined(),
  );
});

describe("a captured tree is not trusted", () => {
  test("no link leads out of it, and nothing but files is read", () => {
    const outside = unpack({ "/secret": "secret" });
    const root = unpack({ "/sys/inside": "inside", "/sys/long": "x".repeat(200_000) });
    symlinkSync(join(outside, "secret"), join(root, "sys/out"));
    symlinkSync(outside, join(root, "sys/folder"));
    symlinkSync("inside", join(root, "sys/link"));
    mkdirSync(join(root, "sys/dir"));
    Bun.spawnSync(["mkfifo", join(root, "sys/pipe")]);
    const files = new SystemFiles(root);
    expect(files.line("/sys/link")).toBe("inside");
    const paths = [
      "/sys/out",
      "/sys/folder/secret",
      `/sys/../../${outside}/secret`,
      "/sys/dir",
      "/sys/pipe",
      "/sys/none",
    ];
    for (const path of paths) expect(files.text(path)).toBeUndefined();
    expect(files.names("/sys/folder")).toEqual([]);
    expect(files.text("/sys/long")!.length).toBe(65_536);
  });

  test("a tree in a folder reads as the same files without one", () => {
    const { files } = readFixture("20em64t-hybrid");
    const [folder, folded] = [new SystemFiles(unpack(files), { keep: true }), new FoldedSystem(files)];
    expect(readTopology(folder)).toEqual(readTopology(folded));
    expect(folder.reads).toBe(folded.reads);
    expect(folder.raw["/sys/devices/system/cpu/online"]).toBe("0-19\n");
  });

  test("damaged files end in a machine with notes, never in an error", () => {
    const { files } = readFixture("20em64t-hybrid");
    for (const text of ["", "-1", "0-99999", "\u0000\u0001", "9".repeat(40), "NaN", "0,0,0"]) {
      for (const pattern of [
        /online$/,
        /_list$/,
        /cpulist$/,
        /level$/,
        /size$/,
        /meminfo$/,
        /cpuinfo/,
        /distance$/,
      ]) {
        const damaged = Object.entries(files).map(([path, was]) => [path, pattern.test(path) ? text : was]);
        const { cpus, nodes } = read(Object.fromEntries(damaged));
        expect(cpus.length).toBeGreaterThan(0);
        for (const cpu of cpus) {
          expect(nodes.some(({ id }) => id === cpu.node)).toBe(true);
          expect([cpu.core, cpu.socket, cpu.l3].every((at) => at >= 0)).toBe(true);
        }
      }
    }
  });

  test("an empty folder is one CPU", () => {
    const root = unpack({});
    writeFileSync(join(root, "sys"), "");
    const { cpus, notes } = readTopology(new SystemFiles(root));
    expect(cpus.length).toBe(1);
    expect(notes.length).toBeGreaterThan(2);
    expect(readTopology(new SystemFiles(join(root, "nowhere"))).cpus.length).toBe(1);
  });
});
