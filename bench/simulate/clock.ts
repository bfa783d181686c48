/**
 * Time for things that compute at once. Those of one domain slow down together: if there are more of them than cores, and
 * if the bytes they ask for exceed what the domain's memory, or the disk of all domains, gives.
 */
import { domainsOf, type Machine } from "./machine.ts";

export interface Activity {
  readonly domain: number;
  /** Bytes a second at full speed. */
  readonly demand: number;
  /** Called at its end. */
  readonly done: () => void;
}

interface Timed<T> {
  readonly at: number;
  readonly order: number;
  readonly item: T;
}

/** A binary heap: the earliest first; equal times in the order of their coming. */
class Heap<T> {
  private readonly list: Timed<T>[] = [];

  get first(): Timed<T> | undefined {
    return this.list[0];
  }

  push(entry: Timed<T>): void {
    const { list } = this;
    let at = list.length;
    list.push(entry);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (before(list[parent], entry)) break;
      list[at] = list[parent];
      at = parent;
    }
    list[at] = entry;
  }

  pop(): Timed<T> | undefined {
    const { list } = this;
    const [top] = list;
    const last = list.pop();
    if (last === undefined || list.length === 0) return top;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= list.length) break;
      if (child + 1 < list.length && before(list[child + 1], list[child])) child++;
      if (before(last, list[child])) break;
      list[at] = list[child];
      at = child;
    }
    list[at] = last;
    return top;
  }
}

function before<T>(a: Timed<T>, b: Timed<T>): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}

interface Domain {
  /** How much of its work an activity has done that began with the domain, at the common speed. */
  progress: number;
  n: number;
  demand: number;
  readonly running: Heap<Activity>;
}

export class Clock {
  now = 0;
  private order = 0;
  private readonly domains: Domain[];
  private readonly delays = new Heap<() => void>();

  constructor(private readonly machine: Machine) {
    this.domains = Array.from({ length: domainsOf(machine) }, () => {
      return { progress: 0, n: 0, demand: 0, running: new Heap<Activity>() };
    });
  }

  /** Begins something that takes `seconds` at full speed. */
  begin(seconds: number, activity: Activity): void {
    const domain = this.domains[activity.domain];
    domain.n++;
    domain.demand += activity.demand;
    domain.running.push({ at: domain.progress + seconds, order: this.order++, item: activity });
  }

  after(seconds: number, then: () => void): void {
    this.delays.push({ at: this.now + seconds, order: this.order++, item: then });
  }

  /** Share of full speed of each domain. */
  private speeds(): number[] {
    const { coresPerDomain, bandwidth, disk } = this.machine;
    const own = this.domains.map(({ n, demand }) => {
      const cores = Math.min(1, coresPerDomain / n);
      return Math.min(cores, bandwidth / demand);
    });
    const read = this.domains.reduce((sum, { demand }, d) => sum + demand * own[d], 0);
    const share = read > disk ? disk / read : 1;
    return own.map((speed, d) => (this.domains[d].demand > 0 ? speed * share : speed));
  }

  /**
   * Goes on to the next end of something and calls it.
   * @param passed told how many seconds pass before that
   * @returns false when nothing is left to happen
   */
  step(passed: (seconds: number) => void): boolean {
    const speeds = this.speeds();
    let [next, of] = [this.delays.first ? this.delays.first.at - this.now : Infinity, -1];
    this.domains.forEach(({ running, progress }, d) => {
      if (!running.first) return;
      const left = Math.max(0, running.first.at - progress) / speeds[d];
      if (left < next) [next, of] = [left, d];
    });
    if (next === Infinity) return false;
    passed(next);
    this.now += next;
    this.domains.forEach((domain, d) => {
      if (domain.n > 0) domain.progress += next * speeds[d];
    });
    if (of < 0) {
      this.delays.pop()?.item();
    } else {
      const domain = this.domains[of];
      const ended = domain.running.pop() as Timed<Activity>;
      // Rounding must not let it end a little before its work is done.
      domain.progress = Math.max(domain.progress, ended.at);
      domain.n--;
      // Rounding must not leave a little where nothing is asked for.
      domain.demand = domain.n === 0 ? 0 : Math.max(0, domain.demand - ended.item.demand);
      ended.item.done();
    }
    return true;
  }
}
