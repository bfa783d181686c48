/** The rows of `dotpe-hpc tune --list`. */
import { dirname } from "node:path";
import { brief } from "../bench/table.ts";
import type { FoundEntry } from "./cache.ts";
import type { Setting } from "./setting.ts";

/** Columns of text, to be put to the left by `formatTable`. */
export const LIST_TEXT_COLUMNS = 4;

const MAX_NAME = 40;

/**
 * A row for each entry under a head.
 * @param at the time to count ages from (ms since 1970)
 * @param system the folder of the machine's own entries: they are marked
 */
export function cacheRows(found: readonly FoundEntry[], at: number, system: string): string[][] {
  const head = ["signature", "machine", "work", "setting", "rate", "gain", "age"];
  const rows = found.map(({ entry, path }) => [
    entry.signature.id + (dirname(path) === system ? " (system)" : ""),
    machineName(entry.signature.parts),
    entry.signature.parts.workload ?? "-",
    settingText(entry.setting),
    `${brief(entry.rate)} ${entry.unit}/s`,
    `${entry.gain.toFixed(2)}x`,
    ageText(at - Date.parse(entry.created)),
  ]);
  return [head, ...rows];
}

/** In one line: "16 threads, 64 x 2 samples, tile 16 x 128, x86-64-v3, SMT". */
export function settingText(setting: Setting): string {
  const { n_procs, iBatch, batchesPerTask, iTile, eTile, kernel, smt } = setting;
  const threads = `${n_procs} thread${n_procs === 1 ? "" : "s"}`;
  const cuts = `batch ${iBatch} x ${batchesPerTask}, tile ${iTile} x ${eTile}`;
  return `${threads}, ${cuts}, ${kernel}${smt ? ", SMT" : ""}`;
}

/** The model without what every model's name has, and how much of the machine. */
function machineName({ cpu = "-", cores }: Readonly<Record<string, string>>): string {
  const name = cpu
    .replace(/\((R|TM)\)/gi, "")
    .replace(/ (CPU|Processor)\b/g, "")
    .replace(/\s+/g, " ");
  const short = name.length > MAX_NAME ? `${name.slice(0, MAX_NAME - 3).toWellFormed()}...` : name;
  return cores === undefined ? short : `${short}, ${cores} core${cores === "1" ? "" : "s"}`;
}

function ageText(ms: number): string {
  if (!(ms >= 0)) return "-";
  const minutes = ms / 60e3;
  if (minutes < 1) return "now";
  if (minutes < 60) return `${Math.floor(minutes)} min`;
  const hours = minutes / 60;
  return hours < 48 ? `${Math.floor(hours)} h` : `${Math.floor(hours / 24)} d`;
}
