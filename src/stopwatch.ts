/** Wall time by stage. */
export class Stopwatch {
  private last = performance.now();
  private readonly laps: { name: string; seconds: number }[] = [];

  /** Ends the stage `name`, which began at the previous lap. */
  lap(name: string): void {
    const now = performance.now();
    this.laps.push({ name, seconds: (now - this.last) / 1000 });
    this.last = now;
  }

  stages(): { name: string; seconds: number }[] {
    return [...this.laps];
  }
}
