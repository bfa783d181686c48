/** Starts the program, with inject.c around it or without, and says how it ended. */
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";

/** A call that inject.c counted. */
export interface Call {
  readonly number: number;
  /** One of the mappings, which are counted by themselves. */
  readonly ofMaps: boolean;
  readonly name: string;
  /** What it returned; NaN if the process was killed first. */
  readonly result: number;
  /** Something was done to it. */
  readonly hit: boolean;
  readonly inode: number;
  readonly offset: number;
  readonly length: number;
  readonly path: string;
}

export interface Ended {
  /** 128 + signal if one ended it. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly seconds: number;
  /** It had to be killed after the time limit. */
  readonly hung: boolean;
  /** By inject.c, in the order in which calls ended. */
  readonly calls: readonly Call[];
}

/** Mappings smaller than this are the allocator's daily bread (bytes). */
const LARGE_MAPPING = 2 ** 20;

/** Compiles inject.c into `folder` and tries it. Returns its path, or why there is none. */
export function compileInjector(folder: string): { path: string } | { reason: string } {
  const compiler = Bun.which("cc") ?? Bun.which("gcc");
  if (process.platform !== "linux" || compiler === null) return { reason: "no C compiler on this system" };
  const path = join(folder, "inject");
  mkdirSync(folder, { recursive: true });
  const made = Bun.spawnSync([compiler, "-O2", "-o", path, join(import.meta.dir, "inject.c")]);
  if (made.exitCode !== 0)
    return { reason: `inject.c cannot be compiled here: ${made.stderr.toString().split("\n")[0]}` };
  const tried = Bun.spawnSync([path, "-s", "error=5@1", folder, "mkdir", join(folder, "never")]);
  if (tried.exitCode === 1 && !existsSync(join(folder, "never"))) return { path };
  return { reason: `processes cannot be traced here: ${tried.stderr.toString().trim() || tried.exitCode}` };
}

export type Child = Pick<Bun.Subprocess, "kill" | "exited" | "exitCode" | "signalCode">;

export interface Start {
  /** The program and its arguments. */
  readonly command: readonly string[];
  readonly env: Record<string, string>;
  /** Files here and below are watched. */
  readonly folder: string;
  /** inject.c, if calls are to be counted or hit. */
  readonly injector?: string;
  readonly specs?: readonly string[];
  /** Done to the process while it runs. */
  readonly meanwhile?: (child: Child) => Promise<void>;
  /** After which it is killed (s). */
  readonly limit: number;
}

export async function start(settings: Start): Promise<Ended> {
  const { command, env, folder, injector, specs = [], meanwhile, limit } = settings;
  const trace = `${folder}.trace`;
  const around =
    injector === undefined
      ? []
      : [injector, "-r", "-m", `${LARGE_MAPPING}`, "-o", trace, ...specs.flatMap((s) => ["-s", s]), folder];
  rmSync(trace, { force: true });
  const began = performance.now();
  const child = Bun.spawn([...around, ...command], { env, stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  let hung = false;
  // What inject.c traces dies with it.
  const timer = setTimeout(() => {
    hung = true;
    child.kill("SIGKILL");
  }, limit * 1000);
  const output = Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  await Promise.all([meanwhile?.(child), child.exited]);
  clearTimeout(timer);
  const [stdout, stderr] = await output;
  const seconds = (performance.now() - began) / 1000;
  const code = child.exitCode ?? 128 + (SIGNAL_NUMBERS[child.signalCode ?? ""] ?? 0);
  return { code, stdout, stderr, seconds, hung, calls: existsSync(trace) ? readTrace(trace) : [] };
}

const SIGNAL_NUMBERS: Record<string, number> = {
  ...{
    SIGHUP: 1,
    SIGINT: 2,
    SIGILL: 4,
    SIGTRAP: 5,
    SIGABRT: 6,
    SIGBUS: 7,
    SIGFPE: 8,
    SIGKILL: 9,
    SIGUSR1: 10,
  },
  ...{ SIGSEGV: 11, SIGUSR2: 12, SIGPIPE: 13, SIGTERM: 15, SIGSYS: 31 },
};

function readTrace(path: string): Call[] {
  const lines = readFileSync(path, "utf8").split("\n").slice(0, -1);
  return lines.map((line) => {
    const [number, , name, result, inode, offset, length, file] = line.split("\t");
    return {
      number: Number(number.replace("m", "")),
      ofMaps: number.startsWith("m"),
      name,
      result: Number.parseInt(result, 10),
      hit: /injected|short|killed/.test(result),
      inode: Number(inode),
      offset: Number(offset),
      length: Number(length),
      path: file,
    };
  });
}
