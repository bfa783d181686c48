/** Time, processor time and memory by stage. */
import { readFileSync } from "node:fs";
import { residentMB } from "./machine/memory.ts";

/** How often memory is read (ms): often enough to see what a stage holds. */
const POLL = 100;

export interface Lap {
  readonly name: string;
  /** ms since 1970. */
  readonly start: number;
  readonly seconds: number;
  /** Of all threads, and of the main thread alone. */
  readonly cpuSeconds: number;
  readonly parentCpuSeconds: number;
  /** Largest memory seen, as `residentMB` counts it. */
  readonly peakMB: number;
}

/** Begins with the process: its first lap holds what loading the program took. */
export class Stopwatch {
  private last = { at: 0, cpu: 0, parent: 0 };
  private readonly done: Lap[] = [];
  private peak = 0;
  private readonly timer = setInterval(() => this.look(), POLL).unref();

  private look(): void {
    this.peak = Math.max(this.peak, residentMB());
  }

  /** Ends the stage `name`, which began at the previous lap. */
  lap(name: string): void {
    this.look();
    const now = { at: performance.now(), cpu: process.cpuUsage(), parent: mainThreadSeconds() };
    const cpu = (now.cpu.user + now.cpu.system) / 1e6;
    const { last } = this;
    this.done.push({
      name,
      start: performance.timeOrigin + last.at,
      seconds: (now.at - last.at) / 1000,
      cpuSeconds: cpu - last.cpu,
      parentCpuSeconds: now.parent - last.parent,
      peakMB: this.peak,
    });
    this.last = { at: now.at, cpu, parent: now.parent };
    this.peak = 0;
  }

  laps(): readonly Lap[] {
    return this.done;
  }

  peakMB(): number {
    return Math.max(this.peak, ...this.done.map(({ peakMB }) => peakMB));
  }

  stop(): void {
    clearInterval(this.timer);
  }
}

/** Processor time of this thread; 0 where the system does not say. */
function mainThreadSeconds(): number {
  try {
    return Number(readFileSync("/proc/thread-self/schedstat", "latin1").split(" ")[0]) / 1e9;
  } catch {
    return 0;
  }
}
