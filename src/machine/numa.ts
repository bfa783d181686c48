/** NUMA nodes: their CPUs, memory and distances. */
import { parseCpuList, parseCpuMask } from "./cpu-list.ts";
import type { SystemFiles } from "./system-files.ts";
import type { NumaNode } from "./topology.ts";

const FOLDER = "/sys/devices/system/node";

/** Nodes that are online, by id, those without CPUs too. Their CPUs may be offline. Empty where nothing is said. */
export function readNodes(files: SystemFiles): NumaNode[] {
  const listed = parseCpuList(files.text(`${FOLDER}/online`) ?? "");
  const ids = listed?.length ? listed : files.numbered(FOLDER, "node");
  return ids.map((id) => {
    const meminfo = files.text(`${FOLDER}/node${id}/meminfo`) ?? "";
    return {
      id,
      cpus: nodeCpus(files, id),
      memoryBytes: memoryField(meminfo, "MemTotal"),
      freeBytes: memoryField(meminfo, "MemFree"),
      distances: distances(files.line(`${FOLDER}/node${id}/distance`), ids.length),
    };
  });
}

function nodeCpus(files: SystemFiles, id: number): number[] {
  const list = files.text(`${FOLDER}/node${id}/cpulist`);
  if (list !== undefined) return parseCpuList(list) ?? [];
  return parseCpuMask(files.text(`${FOLDER}/node${id}/cpumap`) ?? "") ?? [];
}

/** To every node; empty where nothing of that length is said. */
function distances(line: string | undefined, n: number): number[] {
  const numbers = (line ?? "").split(/\s+/).map(Number);
  return numbers.length === n && numbers.every((value) => value > 0) ? numbers : [];
}

/** Bytes of a line "[Node 0 ]NAME: 123 kB" of a meminfo file; NaN if there is none. */
export function memoryField(meminfo: string, name: string): number {
  const found = new RegExp(`^(?:Node \\d+ )?${name}:\\s+(\\d{1,13}) kB`, "m").exec(meminfo)?.[1];
  return found === undefined ? NaN : 1024 * Number(found);
}
