/**
 * Whose a run directory is. Every process that works in it leaves a numbered file in its checkpoint folder, which it makes by a hard
 * link, so that of two that want the same number one fails, on network file systems too. The one with the largest number is the
 * owner, until a second file says how it ended. None is ever removed while the run goes on: so nobody can take a number twice, and
 * the files are the run's history.
 *
 * No clock decides anything. A process that left no word is known to have ended where its host, the boot of that host and its
 * place among the processes say so, or where Slurm has started its job again; else a person must say it (`--unlock`).
 */
import {
  existsSync,
  linkSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import * as v from "valibot";
import { DotpeError } from "../errors.ts";
import { orCannotCreate, partPath, syncFile, writeFileAtomic, writeFileQuickly } from "../io/atomic-write.ts";
import { readIfGood } from "../io/checked-json.ts";
import { readInput } from "../io/input.ts";
import { sha256Of } from "../io/sha256.ts";
import { isRunning, thisProcess } from "../machine/process-identity.ts";
import type { SystemFiles } from "../machine/system-files.ts";
import { moreKills, type OomCount, oomCounts } from "./oom.ts";

const TEXT = v.pipe(v.string(), v.maxLength(1000));
const COUNT = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const OWNER = v.object({
  host: TEXT,
  /** Tells hosts of one name apart; empty where it is not known. */
  machineId: TEXT,
  boot: TEXT,
  /** Of the process numbers: a container has its own. */
  pidNamespace: TEXT,
  pid: COUNT,
  start: TEXT,
  slurmJob: v.nullable(TEXT),
  slurmRestarts: COUNT,
  began: TEXT,
  threads: COUNT,
  oomKills: v.pipe(v.array(v.object({ folder: TEXT, kills: COUNT })), v.maxLength(100)),
});
export type Owner = v.InferOutput<typeof OWNER>;

const END = v.object({ how: TEXT, ended: TEXT });
export type End = v.InferOutput<typeof END>;

/** One process that worked in the directory. */
export interface Attempt {
  readonly number: number;
  /** Undefined: its file cannot be read. */
  readonly owner: Owner | undefined;
  readonly end: End | undefined;
  /** Its file is empty: the machine went down before the disk had it. */
  readonly isLost: boolean;
}

/** What this process did in the directory. */
export interface Claim {
  readonly number: number;
  /** The attempts before, the first one first. */
  readonly before: readonly Attempt[];
}

const nameOf = (number: number) => `owner-${number}.json`;
const endOf = (number: number) => `owner-${number}.end.json`;
/** More often than this nobody loses a race. */
const MOST_RACES = 100;

/** All processes that worked here, the first one first. @throws DotpeError cannotCreate. */
export function attemptsOf(folder: string): Attempt[] {
  const names = existsSync(folder) ? orCannotCreate(folder, () => readdirSync(folder)) : [];
  return names
    .flatMap((name) => {
      const digits = /^owner-([1-9]\d{0,8})\.json$/.exec(name);
      return digits === null ? [] : [Number(digits[1])];
    })
    .sort((a, b) => a - b)
    .map((number) => ({
      number,
      owner: readIfGood(OWNER, join(folder, nameOf(number))),
      end: readIfGood(END, join(folder, endOf(number))),
      isLost: isBlank(join(folder, nameOf(number))),
    }));
}

/** Whether a file holds nothing, or zeros alone: what a machine that goes down leaves of one that the disk did not have. */
export function isBlank(path: string): boolean {
  try {
    return readInput(path, MOST_BYTES).every((byte) => byte === 0);
  } catch {
    return false;
  }
}

/** Of a file that tells who an owner is. */
const MOST_BYTES = 2 ** 20;

/** Who holds the directory: the last attempt, unless it has ended. */
export function holderOf(attempts: readonly Attempt[], me = thisOwner(0)): Attempt | undefined {
  const last = attempts.at(-1);
  if (last === undefined || last.end !== undefined || last.isLost) return undefined;
  return last.owner !== undefined && hasEnded(last.owner, me) ? undefined : last;
}

/** Whether what is known of a process says that it has ended. */
export function hasEnded(other: Owner, me: Owner): boolean {
  const { slurmJob } = other;
  if (slurmJob !== null && slurmJob === me.slurmJob && me.slurmRestarts > other.slurmRestarts) return true;
  if (other.host !== me.host || other.machineId !== me.machineId) return false;
  if (me.machineId !== "" && other.boot !== me.boot) return true;
  return other.boot === me.boot && other.pidNamespace === me.pidNamespace && !isRunning(other);
}

/** Whether a process began on this host since it was started. */
export function isOnThisBoot(owner: Owner | undefined, me: Owner): owner is Owner {
  return owner?.host === me.host && owner.machineId === me.machineId && owner.boot === me.boot;
}

/** Control groups of a process in which the system has killed since it began; those of another host say nothing. */
export function killsSince(owner: Owner | undefined, me: Owner, files?: SystemFiles): OomCount[] {
  return isOnThisBoot(owner, me) ? moreKills(owner.oomKills, files) : [];
}

/**
 * Takes the directory for this process.
 * @param folder of the checkpoints
 * @param unlock take it from a process of which nobody knows whether it has ended
 * @throws DotpeError cannotCreate if another process holds it.
 */
export function claim(folder: string, threads: number, unlock = false): Claim {
  const me = thisOwner(threads);
  for (let race = 0; race < MOST_RACES; race++) {
    const before = attemptsOf(folder);
    const holder = holderOf(before, me);
    if (holder !== undefined && !unlock) throw isHeld(folder, holder, me);
    const number = (before.at(-1)?.number ?? 0) + 1;
    if (make(folder, number, me)) return { number, before };
  }
  throw new DotpeError("tryAgain", `${folder}: other processes were faster every time`, "Run it again.");
}

/** False if another has just taken this number. @throws DotpeError cannotCreate. */
function make(folder: string, number: number, me: Owner): boolean {
  const path = join(folder, nameOf(number));
  const own = partPath(path, `${process.pid}-${Bun.randomUUIDv7()}`);
  const content = `${JSON.stringify(me, null, 1)}\n`;
  writeFileQuickly(own, content);
  try {
    return orCannotCreate(path, () => onlyOne(path, () => linkOrWrite(own, path, content), content));
  } finally {
    rmSync(own, { force: true });
  }
}

/** Where a file system has no hard links. */
const NO_LINKS: ReadonlySet<string> = new Set(["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK"]);

function linkOrWrite(own: string, path: string, content: string): void {
  try {
    linkSync(own, path);
  } catch (error) {
    if (!NO_LINKS.has((error as { code?: string }).code ?? "")) throw error;
    // As good, but that another process may see a part of it.
    writeFileSync(path, content, { flag: "wx" });
  }
}

/** What one process alone can do; false if another has. */
function onlyOne(path: string, action: () => void, content: string): boolean {
  try {
    action();
    return true;
  } catch (error) {
    if ((error as { code?: string }).code !== "EEXIST") throw error;
    // The answer to a first try may have been lost on the way.
    return readFileSync(path, "utf8") === content;
  }
}

/** Waits until the disk has this process' file: before anything is saved that it stands for. */
export function syncOwner(folder: string, number: number): void {
  syncFile(join(folder, nameOf(number)));
}

/** Says how this process left. @param how in a few words */
export function release(folder: string, number: number, how: string): void {
  const end: End = { how: how.slice(0, 500), ended: new Date().toISOString() };
  writeFileAtomic(join(folder, endOf(number)), `${JSON.stringify(end)}\n`);
}

/** @throws DotpeError tryAgain if another process has taken the directory from this one. */
export function checkIsOurs(folder: string, number: number): void {
  if (existsSync(join(folder, nameOf(number))) && !existsSync(join(folder, nameOf(number + 1)))) return;
  const next = attemptsOf(folder).at(-1)?.owner;
  throw new DotpeError(
    "tryAgain",
    `${folder}: ${next === undefined ? "another process" : describe(next)} has taken this run over`,
    "Nothing more is written by this process.",
  );
}

/** 'process 4711 on node17 (Slurm job 123), begun 2026-11-21T10:00:00Z'. */
export function describe({ host, pid, slurmJob, began }: Owner): string {
  const job = slurmJob === null ? "" : ` (Slurm job ${slurmJob})`;
  return `process ${pid} on ${host}${job}, begun ${began}`;
}

function isHeld(folder: string, { owner, number }: Attempt, me: Owner): DotpeError {
  const path = join(folder, nameOf(number));
  if (owner === undefined)
    return new DotpeError("cannotCreate", `${path}: held by a process that cannot be read`, UNLOCK);
  const knows = owner.host === me.host && owner.boot === me.boot && owner.pidNamespace === me.pidNamespace;
  return new DotpeError(
    "cannotCreate",
    `${folder}: held by ${describe(owner)}${knows ? ", which runs" : ""}`,
    knows ? "Wait until it has ended, or give another --rundir." : UNLOCK,
  );
}

const UNLOCK = "If that process has ended, give --unlock; else wait for it, or give another --rundir.";

let known: Omit<Owner, "threads" | "began" | "oomKills"> | undefined;

export function thisOwner(threads: number): Owner {
  known ??= identity();
  return { ...known, began: new Date().toISOString(), threads, oomKills: oomCounts() };
}

function identity() {
  const { host, pid, start } = thisProcess();
  const { SLURM_JOB_ID, SLURM_RESTART_COUNT } = process.env;
  return {
    ...{ host, pid, start },
    // The id itself is not for other eyes (machine-id(5)).
    machineId: lineOf("/etc/machine-id") && sha256Of(`dotpe-hpc ${lineOf("/etc/machine-id")}`).slice(0, 16),
    boot: lineOf("/proc/sys/kernel/random/boot_id"),
    pidNamespace: linkOf("/proc/self/ns/pid"),
    slurmJob: SLURM_JOB_ID ?? null,
    slurmRestarts: /^\d{1,9}$/.test(SLURM_RESTART_COUNT ?? "") ? Number(SLURM_RESTART_COUNT) : 0,
  };
}

function lineOf(path: string): string {
  try {
    return readFileSync(path, "latin1").trim().slice(0, 200);
  } catch {
    return "";
  }
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return "";
  }
}
