/**
 * Opening a shared object that is embedded in this program. The system's loader wants a path: the bytes go to a file in memory that has no
 * name (memfd_create), else into a folder of this process alone, removed as soon as the object is open. The runtime's own way needs a
 * writable $TMPDIR that may hold programs, leaves a file there, and believes what it finds under that name if the size is right.
 */
import { dlopen, type FFIFunction, FFIType, type Library } from "bun:ffi";
import { closeSync, mkdtempSync, readFileSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { isAbsolute, join } from "node:path";
import { getEnvironmentData, isMainThread, setEnvironmentData } from "node:worker_threads";
import { DotpeError } from "../errors.ts";

/** Where the runtime shows the files that are embedded. */
const EMBEDDED = "/$bunfs/";

/** The path under which this thread has an embedded object open. */
const opened = new Map<string, string>();

/**
 * Binds functions of a shared object, embedded or not.
 * @throws DotpeError tryAgain if nothing lets it be opened; the message says what was tried.
 */
export function openShared<const S extends Record<string, FFIFunction>>(
  path: string,
  symbols: S,
): Library<S> {
  const failures: string[] = [];
  for (const place of placesFor(path)) {
    let placed: Placed | undefined;
    try {
      placed = place();
      const library = dlopen(placed.path, symbols);
      remember(path, placed.path);
      placed.done?.(true);
      return library;
    } catch (error) {
      placed?.done?.(false);
      failures.push((error as Error).message);
    }
  }
  throw refusal(failures);
}

interface Placed {
  readonly path: string;
  /** To be called when it is open, or cannot be opened. */
  done?(isOpen: boolean): void;
}

/** Where an object can be opened, best first; each is made when it is asked for. */
function* placesFor(path: string): Generator<() => Placed> {
  if (!path.startsWith(EMBEDDED)) return yield () => ({ path });
  // What a thread of this process has open is found by its path alone, without a look at any file.
  const known = opened.get(path) ?? getEnvironmentData(keyOf(path));
  if (typeof known === "string") yield () => ({ path: known });
  yield () => inMemory(readFileSync(path));
  for (const folder of folders()) yield () => inFolder(folder, readFileSync(path));
}

/** For this thread and for those that it starts from now on. */
function remember(path: string, place: string): void {
  if (opened.get(path) === place) return;
  opened.set(path, place);
  if (isMainThread) setEnvironmentData(keyOf(path), place);
}

function keyOf(path: string): string {
  return `dotpe-hpc ${path}`;
}

/** The number of the system call memfd_create, by `process.arch`; the C library has a name for it since 2.27 only. */
const MEMFD_CREATE: Readonly<Record<string, number>> = { x64: 319, arm64: 279 };
const MFD_CLOEXEC = 1;

/** The descriptor stays open as long as the process lives: its number is the path. */
function inMemory(bytes: Uint8Array): Placed {
  const long = FFIType.i64_fast;
  const libc = dlopen("libc.so.6", { syscall: { args: [long, "ptr", "u32"], returns: long } });
  const number = MEMFD_CREATE[process.arch] ?? -1;
  const fd = Number(libc.symbols.syscall(number, Buffer.from("dotpe-hpc\0"), MFD_CLOEXEC));
  if (fd < 0) throw new Error("memfd_create: refused by the system");
  const done = (isOpen: boolean) => {
    if (!isOpen) closeSync(fd);
  };
  try {
    for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
    return { path: `/proc/self/fd/${fd}`, done };
  } catch (error) {
    done(false);
    throw error;
  }
}

/** Folders that may be there, may be written, and may hold programs. */
function folders(): string[] {
  const { XDG_RUNTIME_DIR = "" } = process.env;
  return [...new Set([tmpdir(), "/tmp", "/var/tmp", XDG_RUNTIME_DIR, "/dev/shm"])].filter(isAbsolute);
}

/** What is open stays so without a name. */
function inFolder(parent: string, bytes: Uint8Array): Placed {
  const folder = mkdtempSync(join(parent, "dotpe-hpc-"));
  const done = () => rmSync(folder, { recursive: true, force: true });
  try {
    const path = join(folder, "kernels.so");
    writeFileSync(path, bytes, { flag: "wx", mode: 0o700 });
    return { path, done };
  } catch (error) {
    done();
    throw error;
  }
}

function refusal(failures: readonly string[]): DotpeError {
  const found = [...new Set(failures)].join("; ");
  const hint = failures.some((text) => text.includes("JIT"))
    ? "Raise `ulimit -v` to 8 GB or more, and unset variables that begin with BUN_JSC_."
    : "Set TMPDIR to a folder that can be written and is not mounted noexec.";
  const slow = " `--kernel ref` does without compiled kernels, several times slower.";
  return new DotpeError("tryAgain", `the compiled kernels cannot be opened: ${found}`, hint + slow);
}
