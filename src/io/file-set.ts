/** Files that get their names together. */
import { dirname } from "node:path";
import {
  type FileContent,
  GrowingPart,
  type Part,
  type PartFile,
  syncFolder,
  writePart,
} from "./atomic-write.ts";

/** Files that become complete together: their bytes go to the disk at the same time, then they get their names. */
export class FileSet {
  private parts: Part[] = [];

  /** As `writeFileAtomic`, but for the name. */
  write(path: string, content: FileContent): void {
    this.parts.push(writePart(path, content, new Bun.CryptoHasher("sha256")));
  }

  /**
   * As `write`, but other things happen between the chunks.
   * @param between called there; what it throws is thrown
   */
  async writeSlowly(path: string, chunks: Iterable<Uint8Array>, between: () => void): Promise<void> {
    const part = new GrowingPart(path, new Bun.CryptoHasher("sha256"));
    try {
      for (const chunk of chunks) {
        part.append(chunk);
        await Bun.sleep(0);
        between();
      }
    } catch (error) {
      part.file.discard();
      throw error;
    }
    this.parts.push(part.end());
  }

  /** SHA-256 by path, of the files that were written here. */
  sums(): Map<string, string> {
    return new Map(this.parts.flatMap(({ file, sha256 }) => (sha256 ? [[file.path, sha256] as const] : [])));
  }

  /** A part file, `length` bytes long, is one of the set from now on; if the set is discarded, it stays as it is. */
  add(file: PartFile, length: number): void {
    this.parts.push({ file, length });
  }

  /**
   * @param meanwhile is done while the bytes go to the disk
   * @throws DotpeError cannotCreate, and what `meanwhile` throws; what has no name yet is removed then.
   */
  async commit(meanwhile: () => Promise<void> = async () => {}): Promise<void> {
    const folders = new Set(this.parts.map(({ file }) => dirname(file.path)));
    try {
      for (const { file, length } of this.parts) file.check(length);
      const synced = await Promise.allSettled([...this.parts.map(({ file }) => file.sync()), meanwhile()]);
      for (const result of synced) if (result.status === "rejected") throw result.reason;
      for (let next = this.parts.shift(); next !== undefined; next = this.parts.shift())
        next.file.rename(next.sha256 === undefined);
    } catch (error) {
      this.discard();
      throw error;
    }
    for (const folder of folders) syncFolder(folder);
  }

  discard(): void {
    for (const { file, sha256 } of this.parts) if (sha256 !== undefined) file.discard();
    this.parts = [];
  }
}
