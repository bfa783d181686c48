/** A run directory in the hands of one process: begun, taken up after an interruption, or found complete. */
import { copyFileSync, readdirSync, renameSync } from "node:fs";
import { join } from "node:path";
import { DotpeError } from "../errors.ts";
import type { Interrupt } from "../interrupt.ts";
import { isPartName, makeFolder, orCannotCreate, remove } from "../io/atomic-write.ts";
import type { Options } from "../options.ts";
import { printable } from "../report/format.ts";
import { canGoOn } from "../stages/keeper.ts";
import { ROWS_TAG } from "../stages/row-files.ts";
import { Checkpoint, type CheckpointSettings } from "./checkpoint.ts";
import {
  differences,
  hasManifest,
  type Manifest,
  readManifest,
  syncManifest,
  writeManifest,
} from "./manifest.ts";
import { lackOfMemory } from "./oom.ts";
import {
  type Attempt,
  attemptsOf,
  type Claim,
  checkIsOurs,
  claim,
  describe,
  holderOf,
  killsSince,
  release,
  syncOwner,
  thisOwner,
} from "./owner.ts";
import { isComplete } from "./results.ts";
import { CHECKPOINT_FOLDER, createRundir, discardRundir, eventFolder, numberedRundirs } from "./rundir.ts";

export interface SessionSettings {
  readonly options: Pick<Options, "rundir" | "eventDir" | "resume" | "unlock" | "checkpointInterval">;
  readonly eventName: string;
  /** What this process would begin the run with. */
  readonly manifest: Manifest;
  readonly interrupt: Interrupt;
  readonly relief: CheckpointSettings["relief"];
  readonly note: (text: string) => void;
  readonly warn: (text: string) => void;
}

/**
 * Finds or makes the run directory, and takes it for this process.
 * @returns the path of one that is complete: there is nothing to do
 * @throws DotpeError mismatch if a directory was begun with anything else; cannotCreate if it is another process', holds
 * something else, or cannot be made.
 */
export function openSession(settings: SessionSettings): Session | string {
  const { options, eventName, manifest } = settings;
  const { rundir, resume } = options;
  if (resume !== undefined || (rundir !== undefined && isBegun(rundir)))
    return takeUp(resume ?? (rundir as string), settings);
  const unfinished = rundir === undefined ? findUnfinished(settings) : undefined;
  if (unfinished !== undefined) return unfinished;
  const made: string[] = [];
  let fresh: string;
  try {
    fresh = createRundir({ ...options, eventName }, made);
  } catch (error) {
    // Another process may just have begun there.
    if (rundir !== undefined && isBegun(rundir)) return takeUp(rundir, settings);
    throw error;
  }
  let session: Session | undefined;
  try {
    session = begin(fresh, settings, manifest, made);
    // Or even have ended.
    if (isComplete(fresh)) {
      session.complete();
      return completeRun(fresh, settings);
    }
    writeManifest(fresh, manifest);
    return session;
  } catch (error) {
    if (session !== undefined) session.leave(error);
    else if (attemptsOf(join(fresh, CHECKPOINT_FOLDER)).length === 0) discardRundir(fresh, made);
    throw error;
  }
}

/** Whether a process has worked in this folder. */
function isBegun(rundir: string): boolean {
  return hasManifest(rundir) || attemptsOf(join(rundir, CHECKPOINT_FOLDER)).length > 0;
}

function begin(rundir: string, settings: SessionSettings, manifest: Manifest, made?: readonly string[]) {
  const folder = join(rundir, CHECKPOINT_FOLDER);
  makeFolder(folder);
  const claimed = claim(folder, manifest.begun.threads, settings.options.unlock);
  return new Session(rundir, settings, manifest, claimed, made);
}

/** The run in this directory, if it is the same. */
function takeUp(rundir: string, settings: SessionSettings): Session | string {
  if (!isBegun(rundir)) throw notBegun(rundir);
  if (isComplete(rundir)) return completeRun(rundir, settings);
  // Before it is claimed: who is refused leaves no trace.
  if (hasManifest(rundir)) refuseDifferences(rundir, readManifest(rundir), settings.manifest);
  const session = begin(rundir, settings, settings.manifest);
  try {
    if (isComplete(rundir)) {
      // Another process was just ending it.
      session.complete();
      return completeRun(rundir, settings);
    }
    if (!hasManifest(rundir)) writeManifest(rundir, settings.manifest);
    const begun = readManifest(rundir);
    refuseDifferences(rundir, begun, settings.manifest);
    session.takeUp(begun);
    return session;
  } catch (error) {
    session.leave(error);
    throw error;
  }
}

function completeRun(rundir: string, { manifest, warn }: SessionSettings): string {
  refuseDifferences(rundir, readManifest(rundir), manifest);
  if (holderOf(attemptsOf(join(rundir, CHECKPOINT_FOLDER))) === undefined) removeCheckpoint(rundir, warn);
  return rundir;
}

function refuseDifferences(rundir: string, begun: Manifest, now: Manifest): void {
  const found = differences(begun, now);
  if (found.length === 0) return;
  const shown = found.slice(0, 8).map((line) => `\n  ${line}`);
  const more = found.length > 8 ? `\n  and ${found.length - 8} more` : "";
  throw new DotpeError(
    "mismatch",
    `run directory ${rundir}: begun with other inputs or settings:${shown.join("")}${more}`,
    "Give what it was begun with, or another --rundir.",
  );
}

/** The last run_N of the event that was begun with the same and is nobody's. */
function findUnfinished(settings: SessionSettings): Session | undefined {
  const { options, eventName, manifest, note } = settings;
  for (const rundir of numberedRundirs(eventFolder({ ...options, eventName }))) {
    if (isComplete(rundir) || !hasManifest(rundir) || !isSame(rundir, manifest)) continue;
    const holder = holderOf(attemptsOf(join(rundir, CHECKPOINT_FOLDER)));
    if (holder !== undefined) {
      const by = holder.owner === undefined ? "a process that cannot be read" : describe(holder.owner);
      note(
        `${rundir} is the same run, not complete, and held by ${by}: --resume ${rundir} --unlock takes it`,
      );
      continue;
    }
    const taken = takeUp(rundir, settings);
    if (typeof taken !== "string") return taken;
  }
  return undefined;
}

function isSame(rundir: string, manifest: Manifest): boolean {
  try {
    return differences(readManifest(rundir), manifest).length === 0;
  } catch (error) {
    if (error instanceof DotpeError) return false;
    throw error;
  }
}

function notBegun(rundir: string): DotpeError {
  return new DotpeError(
    "noInput",
    `${rundir}: found no manifest.json, expected a run directory`,
    "Give the folder of a run that was interrupted.",
  );
}

/** Of a run that is complete: what stays does no harm, and goes the next time. */
function removeCheckpoint(rundir: string, warn: (text: string) => void): void {
  try {
    for (const path of partFiles(rundir)) remove(path);
    remove(join(rundir, CHECKPOINT_FOLDER));
  } catch (error) {
    if (!(error instanceof DotpeError)) throw error;
    warn(`the run is complete, but what was saved on the way stays: ${error.message}`);
  }
}

/** Files of the directory that never got their names. */
function partFiles(rundir: string): string[] {
  const entries = orCannotCreate(rundir, () => readdirSync(rundir, { recursive: true, withFileTypes: true }));
  return entries
    .filter((entry) => entry.isFile() && isPartName(entry.name))
    .map(({ parentPath, name }) => join(parentPath, name));
}

export class Session {
  private keeper: Checkpoint;

  constructor(
    readonly rundir: string,
    private readonly settings: SessionSettings,
    manifest: Manifest,
    private readonly claimed: Claim,
    /** The folders that this process made; undefined: the directory was there. */
    private readonly made: readonly string[] | undefined,
  ) {
    this.keeper = this.checkpointOf(manifest);
  }

  /** Of the processes that worked here, from 1. */
  get number(): number {
    return this.claimed.number;
  }

  get checkpoint(): Checkpoint {
    return this.keeper;
  }

  private get folder(): string {
    return join(this.rundir, CHECKPOINT_FOLDER);
  }

  private checkpointOf({ run }: Manifest): Checkpoint {
    const { options, interrupt, relief, warn } = this.settings;
    return new Checkpoint(this.folder, {
      ...{ run, interval: options.checkpointInterval, interrupt, relief, warn },
      checkIsOurs: () => this.checkIsOurs(),
      beforeFirst: () => {
        syncOwner(this.folder, this.claimed.number);
        syncManifest(this.rundir);
      },
    });
  }

  /** Goes on where the processes before have ended. */
  takeUp(begun: Manifest): void {
    this.keeper = this.checkpointOf(begun);
    this.cleanUp();
    const { before, number } = this.claimed;
    const last = before.at(-1);
    if (last === undefined) return;
    this.settings.note(`goes on with ${this.rundir}, process ${number}: ${howItEnded(last)}`);
    const lack = last.end === undefined ? memoryWarning(last) : undefined;
    if (lack !== undefined) this.settings.warn(lack);
  }

  /** Files that a killed process was writing. Those that grow are copied: if it does live, it writes into its own. */
  private cleanUp(): void {
    for (const path of partFiles(this.rundir)) {
      if (!path.endsWith(`.${ROWS_TAG}.part`)) remove(path);
      else if (this.settings.options.unlock) {
        const copy = path.replace(/part$/, "copy.part");
        orCannotCreate(path, () => {
          copyFileSync(path, copy);
          renameSync(copy, path);
        });
      }
    }
  }

  /** Everything is written. */
  complete(): void {
    removeCheckpoint(this.rundir, this.settings.warn);
  }

  /** Before results get their names. @throws DotpeError tryAgain if another process has taken the directory. */
  checkIsOurs(): void {
    checkIsOurs(this.folder, this.claimed.number);
  }

  /**
   * After an error: what another process can go on from stays; a directory that was made here and holds nothing of that kind is
   * removed. Never throws: the error is the one to tell.
   */
  leave(error: unknown): void {
    try {
      this.checkIsOurs();
      const isWanted = error instanceof DotpeError && error.exit === "runAgain";
      if (this.made !== undefined && !(canGoOn(error) && (isWanted || this.keeper.isKept)))
        discardRundir(this.rundir, this.made);
      else release(this.folder, this.claimed.number, (error as Error).message);
    } catch {
      // Without a word it is found out by its number.
    }
  }
}

function howItEnded({ owner, end, number }: Attempt): string {
  const who = owner === undefined ? `process ${number}` : describe(owner);
  return printable(end === undefined ? `${who}, left no word` : `${who}: ${end.how}`);
}

/** Of a process that was killed: whether memory was lacking, and what to do. */
function memoryWarning({ owner }: Attempt): string | undefined {
  const [group] = killsSince(owner, thisOwner(0));
  if (owner === undefined || group === undefined) return undefined;
  const [why, todo] = lackOfMemory(group, owner.threads);
  return `${describe(owner)}, was killed, ${why}: ${todo}`;
}
