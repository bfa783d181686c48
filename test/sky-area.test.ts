/**
 * Credible areas of made-up skies whose areas are known. With n points of equal weight the content of a region is only known to
 * sqrt(level (1 - level) / n), which for the blobs below is 7 to 8% of the area at n = 300: means over four seeds must be within 6%
 * (a thin arc 12%, the whole sky 25%, where nothing but noise has a shape), every single one within 30%.
 */
import { describe, expect, test } from "bun:test";
import { uniform } from "../src/gw/random.ts";
import { SQUARE_DEGREES, skyMap } from "../src/gw/sky-area.ts";
import { MAX_POINTS, type SkyPoints, skyDensity } from "../src/gw/sky-density.ts";
import { Rings } from "../src/gw/sky-rings.ts";

const STREAM = 9001;
const SEEDS = [1, 2, 3, 4];
const N = 300;
const LEVELS = [0.5, 0.9];

/** Uniform numbers, one after the other. */
function numbers(seed: number): () => number {
  let counter = 0;
  return () => uniform(seed, STREAM, counter++);
}

/** The direction at an angle (rad) and azimuth about an axis. */
function about(ra: number, dec: number, angle: number, azimuth: number): [ra: number, dec: number] {
  const [x, y, z] = [
    Math.sin(angle) * Math.cos(azimuth),
    Math.sin(angle) * Math.sin(azimuth),
    Math.cos(angle),
  ];
  const [a, b] = [Math.sin(dec) * x + Math.cos(dec) * z, -Math.cos(dec) * x + Math.sin(dec) * z];
  return [Math.atan2(Math.sin(ra) * a + Math.cos(ra) * y, Math.cos(ra) * a - Math.sin(ra) * y), Math.asin(b)];
}

type Direction = readonly [ra: number, dec: number, weight?: number];

function pointsOf(list: readonly Direction[]): SkyPoints {
  return {
    ra: list.map(([ra]) => ra),
    dec: list.map(([, dec]) => dec),
    weights: list.map(([, , weight = 1]) => weight),
  };
}

/** von Mises-Fisher: the cosine to the axis c has density exp(kappa c). */
function fisher(next: () => number, kappa: number, ra: number, dec: number): Direction {
  const c = 1 + Math.log(1 - next() * (1 - Math.exp(-2 * kappa))) / kappa;
  return about(ra, dec, Math.acos(Math.max(-1, c)), 2 * Math.PI * next());
}

/** sr: the cap of content `level`. */
const fisherArea = (kappa: number, level: number) =>
  (-2 * Math.PI * Math.log(1 - level * (1 - Math.exp(-2 * kappa)))) / kappa;

/** The areas found, over those expected, must be 1 in the mean to this accuracy. */
function expectAreas(
  make: (next: () => number) => SkyPoints,
  expected: (level: number) => number,
  accuracy = 0.06,
): void {
  const ratios = SEEDS.map((seed) => {
    const { regions } = skyMap(skyDensity(make(numbers(seed))), LEVELS);
    return regions.map(({ level, area }) => area / expected(level));
  });
  for (let r = 0; r < LEVELS.length; r++) {
    const mean = ratios.reduce((sum, ratio) => sum + ratio[r], 0) / SEEDS.length;
    expect(Math.abs(mean - 1)).toBeLessThan(accuracy);
    for (const ratio of ratios) expect(Math.abs(ratio[r] - 1)).toBeLessThan(0.3);
  }
}

describe("areas of known skies", () => {
  for (const [kappa, ra, dec] of [
    [20, 3, 1.2],
    [300, 0.01, -0.2],
    [20_000, 6.2, -1.56],
  ]) {
    const cap = fisherArea(kappa, 0.9) * SQUARE_DEGREES;
    test(`a blob of ${cap.toPrecision(3)} deg^2 at right ascension ${ra}, declination ${dec}`, () => {
      expectAreas(
        (next) => pointsOf(Array.from({ length: N }, () => fisher(next, kappa, ra, dec))),
        (level) => fisherArea(kappa, level),
      );
    });
  }

  test("two blobs with 70% and 30% of the weight", () => {
    const kappa = 300;
    // Outside the threshold t / kappa each blob has min(its weight, t); inside ln(weight / t) 2 pi / kappa of sky.
    const expected = (level: number) => {
      const out = 1 - level;
      const t = out <= 0.6 ? out / 2 : out - 0.3;
      const area = (weight: number) => Math.max(0, Math.log(weight / t));
      return (2 * Math.PI * (area(0.7) + area(0.3))) / kappa;
    };
    expectAreas((next) => {
      const first = Array.from({ length: 0.7 * N }, () => fisher(next, kappa, 3, 1.2));
      return pointsOf([...first, ...Array.from({ length: 0.3 * N }, () => fisher(next, kappa, 0.5, -0.8))]);
    }, expected);
  });

  test("an arc, 1.5 deg wide and 35 deg long, of a circle of 30 deg", () => {
    const [radius, width, length] = [30, 1.5, 35].map((deg) => (deg * Math.PI) / 180);
    const normal = (next: () => number) =>
      Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
    expectAreas(
      (next) =>
        pointsOf(
          Array.from({ length: N }, () =>
            about(1, 0.3, radius + width * normal(next), length * normal(next)),
          ),
        ),
      (level) => -2 * Math.PI * width * length * Math.sin(radius) * Math.log(1 - level),
      0.12,
    );
  });

  test("points of a wider blob, weighted to make a narrower one", () => {
    const [wide, narrow] = [150, 300];
    expectAreas(
      (next) =>
        pointsOf(
          Array.from({ length: 1.5 * N }, () => {
            const [ra, dec] = fisher(next, wide, 0, 0);
            return [ra, dec, Math.exp((narrow - wide) * (Math.cos(dec) * Math.cos(ra) - 1))];
          }),
        ),
      (level) => fisherArea(narrow, level),
    );
  });

  test("the whole sky", () => {
    expectAreas(
      (next) =>
        pointsOf(Array.from({ length: N }, () => [2 * Math.PI * next(), Math.asin(2 * next() - 1)] as const)),
      (level) => 4 * Math.PI * level,
      0.25,
    );
  });
});

describe("odd points", () => {
  test("points without weight change nothing, and equal points count as one", () => {
    const next = numbers(7);
    const some = Array.from({ length: 100 }, () => fisher(next, 50, 1, 0.5));
    const twice = pointsOf([
      ...some.map(([ra, dec]) => [ra, dec, 0.25] as const),
      ...some.map(([ra, dec]) => [ra, dec, 0.75] as const),
      [4, -1, 0],
    ]);
    const once = skyMap(skyDensity(pointsOf(some)), LEVELS);
    expect(skyMap(skyDensity(twice), LEVELS).regions).toEqual(once.regions);
    expect(once.nEffective).toBeCloseTo(100, 9);
  });

  test("one point, two points and many points", () => {
    const { regions } = skyMap(skyDensity(pointsOf([[1, 0.5]])), LEVELS);
    for (const { area } of regions) expect(Number.isFinite(area)).toBe(true);
    const two = skyMap(
      skyDensity(
        pointsOf([
          [1, 0.5],
          [2, 0.5],
        ]),
      ),
      LEVELS,
    );
    for (const { area } of two.regions) expect(area).toBeGreaterThan(0);
    const next = numbers(3);
    const many = pointsOf(Array.from({ length: 3 * MAX_POINTS }, () => fisher(next, 50, 1, 0.5)));
    expect(skyDensity(many).n_points).toBeLessThanOrEqual(MAX_POINTS);
    expect(() => skyDensity(pointsOf([[1, 0.5, 0]]))).toThrow("no point of the sky has weight");
  });
});

test("the cells of all rings make the sphere, and are equal to a few percent", () => {
  const rings = new Rings(0.05);
  const areas = Array.from({ length: rings.n_rings }, (_, ring) => rings.cellArea(ring));
  const total = areas.reduce((sum, area, ring) => sum + area * rings.cells(ring), 0);
  expect(total / (4 * Math.PI)).toBeCloseTo(1, 12);
  for (const area of areas.slice(2, -2)) expect(Math.abs(area / 0.05 ** 2 - 1)).toBeLessThan(0.05);
});
