/** One point of one scenario: the run is hit, what it left is judged, it goes on to its end, and all bytes are compared. */
import { mkdirSync, rmSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { contentOf, cutPower, differences } from "./folder.ts";
import { type Child, type Ended, type Start, start } from "./inject.ts";
import { kindOf, type Point, parsePoint, randomOf, specOf } from "./point.ts";
import type { Scenario } from "./scenarios.ts";

export interface Arena {
  readonly binary: string;
  /** Folders of runs go here. */
  readonly scratch: string;
  readonly injector: string | undefined;
  readonly seed: number;
  /** Of the program: it may be older than a command that looks at folders. */
  readonly commands: readonly string[];
  /** How often a run that goes on is killed again, at most. */
  readonly killsMore: number;
  /** Seconds after which a call counts as hung. */
  readonly limit: number;
}

/** What an undisturbed run did. */
export interface Undisturbed {
  readonly content: Map<string, string>;
  readonly seconds: number;
  readonly calls: Ended["calls"];
}

export interface Outcome {
  readonly scenario: string;
  readonly point: Point;
  /** Whether the point was met before the run ended. */
  readonly met: boolean;
  /** How the call that was hit ended. */
  readonly code: number;
  readonly findings: readonly string[];
  /** From a signal to the end of the process (s). */
  readonly grace?: number;
}

/** Exit codes of a run that could not write or read: cannotCreate, tryAgain; noInput if it was reading. */
const FAILED = [66, 73, 75];
/** A process without memory may be ended by its allocator: SIGTRAP, SIGABRT, SIGSEGV, SIGILL, SIGBUS. */
const CRASHED = [128 + 4, 128 + 5, 128 + 6, 128 + 7, 128 + 11];

/** The names of its commands, from its help. */
export function commandsOf(binary: string): string[] {
  const help = Bun.spawnSync([binary, "--help"]).stdout.toString();
  return [...help.matchAll(/^ {2}([a-z]+) {2,}/gm)].map(([, name]) => name);
}

/** Does this to every item, as many at a time as there are pairs of cores, or so many. */
export async function inTurns<T>(
  items: readonly T[],
  action: (item: T) => Promise<void>,
  atATime = Math.max(1, Math.floor(availableParallelism() / 2)),
): Promise<void> {
  const left = [...items];
  const one = async () => {
    for (let next = left.shift(); next !== undefined; next = left.shift()) await action(next);
  };
  await Promise.all(Array.from({ length: atATime }, one));
}

/** Runs the scenario from the beginning to its end, without disturbance. @throws Error if it does not succeed. */
export async function undisturbed(arena: Arena, scenario: Scenario): Promise<Undisturbed> {
  const folder = newFolder(arena, `${scenario.name}-undisturbed`);
  const { code, stderr, calls } = await call(arena, folder, scenario.begin(folder, scenario.threads), {
    injector: arena.injector,
  });
  if (code !== 0) throw new Error(`${scenario.name}: exit ${code} without any disturbance: ${stderr}`);
  const content = contentOf(folder);
  rmSync(folder, { recursive: true });
  const { seconds } = await call(arena, folder, scenario.begin(folder, 1));
  const again = stable(scenario, contentOf(folder));
  const differing = differences(again, stable(scenario, content));
  if (differing.length > 0)
    throw new Error(`${scenario.name}: two undisturbed runs: ${differing.join(", ")}`);
  rmSync(folder, { recursive: true });
  return { content, seconds, calls };
}

export async function ordeal(
  arena: Arena,
  scenario: Scenario,
  reference: Undisturbed,
  text: string,
): Promise<Outcome> {
  const point = parsePoint(text);
  const folder = newFolder(arena, `${scenario.name}-${text.replace(/[^A-Za-z0-9.]/g, "-")}`);
  const trial = new Trial(arena, scenario, reference, point, folder);
  await trial.run();
  const { met, findings, code, grace } = trial;
  // What failed stays, to be looked at.
  if (findings.length === 0) rmSync(folder, { recursive: true, force: true });
  rmSync(`${folder}.trace`, { force: true });
  return { scenario: scenario.name, point, met, code, findings, grace };
}

class Trial {
  readonly findings: string[] = [];
  met = false;
  code = 0;
  grace: number | undefined;
  private readonly random: () => number;

  constructor(
    private readonly arena: Arena,
    private readonly scenario: Scenario,
    private readonly reference: Undisturbed,
    private readonly point: Point,
    private readonly folder: string,
  ) {
    this.random = randomOf(`${arena.seed} ${scenario.name} ${point.text}`);
  }

  async run(): Promise<void> {
    const { point, scenario, folder } = this;
    if (point.resume) await this.killedSomewhere();
    const args = point.resume
      ? scenario.goOn(folder, this.threads(), this.random)
      : scenario.begin(folder, scenario.threads);
    const work = this.work();
    const ended = await this.hit(args);
    this.code = ended.code;
    if (point.resume && ended.code !== 0) {
      const lost = work.filter((name) => !this.work().includes(name));
      if (lost.length > 0) this.find(`exit ${ended.code} has lost what was done before: ${lost.join(", ")}`);
    }
    this.judgeEnd(ended);
    if (point.name === "power") cutPower(folder, ended.calls, this.random);
    await this.judgeFolder();
    if (kindOf(point.name) !== "fault") await this.killMore();
    await this.goOn();
  }

  /** Names of the files without which what is done would have to be done again. */
  private work(): string[] {
    return [...contentOf(this.folder).keys()].filter((name) => this.scenario.isWork(name));
  }

  /** The call that the point is about. */
  private async hit(args: string[]): Promise<Ended> {
    const { point, arena, folder } = this;
    const kind = kindOf(point.name);
    if (kind === "kill" || kind === "fault") {
      const ended = await call(arena, folder, args, { injector: arena.injector, specs: [specOf(point)] });
      this.met =
        ended.calls.some(({ hit }) => hit) || (point.name === "slow" && ended.calls.length >= point.at);
      return ended;
    }
    return await call(arena, folder, args, { meanwhile: (child) => this.disturb(child) });
  }

  private async disturb(child: Child): Promise<void> {
    const { point } = this;
    await Bun.sleep(point.at * this.reference.seconds * 1000);
    if (child.exitCode !== null || child.signalCode !== null) return;
    this.met = true;
    const began = performance.now();
    const kind = kindOf(point.name);
    child.kill(kind === "moment" ? "SIGKILL" : (point.name.replace("2x", "") as NodeJS.Signals));
    if (kind === "stop") {
      await Bun.sleep(50 + 400 * this.random());
      child.kill("SIGCONT");
      return;
    }
    if (kind === "twice") {
      await Bun.sleep(30 * this.random());
      child.kill(point.name.replace("2x", "") as NodeJS.Signals);
    }
    await child.exited;
    if (kind !== "moment") this.grace = (performance.now() - began) / 1000;
  }

  /** Whether the call ended as it should. */
  private judgeEnd(ended: Ended): void {
    const { code, stderr, hung } = ended;
    if (hung) {
      this.find(`hung: killed after ${this.arena.limit} s`);
    } else if (!this.met) {
      if (!this.isFine(code)) this.find(`exit ${code} although nothing was done to it: ${firstLine(stderr)}`);
    } else this.judgeMet(ended);
  }

  private judgeMet(ended: Ended): void {
    const { code, stderr } = ended;
    const kind = kindOf(this.point.name);
    if (kind === "kill" || kind === "moment") {
      // It may just have ended.
      if (code !== 137 && !this.isFine(code)) this.find(`exit ${code} of a process that was killed`);
    } else if (kind === "stop") {
      if (code !== 0) this.find(`exit ${code} after SIGSTOP and SIGCONT: ${firstLine(stderr)}`);
    } else if (kind === "signal" || kind === "twice") {
      this.judgeSignal(code);
    } else if (!this.isFine(code)) {
      this.judgeFailure(ended);
    }
  }

  private isFine(code: number): boolean {
    if (code !== 0) return code === this.scenario.complete && this.isComplete();
    // What could not be removed after the end is removed the next time.
    const isFault = kindOf(this.point.name) === "fault";
    const problems = this.problems().filter((text) => !(isFault && text.startsWith("checkpoint")));
    if (problems.length > 0) this.find(`exit 0, but ${problems.join(", ")}`);
    return true;
  }

  private judgeSignal(code: number): void {
    const { stopped } = this.scenario;
    const number =
      { SIGTERM: 15, SIGINT: 2, SIGUSR1: 10, SIGUSR2: 12 }[this.point.name.replace("2x", "")] ?? 0;
    const begun = contentOf(this.folder).size > 0;
    // Before it listens, a signal does what it always does. At the very end, the run is complete.
    const byDefault =
      code === 128 + number && (stopped === null || !begun || this.point.name.startsWith("2x"));
    if (byDefault || code === stopped || (code === 0 && this.isComplete())) return;
    this.find(`exit ${code} after ${this.point.name}, expected ${stopped ?? 128 + number}`);
  }

  private judgeFailure({ code, stderr }: Ended): void {
    if (this.point.name === "ENOMEM" && CRASHED.includes(code)) return;
    if (!FAILED.includes(code))
      this.find(`exit ${code}, expected ${FAILED.join(", ")}: ${firstLine(stderr)} at ${placeIn(stderr)}`);
    const lines = withoutWarnings(stderr).split("\n");
    if (!lines.some((line) => line.startsWith("error: ")) || lines.length > 2)
      this.find(`standard error is not one error and its hint: ${JSON.stringify(stderr.slice(0, 300))}`);
  }

  /** Whether what is in the folder can be believed by somebody who looks at it. */
  private async judgeFolder(): Promise<void> {
    const { scenario, folder, reference } = this;
    const content = contentOf(folder);
    for (const [name, sum] of content) {
      const wanted = reference.content.get(name);
      const isChanging = scenario.changing.includes(name) || scenario.isState(name);
      if (wanted === undefined ? !isPart(name) && !isChanging && sum !== "folder" : false)
        this.find(`${name} is neither a result nor a part file`);
      if (wanted !== undefined && wanted !== sum && !isChanging)
        this.find(`${name} has its name, but not its bytes`);
    }
    if (content.has(scenario.last)) {
      const missing = [...reference.content.keys()].filter((name) => !content.has(name));
      if (missing.length > 0) this.find(`${scenario.last} is there, but not ${missing.join(", ")}`);
    } else if (content.size > 0) await this.inspect();
  }

  private async inspect(): Promise<void> {
    const { scenario, folder, arena } = this;
    const before = contentOf(folder);
    for (const { args, codes } of scenario.inspect(folder, this.point.name === "power")) {
      if (!arena.commands.includes(args[0])) continue;
      const { code, stderr, hung } = await call(arena, folder, args);
      if (hung || !codes.includes(code))
        this.find(
          `${args.slice(0, 2).join(" ")}: exit ${code}, expected ${codes.join(", ")}: ${firstLine(stderr)}`,
        );
    }
    const changed = differences(contentOf(folder), before);
    if (changed.length > 0) this.find(`looking at it changed it: ${changed.join(", ")}`);
  }

  private async killedSomewhere(): Promise<void> {
    const { scenario, folder, reference, arena } = this;
    const writes = reference.calls.filter(({ ofMaps }) => !ofMaps).length;
    const at = Math.ceil((0.2 + 0.8 * this.random()) * writes);
    const args = scenario.begin(folder, scenario.threads);
    await call(arena, folder, args, { injector: arena.injector, specs: [`before@${at}`] });
  }

  /** Going on is interrupted too, sometimes. */
  private async killMore(): Promise<void> {
    const { scenario, folder, reference, arena, random } = this;
    if (random() < 0.5) return;
    const times = 1 + Math.floor(random() * arena.killsMore);
    for (let k = 0; k < times; k++) {
      const delay = random() * reference.seconds * 1000;
      const atCall = 1 + Math.floor(random() * reference.calls.length * 0.7);
      const args = scenario.goOn(folder, this.threads(), random);
      if (arena.injector !== undefined && random() < 0.7)
        await call(arena, folder, args, { injector: arena.injector, specs: [`before@${atCall}`] });
      else
        await call(arena, folder, args, {
          meanwhile: async (child) => {
            await Bun.sleep(delay);
            child.kill("SIGKILL");
          },
        });
      await this.judgeFolder();
    }
  }

  /** To the end, undisturbed. */
  private async goOn(): Promise<void> {
    const { scenario, folder, arena } = this;
    const wasComplete = this.isComplete();
    let args = scenario.goOn(folder, this.threads(), this.random);
    let { code, stderr, hung } = await call(arena, folder, args);
    // The directory alone does not say what was wanted where the disk has lost that: the whole command does.
    if (this.point.name === "power" && stderr.includes("manifest.json: found an empty file")) {
      args = scenario.begin(folder, scenario.threads);
      ({ code, stderr, hung } = await call(arena, folder, args));
    }
    if (hung) return this.find(`hung when it went on: killed after ${arena.limit} s`);
    if (code !== 0 && !(wasComplete && code === scenario.complete))
      this.find(`exit ${code} when it went on (${args.slice(0, 2).join(" ")}): ${firstLine(stderr)}`);
    const problems = this.problems();
    if (problems.length > 0) this.find(`after going on: ${problems.join(", ")}`);
  }

  private threads(): number {
    return this.random() < 0.5 ? this.scenario.threads : 3 - this.scenario.threads;
  }

  /** What is wrong with a folder that should be complete. */
  private problems(): string[] {
    const { scenario, reference, folder } = this;
    return differences(stable(scenario, contentOf(folder)), stable(scenario, reference.content));
  }

  private isComplete(): boolean {
    return this.problems().length === 0;
  }

  private find(what: string): void {
    this.findings.push(what);
  }
}

function call(arena: Arena, folder: string, args: string[], more: Partial<Start> = {}): Promise<Ended> {
  const home = join(arena.scratch, "home");
  const env = {
    PATH: process.env.PATH ?? "",
    HOME: home,
    XDG_CACHE_HOME: join(home, "cache"),
    DOTPE_DEBUG: "1",
  };
  return start({ command: [arena.binary, ...args], env, folder, limit: arena.limit, ...more });
}

function newFolder(arena: Arena, name: string): string {
  const folder = join(arena.scratch, name);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(arena.scratch, { recursive: true });
  return folder;
}

/** Without the bytes of files that may differ. */
function stable(scenario: Scenario, content: Map<string, string>): Map<string, string> {
  return new Map(
    [...content].map(([name, sum]) => [name, scenario.changing.includes(name) ? "any" : sum] as const),
  );
}

/** A file that has no name yet. */
const isPart = (name: string) => /(^|\/)\.[^/]+\.part$/.test(name);

/** Nor the stack that DOTPE_DEBUG adds. */
const withoutWarnings = (text: string) =>
  text
    .replace(/^warning: .*\n( {2}hint: .*\n)?/gm, "")
    .replace(/(?<=^ {2}hint: .*\n)[\s\S]*/m, "")
    .trim();

/** Where a defect showed. */
const placeIn = (text: string) =>
  [...text.matchAll(/^ {4}at (.*)$/gm)]
    .slice(0, 6)
    .map(([, at]) => at.replace(/\(.*[/:](\d+:\d+)\)/, "$1"))
    .join(" < ");

const firstLine = (text: string) => withoutWarnings(text).split("\n")[0].slice(0, 300);
