/** The sphere cut into rings of constant height in declination, each into cells of (nearly) equal area. */

export class Rings {
  readonly n_rings: number;
  private readonly counts: Int32Array;

  /** @param size of a cell, rad. */
  constructor(readonly size: number) {
    this.n_rings = Math.max(3, Math.ceil(Math.PI / size));
    this.counts = new Int32Array(this.n_rings);
    for (let ring = 0; ring < this.n_rings; ring++) {
      this.counts[ring] = Math.max(3, Math.round(this.ringArea(ring) / size ** 2));
    }
  }

  /** The declination (rad) at which a ring begins; ring n_rings is the north pole. */
  edge(ring: number): number {
    return -Math.PI / 2 + (Math.PI * ring) / this.n_rings;
  }

  /** Halves the ring's area. */
  sinDec(ring: number): number {
    return (Math.sin(this.edge(ring)) + Math.sin(this.edge(ring + 1))) / 2;
  }

  ringOf(sinDec: number): number {
    const height = (Math.asin(Math.min(1, Math.max(-1, sinDec))) + Math.PI / 2) / Math.PI;
    return Math.min(this.n_rings - 1, Math.floor(height * this.n_rings));
  }

  /** Cells of a ring; cell c is between right ascensions 2 pi c / n and 2 pi (c + 1) / n. */
  cells(ring: number): number {
    return this.counts[ring];
  }

  /** sr. */
  cellArea(ring: number): number {
    return this.ringArea(ring) / this.counts[ring];
  }

  private ringArea(ring: number): number {
    return 2 * Math.PI * (Math.sin(this.edge(ring + 1)) - Math.sin(this.edge(ring)));
  }
}

const NOTHING: readonly number[] = [];

/** Which caps of the sky touch a place. */
export class RingIndex {
  private readonly rings: Rings;
  /** By ring, then by cell. */
  private readonly lists: (Map<number, number[]> | undefined)[];

  /** @param size of a cell, rad. */
  constructor(size: number) {
    this.rings = new Rings(size);
    this.lists = new Array(this.rings.n_rings);
  }

  /** Cap `k`: a unit vector and a radius (rad). */
  add(k: number, x: number, y: number, z: number, radius: number): void {
    const { rings } = this;
    const dec = Math.asin(Math.min(1, Math.max(-1, z)));
    const first = rings.ringOf(Math.sin(Math.max(-Math.PI / 2, dec - radius)));
    const last = rings.ringOf(Math.sin(Math.min(Math.PI / 2, dec + radius)));
    for (let ring = first; ring <= last; ring++) {
      const n = rings.cells(ring);
      const [south, north] = [rings.edge(ring), rings.edge(ring + 1)];
      const middle = (south + north) / 2;
      // Half a diagonal of the ring's widest cell, by the way along its sides.
      const widest = south < 0 && north > 0 ? 1 : Math.max(Math.cos(south), Math.cos(north));
      const slack = (north - south) / 2 + (Math.PI / n) * widest;
      const least = Math.cos(Math.min(Math.PI, radius + slack));
      for (let cell = 0; cell < n; cell++) {
        const ra = (2 * Math.PI * (cell + 0.5)) / n;
        const cosine = Math.cos(middle) * (x * Math.cos(ra) + y * Math.sin(ra)) + Math.sin(middle) * z;
        if (cosine >= least) this.push(ring, cell, k);
      }
    }
  }

  /** The caps that may hold a place, rising. */
  near(x: number, y: number, z: number): readonly number[] {
    const ring = this.rings.ringOf(z);
    const turn = Math.atan2(y, x) / (2 * Math.PI);
    const n = this.rings.cells(ring);
    const cell = Math.min(n - 1, Math.floor((turn - Math.floor(turn)) * n));
    return this.lists[ring]?.get(cell) ?? NOTHING;
  }

  /**
   * Where on a circle of declination there are cells whose caps are wanted: intervals of right ascension in turns, rising.
   * @param isWanted asked once for each cell with a cap
   */
  spans(sinDec: number, isWanted: (caps: readonly number[]) => boolean): [start: number, end: number][] {
    const ring = this.rings.ringOf(sinDec);
    const n = this.rings.cells(ring);
    const lists = this.lists[ring] ?? new Map<number, number[]>();
    const spans: [number, number][] = [];
    for (const cell of [...lists.keys()].sort((a, b) => a - b)) {
      if (!isWanted(lists.get(cell) as number[])) continue;
      const last = spans.at(-1);
      if (last !== undefined && last[1] === cell / n) last[1] = (cell + 1) / n;
      else spans.push([cell / n, (cell + 1) / n]);
    }
    return spans;
  }

  private push(ring: number, cell: number, k: number): void {
    this.lists[ring] ??= new Map();
    const list = this.lists[ring].get(cell);
    if (list === undefined) this.lists[ring].set(cell, [k]);
    else list.push(k);
  }
}
