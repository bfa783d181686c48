/** `dotpe-hpc tune --list`, `--clear`, `--export`, `--import`. */
import { formatTable } from "../bench/table.ts";
import { cachePlaces, clearCached, listCached } from "../tune/cache.ts";
import { exportCached, importCached } from "../tune/cache-exchange.ts";
import { cacheRows, LIST_TEXT_COLUMNS } from "../tune/cache-list.ts";
import { printOut, printProgress } from "./print.ts";

/** @param file of export and import */
export async function remembered(what: string, file = ""): Promise<void> {
  const places = cachePlaces();
  const warn = (warnings: readonly string[]) => {
    for (const text of warnings) printProgress(`warning: ${text}\n`);
  };
  if (what === "list") {
    const { found, warnings } = listCached(places);
    warn(warnings);
    const where = `${places.user ?? "(no home)"}, ${places.system}`;
    if (found.length === 0) return printOut(`nothing is remembered in ${where}\n`);
    return printOut(formatTable(cacheRows(found, Date.now(), places.system), LIST_TEXT_COLUMNS));
  }
  if (what === "clear") {
    const { removed, warnings } = clearCached(places);
    warn(warnings);
    return printOut(`${removed.length} forgotten\n`);
  }
  if (what === "export") {
    const { entries, warnings } = exportCached(file);
    warn(warnings);
    return printOut(`${entries.length} written to ${file}\n`);
  }
  const { imported, warnings } = importCached(file);
  warn(warnings);
  return printOut(`${imported.length} taken from ${file}\n`);
}
