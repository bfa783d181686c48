/** Captured machines: fixtures of the files that Linux describes them in, unpacked for `SystemFiles`. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { parseCpuList } from "../src/machine/cpu-list.ts";
import { SystemFiles } from "../src/machine/system-files.ts";
import { FIXTURES } from "./helpers.ts";

/** Texts by path; in both, `{0-3,8}` in a path stands for each of these numbers and `{}` in the text for the number. */
export type FoldedFiles = Readonly<Record<string, string>>;

/** What lscpu printed for this tree. */
export interface LscpuSays {
  readonly model: string;
  /** Sizes of all instances together, in bytes, by "L1d". */
  readonly caches: Readonly<Record<string, { total: number; instances: number }>>;
  readonly nodes: Readonly<Record<string, string>>;
  /** The CPUs of each core, socket and cache. */
  readonly groups: Readonly<Record<string, readonly string[]>>;
}

/** What lstopo printed for this tree. */
export interface LstopoSays {
  readonly allowed: string;
  readonly packages: readonly string[];
  readonly cores: readonly string[];
  /** "L2d" and so on: "<CPUs> <bytes> <bytes of a line>". */
  readonly caches: Readonly<Record<string, readonly string[]>>;
  /** "<node> <CPUs> <bytes>". */
  readonly nodes: readonly string[];
}

export interface MachineFixture {
  readonly about: string;
  readonly source: string;
  readonly files: FoldedFiles;
  readonly expected: { readonly lscpu?: LscpuSays; readonly lstopo?: LstopoSays & { command: string } };
}

const FOLDER = join(FIXTURES, "machines");

export function fixtureNames(): string[] {
  return readdirSync(FOLDER)
    .filter((name) => name.endsWith(".json"))
    .map((name) => name.slice(0, -".json".length));
}

export function readFixture(name: string): MachineFixture {
  return JSON.parse(readFileSync(join(FOLDER, `${name}.json`), "utf8"));
}

/** Each file of a folded set. */
export function unfold(files: FoldedFiles): Map<string, string> {
  const all = new Map<string, string>();
  for (const [path, text] of Object.entries(files)) {
    const list = /\{([\d,-]+)\}/.exec(path);
    for (const id of list ? parseCpuList(list[1])! : [0]) {
      all.set(list ? path.replace(list[0], `${id}`) : path, `${text.replaceAll("{}", `${id}`)}\n`);
    }
  }
  return all;
}

/** These files without a file system: thousands of them take seconds to write and to remove. */
export class FoldedSystem extends SystemFiles {
  private readonly texts: ReadonlyMap<string, string>;
  private readonly folders = new Map<string, Set<string>>();

  constructor(files: FoldedFiles) {
    super("/captured");
    this.texts = unfold(files);
    for (const path of this.texts.keys()) this.enter(path);
  }

  override text(path: string, mostBytes = 2 ** 16): string | undefined {
    this.reads++;
    return this.texts.get(path)?.slice(0, mostBytes);
  }

  override names(path: string): string[] {
    this.reads++;
    return [...(this.folders.get(path) ?? [])].sort();
  }

  private enter(path: string): void {
    const folder = dirname(path);
    const names = this.folders.get(folder);
    if (names) names.add(basename(path));
    else {
      this.folders.set(folder, new Set([basename(path)]));
      if (folder !== "/") this.enter(folder);
    }
  }
}

const made: string[] = [];

/** A folder with these files, removed by `removeTrees`. */
export function unpack(files: FoldedFiles): string {
  const root = mkdtempSync(join(tmpdir(), "dotpe-machine-"));
  made.push(root);
  const folders = new Set<string>();
  for (const [path, text] of unfold(files)) {
    const folder = join(root, dirname(path));
    if (!folders.has(folder)) mkdirSync(folder, { recursive: true });
    folders.add(folder);
    writeFileSync(join(root, path), text);
  }
  return root;
}

export function removeTrees(): void {
  for (const root of made.splice(0)) rmSync(root, { recursive: true, force: true });
}

export interface ServerShape {
  readonly sockets: number;
  readonly cores: number;
  /** Cores that share a third-level cache. */
  readonly coresPerL3: number;
  readonly nodesPerSocket: number;
  readonly threads: 1 | 2;
}

/** 2 x EPYC 9654, as its data sheet has it: 96 cores each in 12 groups of 8, two threads a core. */
export const EPYC: ServerShape = { sockets: 2, cores: 192, coresPerL3: 8, nodesPerSocket: 1, threads: 2 };

const CPUINFO = [
  "processor\t: 0",
  "vendor_id\t: AuthenticAMD",
  "model name\t: AMD EPYC 9654 96-Core Processor",
  "cpu MHz\t\t: 2400.000",
  "flags\t\t: fpu lm sse4_2 ssse3 popcnt avx avx2 fma bmi1 bmi2 f16c movbe avx512f avx512bw avx512cd avx512dq avx512vl",
].join("\n");

/** Made up: Linux numbers the first threads of all cores before the second ones. */
export function makeServer({
  sockets,
  cores,
  coresPerL3,
  nodesPerSocket,
  threads,
}: ServerShape): FoldedFiles {
  const n = cores * threads;
  const range = (first: number, length: number) => {
    const of = (start: number) => (length === 1 ? `${start}` : `${start}-${start + length - 1}`);
    return threads === 1 ? of(first) : `${of(first)},${of(first + cores)}`;
  };
  const n_nodes = sockets * nodesPerSocket;
  const nodeCores = cores / n_nodes;
  const CPU = "/sys/devices/system/cpu";
  const NODE = "/sys/devices/system/node";
  const files: Record<string, string> = {
    "/proc/cpuinfo": CPUINFO,
    "/proc/meminfo": `MemTotal: ${n_nodes * 400_000_000} kB\nMemFree: ${n_nodes * 390_000_000} kB\nMemAvailable: ${n_nodes * 395_000_000} kB`,
    [`${CPU}/online`]: `0-${n - 1}`,
    [`${CPU}/present`]: `0-${n - 1}`,
    [`${NODE}/online`]: n_nodes === 1 ? "0" : `0-${n_nodes - 1}`,
  };
  const all = `${CPU}/cpu{0-${n - 1}}`;
  const indices = [
    [0, 1, "Data", "32K"],
    [1, 1, "Instruction", "32K"],
    [2, 2, "Unified", "1024K"],
    [3, 3, "Unified", "32768K"],
  ] as const;
  for (const [index, level, type, size] of indices) {
    const texts = { level: `${level}`, type, size, coherency_line_size: "64" };
    for (const [name, text] of Object.entries(texts)) files[`${all}/cache/index${index}/${name}`] = text;
  }
  for (let core = 0; core < cores; core++) {
    const path = `${CPU}/cpu{${range(core, 1)}}`;
    files[`${path}/topology/core_cpus_list`] = range(core, 1);
    for (const index of [0, 1, 2]) files[`${path}/cache/index${index}/shared_cpu_list`] = range(core, 1);
  }
  for (let core = 0; core < cores; core += coresPerL3) {
    const shared = range(core, coresPerL3);
    files[`${CPU}/cpu{${shared}}/cache/index3/shared_cpu_list`] = shared;
  }
  for (let core = 0; core < cores; core += cores / sockets) {
    const list = range(core, cores / sockets);
    files[`${CPU}/cpu{${list}}/topology/package_cpus_list`] = list;
  }
  for (let node = 0; node < n_nodes; node++) {
    const distance = (other: number) =>
      other === node
        ? 10
        : Math.floor(other / nodesPerSocket) === Math.floor(node / nodesPerSocket)
          ? 12
          : 32;
    files[`${NODE}/node${node}/cpulist`] = range(node * nodeCores, nodeCores);
    files[`${NODE}/node${node}/meminfo`] =
      `Node ${node} MemTotal: 400000000 kB\nNode ${node} MemFree: 390000000 kB`;
    files[`${NODE}/node${node}/distance`] = Array.from({ length: n_nodes }, (_, other) =>
      distance(other),
    ).join(" ");
  }
  return files;
}
