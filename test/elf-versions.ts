/** What versions of libraries an ELF file of 64 bits, little-endian, asks for: its section .gnu.version_r. */
import { closeSync, openSync, readSync } from "node:fs";

const SHT_GNU_VERNEED = 0x6ffffffe;

/** Names such as "GLIBC_2.17", each once. @throws Error if it is no such file. */
export function neededVersions(path: string): string[] {
  const fd = openSync(path, "r");
  try {
    const read = (offset: number, length: number) => {
      const bytes = Buffer.alloc(length);
      if (readSync(fd, bytes, 0, length, offset) !== length) throw new Error(`${path}: truncated`);
      return bytes;
    };
    const header = read(0, 64);
    if (header.toString("latin1", 0, 6) !== "\x7fELF\x02\x01") throw new Error(`${path}: no ELF file`);
    const [start, size, count] = [
      Number(header.readBigUInt64LE(40)),
      header.readUInt16LE(58),
      header.readUInt16LE(60),
    ];
    const sections = Array.from({ length: count }, (_, k) => sectionOf(read(start + k * size, size)));
    const needed = sections.find(({ type }) => type === SHT_GNU_VERNEED);
    if (needed === undefined) return [];
    const names = sections[needed.link];
    return namesOf(read(needed.offset, needed.size), needed.info, read(names.offset, names.size));
  } finally {
    closeSync(fd);
  }
}

function sectionOf(bytes: Buffer) {
  return {
    ...{ type: bytes.readUInt32LE(4), offset: Number(bytes.readBigUInt64LE(24)) },
    ...{
      size: Number(bytes.readBigUInt64LE(32)),
      link: bytes.readUInt32LE(40),
      info: bytes.readUInt32LE(44),
    },
  };
}

/** @param n_files libraries, each with a list of versions; offsets are from the entry they stand in */
function namesOf(bytes: Buffer, n_files: number, names: Buffer): string[] {
  const found = new Set<string>();
  for (let file = 0, at = 0; file < n_files; file++, at += bytes.readUInt32LE(at + 12)) {
    const n_versions = bytes.readUInt16LE(at + 2);
    let version = at + bytes.readUInt32LE(at + 8);
    for (let k = 0; k < n_versions; k++, version += bytes.readUInt32LE(version + 12)) {
      const name = bytes.readUInt32LE(version + 8);
      found.add(names.toString("latin1", name, names.indexOf(0, name)));
    }
  }
  return [...found];
}
