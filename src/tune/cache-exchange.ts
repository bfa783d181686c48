/** Settings carried from one machine's cache to another's, in one file. */
import { DotpeError } from "../errors.ts";
import { writeFileAtomic } from "../io/atomic-write.ts";
import { readInput } from "../io/input.ts";
import { parseJson } from "../io/json.ts";
import { cachePlaces, listCached, type Places, writeCached } from "./cache.ts";
import { type CacheEntry, FORMAT, parseEntry, toFile } from "./entry.ts";

const MAX_EXPORT_BYTES = 8 * 2 ** 20;
const MAX_IMPORTED = 4096;
/** More warnings than this say nothing more. */
const MAX_WARNINGS = 10;

/**
 * Writes every readable entry, or those of these signatures, into one file. Where the system and the user have one of the
 * same signature, it is the system's: the one that runs use.
 * @throws DotpeError cannotCreate; noInput if there is nothing to export
 */
export function exportCached(
  file: string,
  places: Places = cachePlaces(),
  ids?: readonly string[],
): { entries: CacheEntry[]; warnings: string[] } {
  const { found, warnings } = listCached(places);
  const byId = new Map<string, CacheEntry>();
  for (const { entry } of found) {
    const { id } = entry.signature;
    if ((ids === undefined || ids.includes(id)) && !byId.has(id)) byId.set(id, entry);
  }
  const entries = [...byId.values()];
  if (entries.length === 0) {
    throw new DotpeError(
      "noInput",
      `${places.user ?? places.system}: found no tuned setting to export`,
      "Run `dotpe-hpc tune` first; `dotpe-hpc tune --list` shows what there is.",
    );
  }
  writeFileAtomic(file, JSON.stringify({ format: FORMAT, entries: entries.map(toFile) }, null, 2) + "\n");
  return { entries, warnings };
}

/**
 * Takes the entries of a file that `exportCached` wrote, or of a single cache file, into the user's folder, each under the
 * name that follows from its checked signature. An entry that is not valid, or cannot be written, is a warning.
 * @throws DotpeError noInput, badData (no entries, too many, too long)
 */
export function importCached(
  file: string,
  places: Places = cachePlaces(),
): { imported: CacheEntry[]; warnings: string[] } {
  const values = entriesOf(parseJson(readInput(file, MAX_EXPORT_BYTES), file), file);
  const imported: CacheEntry[] = [];
  const warnings: string[] = [];
  for (const [k, value] of values.entries()) {
    const entry = parseEntry(value);
    const written = typeof entry === "string" ? { warning: entry } : writeCached(entry, places);
    if ("warning" in written) warnings.push(`${file}: entry ${k}: ${written.warning}`);
    else imported.push(entry as CacheEntry);
  }
  const more = warnings.length - MAX_WARNINGS;
  if (more > 0) warnings.splice(MAX_WARNINGS, more, `${file}: ${more} more entries were not taken`);
  return { imported, warnings };
}

function entriesOf(content: unknown, file: string): readonly unknown[] {
  const isObject = typeof content === "object" && content !== null;
  const list = isObject && "entries" in content ? content.entries : [content];
  const found = isObject && !Array.isArray(content) ? (content as { format?: unknown }).format : undefined;
  if (found === FORMAT && Array.isArray(list) && list.length <= MAX_IMPORTED) return list;
  const what = found === FORMAT ? `at most ${MAX_IMPORTED} entries in a list` : `"format": ${FORMAT}`;
  throw new DotpeError(
    "badData",
    `${file}: found no tuned settings, expected ${what}`,
    "Give a file that `dotpe-hpc tune --export FILE` wrote.",
  );
}
