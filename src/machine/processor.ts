/** What /proc/cpuinfo says: architecture, model, instruction sets. */
import { machine } from "node:os";
import { BASELINE } from "../kernels/baseline.ts";
import type { SystemFiles } from "./system-files.ts";

/** The first processors of an x86 machine; a processor takes 1.5 kB. */
const FIRST_BYTES = 2 ** 14;
/** All processors of an ARM machine, of which each may be another model; a processor takes 350 bytes. */
const ALL_BYTES = 2 ** 19;

export interface Processor {
  readonly architecture: string;
  readonly model: string;
  readonly flags: readonly string[];
}

export function readProcessor(files: SystemFiles, notes: string[]): Processor {
  const first = files.text("/proc/cpuinfo", FIRST_BYTES) ?? "";
  const isArm = /^CPU implementer\s*:/m.test(first);
  const cpuinfo = isArm && first.length === FIRST_BYTES ? files.text("/proc/cpuinfo", ALL_BYTES)! : first;
  const model = modelOf(cpuinfo) ?? boardModel(files);
  if (model === undefined) notes.push("no processor model is named in /proc/cpuinfo");
  const flags = (field(cpuinfo, "flags") ?? field(cpuinfo, "Features") ?? "").split(/\s+/).filter(Boolean);
  const assumed = flags.length === 0 && files.isLive ? BASELINE[process.arch] : undefined;
  if (assumed) notes.push("/proc/cpuinfo names no instruction sets: those that every processor has are used");
  return {
    architecture: files.isLive ? machine() : architectureOf(cpuinfo),
    model: model ?? "unknown processor",
    flags: assumed ?? flags,
  };
}

function field(cpuinfo: string, name: string): string | undefined {
  const value = new RegExp(`^${name}[ \\t]*:(.*)$`, "m").exec(cpuinfo)?.[1];
  return value?.replace(/\s+/g, " ").trim() || undefined;
}

/** Of a captured tree, in which nothing says it. */
function architectureOf(cpuinfo: string): string {
  if (field(cpuinfo, "CPU implementer"))
    return field(cpuinfo, "CPU architecture") === "7" ? "armv7l" : "aarch64";
  if (field(cpuinfo, "vendor_id")) return / lm /.test(` ${field(cpuinfo, "flags")} `) ? "x86_64" : "i686";
  if (/POWER/.test(field(cpuinfo, "cpu") ?? "")) return "ppc64le";
  return "unknown";
}

function modelOf(cpuinfo: string): string | undefined {
  const named = field(cpuinfo, "model name") ?? field(cpuinfo, "Model name");
  const arm = field(cpuinfo, "CPU implementer") ? armModel(cpuinfo) : undefined;
  // Kernels of 32-bit ARM name the architecture alone: "ARMv7 Processor rev 1".
  if (named && !(arm && named.startsWith("ARMv"))) return named;
  return arm ?? field(cpuinfo, "cpu model") ?? field(cpuinfo, "cpu") ?? field(cpuinfo, "Hardware");
}

/** "10 x ARM Cortex-A725, 10 x ARM Cortex-X925", or the one model alone. */
function armModel(cpuinfo: string): string {
  const counts = new Map<string, number>();
  const pattern = /^CPU implementer\s*:\s*(\S+)(?:\n.+)*?\nCPU part\s*:\s*(\S+)/gm;
  for (const [, implementer, part] of cpuinfo.matchAll(pattern)) {
    const name = armName(Number(implementer), Number(part));
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  if (counts.size === 0) return "ARM processor";
  if (counts.size === 1) return [...counts.keys()][0];
  return [...counts].map(([name, n]) => `${n} x ${name}`).join(", ");
}

function armName(implementer: number, part: number): string {
  const maker = ARM_MAKERS[implementer];
  const name = maker?.parts[part] ?? `part 0x${part.toString(16)}`;
  return `${maker?.name ?? `implementer 0x${implementer.toString(16)}`} ${name}`;
}

/** MIDR_EL1 implementers and parts of processors on which one might run this; for the others the numbers are printed. */
const ARM_MAKERS: Readonly<Record<number, { name: string; parts: Readonly<Record<number, string>> }>> = {
  65: {
    name: "ARM",
    parts: {
      ...{ 3331: "Cortex-A53", 3333: "Cortex-A55", 3335: "Cortex-A57", 3336: "Cortex-A72" },
      ...{ 3337: "Cortex-A73", 3338: "Cortex-A75", 3339: "Cortex-A76", 3340: "Neoverse-N1" },
      ...{ 3341: "Cortex-A77", 3392: "Neoverse-V1", 3393: "Cortex-A78", 3396: "Cortex-X1" },
      ...{ 3398: "Cortex-A510", 3399: "Cortex-A710", 3400: "Cortex-X2", 3401: "Neoverse-N2" },
      ...{ 3403: "Cortex-A78C", 3405: "Cortex-A715", 3406: "Cortex-X3", 3407: "Neoverse-V2" },
      ...{ 3456: "Cortex-A520", 3457: "Cortex-A720", 3458: "Cortex-X4", 3460: "Neoverse-V3" },
      ...{ 3461: "Cortex-X925", 3463: "Cortex-A725", 3470: "Neoverse-N3" },
    },
  },
  67: { name: "Cavium", parts: { 161: "ThunderX", 175: "ThunderX2" } },
  70: { name: "Fujitsu", parts: { 1: "A64FX", 3: "MONAKA" } },
  72: { name: "HiSilicon", parts: { 3329: "Kunpeng-920", 3330: "Kunpeng-920" } },
  78: { name: "NVIDIA", parts: { 4: "Carmel", 16: "Olympus" } },
  81: { name: "Qualcomm", parts: { 1: "Oryon", 3072: "Falkor" } },
  97: {
    name: "Apple",
    parts: {
      ...{ 34: "Icestorm-M1", 35: "Firestorm-M1", 36: "Icestorm-M1-Pro", 37: "Firestorm-M1-Pro" },
      ...{ 40: "Icestorm-M1-Max", 41: "Firestorm-M1-Max", 50: "Blizzard-M2", 51: "Avalanche-M2" },
    },
  },
  109: { name: "Microsoft", parts: { 3401: "Azure-Cobalt-100" } },
  192: { name: "Ampere", parts: { 2755: "Ampere-1", 2756: "Ampere-1a" } },
};

function boardModel(files: SystemFiles): string | undefined {
  return files.line("/sys/firmware/devicetree/base/model") ?? files.line("/sys/class/dmi/id/product_name");
}
