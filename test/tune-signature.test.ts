import { expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { version } from "../package.json";
import { kernelFingerprints, nativeVariants } from "../src/kernels/native.ts";
import type { Allowed } from "../src/machine/allowed.ts";
import type { Cache, Cpu, Topology } from "../src/machine/topology.ts";
import { moduleShape, shapeClass } from "../src/tune/shape.ts";
import { kernelIdentity, MAX_PART, signatureId, signatureOf } from "../src/tune/signature.ts";

const SHAPE = "d3 m4 b384 t128 o64 e1024 i16k";
const MIB = 2 ** 20;

interface Build {
  readonly sockets: number;
  readonly nodesPerSocket: number;
  readonly l3PerNode: number;
  readonly coresPerL3: number;
}

/** Two threads a core; thread 0 of all cores first, then thread 1, as Linux numbers them on most machines. */
function machine({ sockets, nodesPerSocket, l3PerNode, coresPerL3 }: Build): Topology {
  const n_node = sockets * nodesPerSocket;
  const n_l3 = n_node * l3PerNode;
  const n_core = n_l3 * coresPerL3;
  const cpus = Array.from({ length: 2 * n_core }, (_, id): Cpu => {
    const core = id % n_core;
    const l3 = Math.floor(core / coresPerL3);
    const node = Math.floor(l3 / l3PerNode);
    return { id, core, l3, node, socket: Math.floor(node / nodesPerSocket), kind: "uniform" };
  });
  const shared = (by: "core" | "l3", level: number, bytes: number): Cache[] =>
    [...Map.groupBy(cpus, (cpu) => cpu[by]).values()].map((group) => ({
      ...{ level, type: level === 1 ? ("data" as const) : ("unified" as const), bytes, lineBytes: 64 },
      cpus: group.map(({ id }) => id),
    }));
  const caches = [...shared("core", 1, 32768), ...shared("core", 2, MIB), ...shared("l3", 3, 32 * MIB)];
  const memoryBytes = 251.4 * 2 ** 30;
  return {
    ...{ architecture: "x86_64", model: "AMD EPYC 7763 64-Core Processor", flags: ["avx2"], cpus, caches },
    ...{ offline: [], nodes: [], memoryBytes, notes: [] },
  };
}

function allow(topology: Topology, cpus: readonly number[], quota = Infinity): Allowed {
  return { cpus, quota, memoryBytes: topology.memoryBytes, limits: [] };
}

const EPYC = machine({ sockets: 2, nodesPerSocket: 1, l3PerNode: 8, coresPerL3: 8 });
const range = (first: number, n: number) => Array.from({ length: n }, (_, k) => first + k);

function idOf(cpus: readonly number[], topology = EPYC, quota?: number): string {
  return signatureOf(topology, allow(topology, cpus, quota), "x86-64-v3", "0123", SHAPE).id;
}

test("the id is 16 hex digits, of all parts, whatever their order", () => {
  const { id, parts } = signatureOf(EPYC, allow(EPYC, range(0, 8)), "x86-64-v3", "0123", SHAPE);
  expect(id).toMatch(/^[0-9a-f]{16}$/);
  expect(signatureId(Object.fromEntries(Object.entries(parts).reverse()))).toBe(id);
  for (const name of Object.keys(parts)) {
    expect(signatureId({ ...parts, [name]: `${parts[name]}x` })).not.toBe(id);
  }
  expect(parts).toMatchObject({ cores: "8", quota: "none", memory: "256 GiB", workload: SHAPE });
  expect(parts.mask).toBe("1 x socket of 1 x node of 1 x L3 group of 8 x core with 1 of 2 threads");
});

test("congruent masks have one signature, whichever cores they hold", () => {
  const first = idOf(range(0, 8));
  expect(idOf(range(8, 8))).toBe(first);
  expect(idOf(range(120, 8))).toBe(first);
  // The other threads of the same number of cores.
  expect(idOf(range(128, 8))).toBe(first);
  expect(idOf(range(0, 8).reverse())).toBe(first);
  // Four cores of each of two L3 groups, in one socket, then in the other.
  expect(idOf([...range(0, 4), ...range(12, 4)])).toBe(idOf([...range(80, 4), ...range(64, 4)]));
});

test("the same number of cores, divided differently, has another signature", () => {
  const masks = {
    "one L3 group": range(0, 8),
    "two L3 groups of 4": [...range(0, 4), ...range(8, 4)],
    "L3 groups of 5 and 3": [...range(0, 5), ...range(8, 3)],
    "two sockets": [...range(0, 4), ...range(64, 4)],
    "both threads of 4 cores": [...range(0, 4), ...range(128, 4)],
    "both threads of 8 cores": [...range(0, 8), ...range(128, 8)],
  };
  const ids = Object.values(masks).map((cpus) => idOf(cpus));
  expect(new Set(ids).size).toBe(ids.length);
});

test("equal trees whose nodes or L3 groups are one and the same differ", () => {
  const build = { sockets: 2, nodesPerSocket: 1, l3PerNode: 1, coresPerL3: 4 };
  const apart = machine(build);
  const cpus = range(0, 8);
  const oneNode = { ...apart, cpus: apart.cpus.map((cpu) => ({ ...cpu, node: 0 })) };
  const oneL3 = { ...apart, cpus: apart.cpus.map((cpu) => ({ ...cpu, l3: 0 })) };
  expect(new Set([apart, oneNode, oneL3].map((topology) => idOf(cpus, topology))).size).toBe(3);
});

test("caches, kinds of core, the quota and memory count; instruction caches and unused CPUs do not", () => {
  const cpus = range(0, 8);
  const base = idOf(cpus);
  const withCaches = (change: (cache: Cache) => Partial<Cache>) =>
    idOf(cpus, { ...EPYC, caches: EPYC.caches.map((cache) => ({ ...cache, ...change(cache) })) });
  expect(withCaches(({ level, bytes }) => ({ bytes: level === 2 ? bytes / 2 : bytes }))).not.toBe(base);
  // One L3 group with a larger cache, which the mask does not touch, then that it is in.
  const larger = (cpu: number) =>
    withCaches(({ level, bytes, cpus: of }) => ({
      bytes: level === 3 && of.includes(cpu) ? 3 * bytes : bytes,
    }));
  expect(larger(8)).toBe(base);
  expect(larger(0)).not.toBe(base);
  const instruction = { level: 1, type: "instruction" as const, bytes: 32768, lineBytes: 64, cpus: [0, 128] };
  expect(idOf(cpus, { ...EPYC, caches: [...EPYC.caches, instruction] })).toBe(base);

  const kinds = EPYC.cpus.map((cpu) => ({ ...cpu, kind: "efficiency" as const }));
  expect(idOf(cpus, { ...EPYC, cpus: kinds })).not.toBe(base);
  expect(idOf(cpus, EPYC, 8)).toBe(base);
  expect(idOf(cpus, EPYC, 6.5)).not.toBe(base);
  expect(idOf(cpus, { ...EPYC, memoryBytes: 250.9 * 2 ** 30 })).toBe(base);
  expect(idOf(cpus, { ...EPYC, memoryBytes: 62 * 2 ** 30 })).not.toBe(base);
});

test("parts stay short and printable, and long ones are told apart", () => {
  const strange = (model: string) => signatureOf({ ...EPYC, model }, allow(EPYC, [0]), "k", "h", SHAPE);
  expect(strange("a\u001b[31m\n b\u202e").parts.cpu).toBe("a?[31m b?");
  const long = "🌍".repeat(1000);
  const { id, parts } = strange(long);
  expect(parts.cpu.length).toBeLessThanOrEqual(MAX_PART);
  expect(parts.cpu.isWellFormed()).toBe(true);
  expect(strange(`${long}2`).id).not.toBe(id);
  // A CPU that no list knows, and no CPU at all.
  expect(idOf([9999])).toBe(idOf([]));
});

test("kernels are told apart by the bytes of their shared objects", () => {
  const folder = join(import.meta.dir, "../build/kernels");
  for (const { name, sha256 } of kernelFingerprints()) {
    const bytes = readFileSync(join(folder, `libdotpe-${name}.so`));
    expect(sha256).toBe(createHash("sha256").update(bytes).digest("hex"));
  }
  expect(kernelFingerprints().map(({ name }) => name)).toEqual(nativeVariants().map(({ name }) => name));
  expect(kernelFingerprints()).toBe(kernelFingerprints());
  expect(kernelIdentity("ref")).toEqual({ kernel: "ref", kernelHash: `version ${version}` });
  const identities = ["auto", "ref", ...nativeVariants().map(({ name }) => name)].map(kernelIdentity);
  const apart = new Set(identities.map(({ kernelHash }) => kernelHash));
  // With a single variant, or none, "auto" is that one.
  expect(apart.size).toBe(nativeVariants().length > 1 ? identities.length : identities.length - 1);
});

const SIZES = { n_d: 3, n_m: 4, n_b: 378, n_t: 128, n_phi: 50, n_e: 1024, n_i: 16_000 };

test("sizes go up to classes", () => {
  expect(shapeClass(SIZES)).toBe(SHAPE);
  expect(shapeClass({ ...SIZES, n_b: 385, n_t: 129, n_phi: 65, n_e: 1, n_i: 16_385 })).toBe(
    "d3 m4 b512 t256 o128 e1 i64k",
  );
  expect(shapeClass({ n_d: 1, n_m: 1, n_b: 1, n_t: 1, n_phi: 1, n_e: 1, n_i: 1 })).toBe(
    "d1 m1 b8 t1 o8 e1 i1",
  );
  const bins = [8, 9, 17, 25, 33, 49, 97, 129].map(
    (n_b) => /b(\d+)/.exec(shapeClass({ ...SIZES, n_b }))?.[1],
  );
  expect(bins.map(Number)).toEqual([8, 16, 24, 32, 48, 64, 128, 192]);
  const many = [300_000, 2 ** 20, 2 ** 30].map((n_i) =>
    shapeClass({ ...SIZES, n_i })
      .split(" ")
      .at(-1),
  );
  expect(many).toEqual(["i1M", "i1M", "i1M"]);
});

test("sizes that are none are refused", () => {
  for (const n_e of [0, -1, 1.5, Number.NaN, Infinity]) {
    expect(() => shapeClass({ ...SIZES, n_e })).toThrow(RangeError);
  }
});

test("a module's class follows its bytes, its size and its options", () => {
  const file = new TextEncoder().encode("export default {}");
  const shape = moduleShape("ldpc", file, 5000);
  expect(shape).toMatch(/^module ldpc [0-9a-f]{16} i16k$/);
  expect(moduleShape("ldpc", file, 6000)).toBe(shape);
  expect(moduleShape("ldpc", file, 60_000)).not.toBe(shape);
  expect(moduleShape("ldpc", file.subarray(1), 5000)).not.toBe(shape);
  const given = moduleShape("ldpc", file, 5000, { rate: "0.5", length: "1024" });
  expect(given).toStartWith(`${shape} options `);
  expect(moduleShape("ldpc", file, 5000, { length: "1024", rate: "0.5" })).toBe(given);
  expect(moduleShape("ldpc", file, 5000, { length: "2048", rate: "0.5" })).not.toBe(given);
});
