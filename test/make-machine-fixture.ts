/**
 * Makes test/fixtures/machines/NAME.json of a captured tree: the files that are read and no others, equal ones folded, with
 * what lscpu and lstopo say of it.
 *   node_modules/.bin/bun test/make-machine-fixture.ts NAME DIR --about TEXT --source TEXT [--lscpu EXPECTED]
 * lstopo-no-graphics (hwloc) reads DIR itself if it is installed; EXPECTED is a file that lscpu's own tests compare with.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { readAllowed } from "../src/machine/allowed.ts";
import { formatCpuList, parseCpuList, parseCpuMask, rising } from "../src/machine/cpu-list.ts";
import { readState } from "../src/machine/state.ts";
import { SystemFiles } from "../src/machine/system-files.ts";
import { readTopology } from "../src/machine/topology.ts";
import { FIXTURES } from "./helpers.ts";
import { type FoldedFiles, type LscpuSays, type LstopoSays, removeTrees, unpack } from "./machines.ts";

function readAll(root: string) {
  const files = new SystemFiles(root, { keep: true });
  const topology = readTopology(files, { everyCore: true });
  const quick = readTopology(files);
  const allowed = readAllowed(files, topology, {});
  const state = readState(
    files,
    topology.cpus.map(({ id }) => id),
  );
  // Old kernels have no list of CPUs but their folders: something must be in each.
  const folders = files.numbered("/sys/devices/system/cpu", "cpu");
  for (const id of folders) files.line(`/sys/devices/system/cpu/cpu${id}/topology/physical_package_id`);
  return { raw: files.raw, described: JSON.stringify({ topology, quick, allowed, state }) };
}

/** Lines of /proc files that nobody reads say too much of the machine that was captured. */
function trim(path: string, text: string): string {
  const lines = text.trimEnd().split("\n");
  const keep = (pattern: RegExp) => lines.filter((line) => pattern.test(line)).join("\n");
  if (/\/node\d+\/meminfo$/.test(path)) return keep(/Mem(Total|Free):/);
  if (path === "/proc/meminfo") return keep(/^Mem(Total|Free|Available):/);
  if (path === "/proc/mounts" || path === "/proc/self/mountinfo") return keep(/ cgroup2? /);
  if (path === "/proc/self/status") return keep(/^Cpus_allowed_list/);
  if (path !== "/proc/cpuinfo") return lines.join("\n");
  const [first, ...others] = text.trimEnd().split(/\n\n+/);
  const some = /^(vendor_id|model name|cpu MHz|flags|Features|cpu|CPU \w+)\s*:/;
  const head = first.split("\n").filter((line) => some.test(line));
  const parts = others.map((block) =>
    block.split("\n").filter((line) => /^CPU (implementer|part)\s*:/.test(line)),
  );
  return [head, ...parts.filter((part) => part.length > 0)].map((part) => part.join("\n")).join("\n\n");
}

function fold(raw: Readonly<Record<string, string>>): FoldedFiles {
  const folded: Record<string, string> = {};
  const byText = new Map<string, number[]>();
  for (const [path, text] of Object.entries(raw)) {
    const id = /\/cpu(\d+)\//.exec(path)?.[1];
    const trimmed = trim(path, text);
    if (id === undefined) folded[path] = trimmed;
    else {
      const key = JSON.stringify([
        path.replace(`/cpu${id}/`, "/cpu{}/"),
        path.endsWith("_list") && trimmed === id ? "{}" : trimmed,
      ]);
      byText.set(key, [...(byText.get(key) ?? []), Number(id)]);
    }
  }
  for (const [key, ids] of byText) {
    const [path, text] = JSON.parse(key) as [string, string];
    folded[path.replace("{}", `{${formatCpuList(rising(ids))}}`)] = text;
  }
  return folded;
}

function lscpuSays(text: string): LscpuSays {
  const value = (name: string) => new RegExp(`^${name}:\\s+(.*)$`, "m").exec(text)?.[1];
  const caches: Record<string, { total: number; instances: number }> = {};
  const units = { KiB: 2 ** 10, MiB: 2 ** 20 };
  for (const [, name, size, unit, n] of text.matchAll(
    /^(L\d\w?) cache:\s+([\d.]+) (KiB|MiB) \((\d+) instances?\)/gm,
  )) {
    caches[name] = { total: Number(size) * units[unit as "KiB"], instances: Number(n) };
  }
  const nodes = [...text.matchAll(/^NUMA node(\d+) CPU\(s\):\s+(\S+)$/gm)].map(
    ([, id, list]) => [id, formatCpuList(parseCpuList(list)!)] as const,
  );
  // The first of two tables: numbers through the machine.
  const [head, ...rows] = text
    .split(/^# (?=CPU,)/m)[1]
    .trim()
    .split("\n")
    .filter((line) => !line.startsWith("#"));
  const columns = head.split(",");
  const groups = Object.fromEntries(
    columns.slice(1).flatMap((name, at) => {
      const cells = rows
        .map((row) => row.split(","))
        .filter((row) => row[at + 1] !== undefined && row[at + 1] !== "");
      if (name === "" || name === "Node" || cells.length === 0) return [];
      const byNumber = Map.groupBy(cells, (row) => row[at + 1]);
      return [
        [
          name,
          [...byNumber.values()].map((group) => formatCpuList(rising(group.map((row) => Number(row[0]))))),
        ],
      ];
    }),
  );
  return { model: value("Model name") ?? "", caches, nodes: Object.fromEntries(nodes), groups };
}

/** Of its XML, in which every object has its set of CPUs. */
function lstopoSays(root: string): LstopoSays {
  const run = Bun.spawnSync(["lstopo-no-graphics", "-i", root, "--disallowed", "--of", "xml"]);
  if (!run.success) throw new Error(`lstopo: ${run.stderr}`);
  const says = { allowed: "", packages: [], cores: [], caches: {}, nodes: [] } as unknown as {
    -readonly [K in keyof LstopoSays]: LstopoSays[K] extends readonly string[] ? string[] : LstopoSays[K];
  };
  const caches: Record<string, string[]> = {};
  for (const [tag] of run.stdout.toString().matchAll(/<object [^>]*>/g)) {
    const value = (name: string) => new RegExp(` ${name}="([^"]*)"`).exec(tag)?.[1] ?? "";
    // hwloc writes "0xf,,0x1": an empty word is 0.
    const words = (name: string) =>
      value(name)
        .split(",")
        .map((word) => word.replace("0x", "") || "0");
    const set = (name: string) => formatCpuList(parseCpuMask(words(name).join(","))!);
    const type = value("type");
    if (type === "Machine") says.allowed = set("allowed_cpuset");
    if (type === "Package") says.packages.push(set("cpuset"));
    if (type === "Core") says.cores.push(set("cpuset"));
    if (type === "NUMANode")
      says.nodes.push(`${value("os_index")} ${set("cpuset")} ${value("local_memory")}`);
    const level = /^L(\d)i?Cache$/.exec(type)?.[1];
    if (level === undefined) continue;
    const name = `L${level}${["", "d", "i"][Number(value("cache_type"))]}`;
    caches[name] = [
      ...(caches[name] ?? []),
      `${set("cpuset")} ${value("cache_size")} ${value("cache_linesize")}`,
    ];
  }
  return { ...says, caches };
}

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { about: { type: "string" }, source: { type: "string" }, lscpu: { type: "string" } },
});
const [name, root] = positionals;
const { raw, described } = readAll(root);
const files = fold(raw);
const again = readAll(unpack(files)).described;
if (again !== described) throw new Error(`what was left out is read: ${described} became ${again}`);
removeTrees();
const lstopo = Bun.which("lstopo-no-graphics") ? lstopoSays(root) : undefined;
const expected = {
  ...(values.lscpu ? { lscpu: lscpuSays(readFileSync(values.lscpu, "utf8")) } : {}),
  ...(lstopo
    ? { lstopo: { command: "hwloc 2.9.0: lstopo-no-graphics -i DIR --disallowed --of xml", ...lstopo } }
    : {}),
};
const folder = join(FIXTURES, "machines");
mkdirSync(folder, { recursive: true });
const json = JSON.stringify({ about: values.about, source: values.source, files, expected }, null, 1);
writeFileSync(join(folder, `${name}.json`), `${json}\n`);
