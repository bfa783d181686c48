/** What is found wrong with the files of a run directory, one line a file. */
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { DotpeError } from "../errors.ts";
import { clipped } from "../io/clipped.ts";
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

interface Findings {
  level: FileCheck["level"];
  texts: string[];
  todo: string | undefined;
}

/** More than this are not told of one file. */
const MOST_TEXTS = 3;

export class Checks {
  private readonly byName = new Map<string, Findings>();

  /** @param rundir paths in errors begin with it @param todo what to do with a file that is damaged */
  constructor(
    private readonly rundir: string,
    private readonly todo: string,
  ) {}

  pass(name: string, text: string): void {
    this.add(name, "pass", text);
  }

  skip(name: string, text: string): void {
    this.add(name, "skip", text);
  }

  warn(name: string, text: string, todo: string): void {
    this.add(name, "warn", text, todo);
  }

  fail(name: string, text: string, todo = this.todo): void {
    this.add(name, "fail", text, todo);
  }

  hasFailed(name: string): boolean {
    return this.byName.get(name)?.level === "fail";
  }

  /** What `read` says of a file; undefined if it cannot be read, or is not what it should be. */
  read<T>(name: string, read: (path: string) => T): T | undefined {
    const path = join(this.rundir, name);
    try {
      return read(path);
    } catch (error) {
      if (!(error instanceof DotpeError)) throw error;
      this.fail(name, error.message.replace(`${path}: `, ""));
      return undefined;
    }
  }

  list(): FileCheck[] {
    return [...this.byName].map(([name, { level, texts, todo }]) => {
      const more = texts.length > MOST_TEXTS ? `; and ${texts.length - MOST_TEXTS} more` : "";
      const found = `${texts.slice(0, MOST_TEXTS).join("; ")}${more}`;
      return { name: clipped(name), level, found, ...(todo === undefined ? {} : { todo }) };
    });
  }

  private add(name: string, level: FileCheck["level"], text: string, todo?: string): void {
    const before = this.byName.get(name);
    if (before === undefined || (level === "fail" && before.level !== "fail"))
      this.byName.set(name, { level, texts: [text], todo });
    else if (before.level === level) before.texts.push(text);
  }
}

/** Bytes by name in the run directory; of folders, and what is no regular file, -1. Folders that a run does not make are not entered. */
export function filesOf(rundir: string): Map<string, number> {
  const files = new Map<string, number>();
  const enter = (folder: string) => {
    for (const name of readdirSync(join(rundir, folder)).sort()) {
      const path = folder === "" ? name : `${folder}/${name}`;
      const stat = statSync(join(rundir, path), { throwIfNoEntry: false });
      if (stat?.isDirectory() && /^banks$|^banks\/bank_\d{1,5}$/.test(path)) enter(path);
      else if (stat?.isDirectory() && path === CHECKPOINT_FOLDER) enter(path);
      else files.set(path, stat?.isFile() ? stat.size : -1);
    }
  };
  try {
    enter("");
  } catch (error) {
    const { code, path } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    const message = `${path ?? rundir}: cannot be read (${code})`;
    throw new DotpeError("noInput", message, "Check the path and its permissions.");
  }
  return files;
}
