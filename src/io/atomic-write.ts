/**
 * Writing a file so that a reader sees either the old content or all of the new, whatever dies in between:
 * temporary file in the same folder, length check, fsync, rename, fsync of the folder.
 * Where cannotCreate is thrown, it is tryAgain if files or memory have run out for a while.
 */
import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  fsync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { DotpeError } from "../errors.ts";

/** One write call moves at most this many bytes (the kernel's limit is just below 2^31). */
const MAX_WRITE_BYTES = 2 ** 30;

/** After so long without an answer, the disk is asked once more, by the thread that waits (ms). */
const SYNC_PATIENCE = 5000;
const SYNC_GRACE = 1000;

/** A file of which bytes can be written anywhere, and that appears under its name when it is complete. */
export class PartFile {
  private isOpen = true;

  private constructor(
    readonly path: string,
    /** `.<name>.<process id>-<unique>.part` in the same folder. */
    private readonly temporary: string,
    /** Good in every thread of the process, for `writeAt`. */
    readonly fd: number,
  ) {}

  /** @throws DotpeError cannotCreate. */
  static create(path: string): PartFile {
    const temporary = partPath(path, `${process.pid}-${Bun.randomUUIDv7()}`);
    return orCannotCreate(path, () => new PartFile(path, temporary, openSync(temporary, "wx+", 0o644)));
  }

  /**
   * The part file of `path` that several threads write: each opens it by the same tag, and closes it again. The one that finds
   * that all is written commits it. @throws DotpeError cannotCreate.
   */
  static share(path: string, tag: string): PartFile {
    const temporary = partPath(path, tag);
    const flags = constants.O_RDWR | constants.O_CREAT;
    return orCannotCreate(path, () => new PartFile(path, temporary, openSync(temporary, flags, 0o644)));
  }

  /** As `share`; a file that has its name already becomes the part file again. @throws DotpeError cannotCreate. */
  static takeBack(path: string, tag: string): PartFile {
    const temporary = partPath(path, tag);
    if (!existsSync(temporary) && existsSync(path)) orCannotCreate(path, () => renameSync(path, temporary));
    return PartFile.share(path, tag);
  }

  /** Bytes so far. @throws DotpeError cannotCreate. */
  size(): number {
    return orCannotCreate(this.path, () => fstatSync(this.fd).size);
  }

  /** Closes it in this thread, if it is open. */
  close(): void {
    if (!this.isOpen) return;
    // The number may be another file's afterwards.
    this.isOpen = false;
    closeSync(this.fd);
  }

  /** The first `length` bytes are all there are from now on. */
  truncate(length: number): void {
    orCannotCreate(this.path, () => ftruncateSync(this.fd, length));
  }

  /** Gives the file, `expected` bytes long, its name. @throws DotpeError cannotCreate; it is removed then. */
  commit(expected: number): void {
    try {
      this.check(expected);
      orCannotCreate(this.path, () => fsyncSync(this.fd));
    } catch (error) {
      this.discard();
      throw error;
    }
    this.rename();
    syncFolder(dirname(this.path));
  }

  /** @throws DotpeError cannotCreate if the file is not `expected` bytes long. */
  check(expected: number): void {
    const found = this.size();
    if (found !== expected) throw wrongLength(this.path, found, expected);
  }

  /**
   * Waits, beside what else the thread does, until the content is on the disk; one that is closed was waited for before.
   * @throws DotpeError cannotCreate.
   */
  sync(): Promise<void> {
    if (!this.isOpen) return Promise.resolve();
    let timer: Timer | undefined;
    const synced = new Promise<void>((resolve, reject) => {
      fsync(this.fd, (error) => {
        if (error === null) resolve();
        else reject(isSystemError(error) ? faultOf(this.path, error.code) : error);
      });
      // Where no more threads can be started, the callback never comes.
      timer = setTimeout(() => {
        try {
          orCannotCreate(this.path, () => fsyncSync(this.fd));
          // If it was only slow, it ends now too, and it may be the one that is told of an error.
          timer = setTimeout(resolve, SYNC_GRACE);
        } catch (error) {
          reject(error);
        }
      }, SYNC_PATIENCE);
    });
    return synced.finally(() => clearTimeout(timer));
  }

  /** Closes it and gives it its name; if that fails it is removed, or `stays`. */
  rename(stays = false): void {
    try {
      orCannotCreate(this.path, () => {
        this.close();
        renameSync(this.temporary, this.path);
      });
    } catch (error) {
      if (!stays) removeQuietly(this.temporary);
      throw error;
    }
  }

  /** Removes it. */
  discard(): void {
    try {
      this.close();
    } catch (error) {
      if (!isSystemError(error)) throw error;
    }
    removeQuietly(this.temporary);
  }
}

/** Writes all these bytes at `position` of a part file. @throws DotpeError cannotCreate. */
export function writeAt(
  { fd, path }: Pick<PartFile, "fd" | "path">,
  bytes: Uint8Array,
  position: number,
): void {
  orCannotCreate(path, () => {
    for (let done = 0; done < bytes.length; ) {
      const length = Math.min(bytes.length - done, MAX_WRITE_BYTES);
      done += writeSync(fd, bytes, done, length, position + done);
    }
  });
}

/**
 * Replaces `path` by these bytes, or by these chunks one after the other (each is used before the next is asked for).
 * @throws DotpeError cannotCreate (no space, no permission, no such folder); whatever the chunks' iterator throws.
 */
export function writeFileAtomic(path: string, content: FileContent): void {
  const { file, length } = writePart(path, content);
  file.commit(length);
}

/**
 * As `writeFileAtomic`, without waiting for the disk: other processes see the old content or the new, but a machine that goes down
 * may leave an empty file.
 */
export function writeFileQuickly(path: string, content: FileContent): void {
  writePart(path, content).file.rename();
}

/** Waits until a file, and its name, are on the disk. @throws DotpeError cannotCreate. */
export function syncFile(path: string): void {
  orCannotCreate(path, () => {
    const fd = openSync(path, "r+");
    try {
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
  });
  syncFolder(dirname(path));
}

/** Makes a folder, and those above it, if they are not there. @throws DotpeError cannotCreate. */
export function makeFolder(path: string): void {
  orCannotCreate(path, () => mkdirSync(path, { recursive: true }));
}

/**
 * Removes the part files that a process which was killed has left in `folder`; nothing if there is no such folder. Those of a process
 * that writes there are lost with them: only the owner of a folder may call it.
 * @throws DotpeError cannotCreate.
 */
export function removeParts(folder: string): void {
  orCannotCreate(folder, () => {
    if (!existsSync(folder)) return;
    for (const name of readdirSync(folder)) if (isPartName(name)) rmSync(join(folder, name), { force: true });
  });
}

/** Removes a file, or a folder with all that is in it, if it is there. @throws DotpeError cannotCreate. */
export function remove(path: string): void {
  orCannotCreate(path, () => rmSync(path, { recursive: true, force: true }));
}

/** Where a file is written before it gets its name. */
export function partPath(path: string, tag: string): string {
  return join(dirname(path), `.${basename(path)}.${tag}.part`);
}

/** Whether a file of this name is one that never got its name. */
export const isPartName = (name: string) => name.startsWith(".") && name.endsWith(".part");

export type FileContent = Uint8Array | string | Iterable<Uint8Array>;

/** A part file that is written, and not yet named. */
export interface Part {
  readonly file: PartFile;
  readonly length: number;
  /** Undefined: of a file that was written elsewhere, which stays if the set is discarded. */
  readonly sha256?: string | undefined;
}

/** Writes all the content. @throws DotpeError cannotCreate; whatever the chunks' iterator throws. */
export function writePart(path: string, content: FileContent, hasher?: Bun.CryptoHasher): Part {
  const part = new GrowingPart(path, hasher);
  try {
    for (const chunk of chunksOf(content)) part.append(chunk);
  } catch (error) {
    part.file.discard();
    throw error;
  }
  return part.end();
}

/** Writes one chunk after the other. */
export class GrowingPart {
  readonly file: PartFile;
  private length = 0;

  /** @param hasher of the bytes, if their checksum is wanted */
  constructor(
    path: string,
    private readonly hasher?: Bun.CryptoHasher,
  ) {
    this.file = PartFile.create(path);
  }

  append(chunk: Uint8Array): void {
    writeAt(this.file, chunk, this.length);
    this.hasher?.update(chunk);
    this.length += chunk.length;
  }

  end(): Part {
    return { file: this.file, length: this.length, sha256: this.hasher?.digest("hex") };
  }
}

function chunksOf(content: FileContent): Iterable<Uint8Array> {
  if (typeof content === "string") return [new TextEncoder().encode(content)];
  return content instanceof Uint8Array ? [content] : content;
}

function wrongLength(path: string, found: number, expected: number): DotpeError {
  return new DotpeError(
    "cannotCreate",
    `${path}: found ${found} bytes after writing ${expected}`,
    CHECK_DISK,
  );
}

/** What `action` does to a file or folder. @throws DotpeError cannotCreate if the system refuses. */
export function orCannotCreate<T>(path: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw isSystemError(error) ? faultOf(path, error.code) : error;
  }
}

/** Makes the rename survive a power cut; some network file systems refuse, and the file is whole there too. */
export function syncFolder(folder: string): void {
  let fd: number | undefined;
  try {
    fd = openSync(folder, "r");
    fsyncSync(fd);
  } catch (error) {
    if (!isSystemError(error)) throw error;
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

function removeQuietly(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if (!isSystemError(error)) throw error;
  }
}

/** A path that is too long is refused by the runtime itself, which names no system call then. */
function isSystemError(error: unknown): error is Error & { code: string } {
  return error instanceof Error && "code" in error && ("syscall" in error || "errno" in error);
}

const CHECK_DISK = "Check the free space, the quota and the permissions of the folder.";

/** tryAgain for what passes, cannotCreate for what somebody must mend. */
function faultOf(path: string, code: string): DotpeError {
  const passing: Record<string, [reason: string, hint: string]> = {
    EMFILE: ["too many open files", "Raise `ulimit -n`, or give fewer --n-procs."],
    ENFILE: ["too many open files on this machine", "Try again when fewer programs run here."],
    ENOMEM: ["no memory", "Give fewer --n-procs, or try again when more memory is free."],
  };
  if (code in passing) {
    const [reason, hint] = passing[code];
    return new DotpeError("tryAgain", `${path}: cannot write: ${reason} (${code})`, hint);
  }
  const reasons: Record<string, string> = {
    ENOSPC: "no space left",
    EDQUOT: "quota exceeded",
    EIO: "the disk fails",
    EACCES: "permission denied",
    EROFS: "read-only file system",
    ENOENT: "no such folder",
    ENOTDIR: "its folder is a file",
    EISDIR: "it is a folder",
    EFBIG: "larger than files may be here; see `ulimit -f`",
    ENAMETOOLONG: "its path or name is too long",
    ESTALE: "the network file system has lost it",
  };
  return new DotpeError(
    "cannotCreate",
    `${path}: cannot write: ${reasons[code] ?? code} (${code})`,
    CHECK_DISK,
  );
}
