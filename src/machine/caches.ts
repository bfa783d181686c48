/** Caches, and the CPUs that share them. */
import { intersect, parseCpuList, parseCpuMask } from "./cpu-list.ts";
import type { SystemFiles } from "./system-files.ts";
import type { Cache } from "./topology.ts";

export interface CoreToRead {
  readonly cpus: readonly number[];
  /** Cores of the same class have caches alike: those of one of them are read. */
  readonly class: string;
}

/** A cache of one CPU: the entry /sys/devices/system/cpu/cpuN/cache/index<index>. */
interface Entry extends Cache {
  readonly index: number;
  /** No other core shares it. */
  readonly own: boolean;
}

/**
 * By level, then first CPU. The entries of the first core of each class are read whole; of the others only what cores
 * share, once for each shared cache: its CPUs and its size.
 * @param online CPUs: only these are listed as sharing
 */
export function readCaches(
  files: SystemFiles,
  cores: readonly CoreToRead[],
  online: readonly number[],
): Cache[] {
  const entries = new Map<string, Entry[]>();
  const covered = new Map<string, Set<number>>();
  const caches: Cache[] = [];
  for (const { cpus, class: name } of cores) {
    const model = entries.get(name);
    const own = model ?? readEntries(files, cpus, online);
    if (!model) entries.set(name, own);
    for (const entry of own) {
      const key = `${entry.level} ${entry.type}`;
      const seen = covered.get(key) ?? new Set();
      covered.set(key, seen);
      if (seen.has(cpus[0])) continue;
      const {
        level,
        type,
        bytes,
        lineBytes,
        cpus: shared,
      } = model ? another(files, entry, cpus, online) : entry;
      caches.push({ level, type, bytes, lineBytes, cpus: shared });
      for (const id of shared) seen.add(id);
    }
  }
  return caches.sort((a, b) => a.level - b.level || a.cpus[0] - b.cpus[0] || (a.type < b.type ? -1 : 1));
}

/** The cache of another core that corresponds to an entry. */
function another(
  files: SystemFiles,
  entry: Entry,
  cpus: readonly number[],
  online: readonly number[],
): Cache {
  if (entry.own) return { ...entry, cpus };
  const folder = folderOf(cpus[0], entry.index);
  return { ...entry, cpus: sharing(files, folder, cpus, online), bytes: size(files, folder) ?? entry.bytes };
}

function readEntries(files: SystemFiles, cpus: readonly number[], online: readonly number[]): Entry[] {
  const indices = files
    .numbered(`/sys/devices/system/cpu/cpu${cpus[0]}/cache`, "index")
    .slice(0, MOST_INDICES);
  return indices.flatMap((index) => {
    const folder = folderOf(cpus[0], index);
    const level = files.count(`${folder}/level`);
    const type = TYPES[files.line(`${folder}/type`) ?? ""];
    if (level === undefined || type === undefined) return [];
    const shared = sharing(files, folder, cpus, online);
    const bytes = size(files, folder) ?? NaN;
    const lineBytes = files.count(`${folder}/coherency_line_size`) ?? NaN;
    return [
      {
        index,
        level,
        type,
        bytes,
        lineBytes,
        cpus: shared,
        own: intersect(shared, cpus).length === shared.length,
      },
    ];
  });
}

const MOST_INDICES = 16;
const TYPES: Readonly<Record<string, Cache["type"]>> = {
  Data: "data",
  Instruction: "instruction",
  Unified: "unified",
};

function folderOf(cpu: number, index: number): string {
  return `/sys/devices/system/cpu/cpu${cpu}/cache/index${index}`;
}

/** CPUs online that share a cache; the core's own where that is not said. */
function sharing(
  files: SystemFiles,
  folder: string,
  cpus: readonly number[],
  online: readonly number[],
): readonly number[] {
  const list = files.text(`${folder}/shared_cpu_list`);
  const named =
    list === undefined ? parseCpuMask(files.text(`${folder}/shared_cpu_map`) ?? "") : parseCpuList(list);
  const shared = intersect(named ?? [], online);
  return shared.includes(cpus[0]) ? shared : cpus;
}

/** "32K" to bytes. */
function size(files: SystemFiles, folder: string): number | undefined {
  const match = /^(\d{1,9})([KMG]?)$/.exec(files.line(`${folder}/size`) ?? "");
  return match
    ? Number(match[1]) * { "": 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30 }[match[2] as "" | "K"]
    : undefined;
}
