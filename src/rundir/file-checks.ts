/** The files of a run directory, and what is found of each: one line a file. */
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { DotpeError } from "../errors.ts";
import { CHECKPOINT_FOLDER } from "./rundir.ts";

export interface FileCheck {
  /** In the run directory. */
  readonly name: string;
  /** warn: no file of a run. skip: of no use, and of no harm. */
  readonly level: "pass" | "warn" | "fail" | "skip";
  readonly found: string;
  /** Of warn and fail. */
  readonly todo?: string;
}

/** So much is told of one file. */
const LONGEST = 400;

export class Checks {
  private readonly byName = new Map<string, FileCheck>();

  /** @param todo what to do with a file that is damaged */
  constructor(
    private readonly rundir: string,
    private readonly todo: string,
  ) {}

  /** A failure is not taken back by what else is said. */
  say(name: string, level: FileCheck["level"], text: string, todo?: string): void {
    const before = this.byName.get(name);
    if (before?.level === "fail" && level !== "fail") return;
    const found = (before?.level === level ? `${before.found}; ${text}` : text).slice(0, LONGEST);
    this.byName.set(name, { name, level, found, ...(todo && { todo }) });
  }

  fail(name: string, text: string, todo = this.todo): void {
    this.say(name, "fail", text, todo);
  }

  has(name: string): boolean {
    return this.byName.has(name);
  }

  hasFailed(name: string): boolean {
    return this.byName.get(name)?.level === "fail";
  }

  /** What `read` returns; undefined, and a failure of the file, if it throws a DotpeError. */
  read<T>(name: string, read: (path: string) => T, todo = this.todo): T | undefined {
    const path = join(this.rundir, name);
    try {
      return read(path);
    } catch (error) {
      if (!(error instanceof DotpeError)) throw error;
      this.fail(name, error.message.replace(`${path}: `, ""), todo);
      return undefined;
    }
  }

  list(): FileCheck[] {
    return [...this.byName.values()];
  }
}

export const damaged = (path: string, message: string) =>
  new DotpeError("badData", `${path}: ${message}`, "");

const OWN_FOLDERS = new RegExp(`^(${CHECKPOINT_FOLDER}|banks|banks/bank_\\d{1,5})$`);

/** Bytes by name; -1: no regular file. Folders that a run does not make are not entered. @throws DotpeError noInput. */
export function filesOf(rundir: string, folder = ""): Map<string, number> {
  try {
    const entries = readdirSync(join(rundir, folder)).flatMap((name): [string, number][] => {
      const path = join(folder, name);
      const stat = statSync(join(rundir, path), { throwIfNoEntry: false });
      if (stat?.isDirectory() && OWN_FOLDERS.test(path)) return [...filesOf(rundir, path)];
      return [[path, stat?.isFile() ? stat.size : -1]];
    });
    return new Map(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
  } catch (error) {
    const { code, path } = error as NodeJS.ErrnoException;
    if (code === undefined || error instanceof DotpeError) throw error;
    throw new DotpeError("noInput", `${path ?? rundir}: cannot be read (${code})`, "Check the permissions.");
  }
}
