/** NumPy's .npz: a zip archive of .npy files. Entries are read only when asked for. */
import { DotpeError } from "../errors.ts";
import { clipped } from "./clipped.ts";
import { withInput } from "./input.ts";
import { decodeNpy, encodeNpy, type NpyArray, type NpyData } from "./npy.ts";
import { readZipDirectory, readZipEntry, type ZipEntry } from "./zip.ts";
import { zipBytes } from "./zip-write.ts";

/** An entry may be at most this long once inflated. */
export const MAX_ENTRY_BYTES = 4 * 2 ** 30;
/** So many names stand in a message. */
const MAX_NAMES = 40;
/** Zip without zip64 extensions ends here. */
const MAX_ARCHIVE_BYTES = 2 ** 32 - 1;
/** Of deflate. */
const LEVEL = 6;

export interface Npz {
  readonly path: string;
  /** Without `.npy`, in the order of the archive. */
  readonly names: readonly string[];
  has(name: string): boolean;
  /**
   * Reads, inflates and decodes this entry and touches no other.
   * @throws DotpeError badData: no such entry, damaged, pickled; the message names file and entry.
   */
  get(name: string): NpyArray;
}

/**
 * Opens an archive: only its directory is read. The file is not kept open.
 * @param maxEntryBytes longest entry that `get` inflates.
 * @throws DotpeError noInput, badData (not a zip file, truncated, duplicate names).
 */
export function openNpz(path: string, maxEntryBytes = MAX_ENTRY_BYTES): Npz {
  const entries = new Map<string, ZipEntry>();
  for (const entry of withInput(path, readZipDirectory)) {
    const name = entry.name.replace(/\.npy$/, "");
    if (entries.has(name))
      throw new DotpeError("badData", `${path}: found two arrays named ${clipped(name)}`, REMAKE);
    entries.set(name, entry);
  }
  return {
    path,
    names: [...entries.keys()],
    has: (name) => entries.has(name),
    get(name) {
      const entry = entries.get(name);
      if (entry === undefined) {
        const found = clipped([...entries.keys()].slice(0, MAX_NAMES).join(", ")) || "nothing";
        throw new DotpeError("badData", `${path}: found ${found}; expected an entry ${name}`, REMAKE);
      }
      const bytes = withInput(path, (file) => readZipEntry(file, entry, maxEntryBytes));
      return decodeNpy(bytes, `${path}: entry ${clipped(name)}`);
    },
  };
}

const REMAKE = "Check that this is the right file, or save it again with numpy.savez.";

export type NpzEntry = { name: string; shape: readonly number[] } & NpyData;

/**
 * The bytes of an archive that numpy.load opens; equal entries give equal bytes.
 * @throws DotpeError cannotCreate beyond 4 GiB. RangeError if data and shape do not fit.
 */
export function encodeNpz(entries: readonly NpzEntry[], { deflate = false } = {}): Uint8Array<ArrayBuffer> {
  const files = entries.map(({ name, shape, ...content }) => ({
    name: `${name}.npy`,
    bytes: encodeNpy(shape, content),
  }));
  const bytes = files.reduce((sum, file) => sum + file.bytes.length, 0);
  if (bytes > MAX_ARCHIVE_BYTES * 0.99) {
    throw new DotpeError(
      "cannotCreate",
      `found ${bytes} bytes for one .npz, expected less than 4 GiB`,
      "Write less.",
    );
  }
  return zipBytes(files, deflate ? LEVEL : 0);
}
