/** Wall time and memory by stage. */
import { residentMB } from "./machine/memory.ts";

/** How often memory is read (ms): often enough to see what a stage holds. */
const POLL = 100;

export class Stopwatch {
  private last = performance.now();
  private readonly laps: { name: string; seconds: number }[] = [];
  private peak = residentMB();
  private readonly timer = setInterval(() => this.look(), POLL).unref();

  private look(): void {
    this.peak = Math.max(this.peak, residentMB());
  }

  /** Ends the stage `name`, which began at the previous lap. */
  lap(name: string): void {
    const now = performance.now();
    this.laps.push({ name, seconds: (now - this.last) / 1000 });
    this.last = now;
    this.look();
  }

  stages(): { name: string; seconds: number }[] {
    return [...this.laps];
  }

  /** Largest memory seen, mapped files aside, 1e6 bytes. */
  peakMB(): number {
    return this.peak;
  }

  stop(): void {
    clearInterval(this.timer);
  }
}
