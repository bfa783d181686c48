/**
 * What a recorded landscape is without its noise: effects of the values of each knob and of each pair of knobs on the
 * logarithm of the rate. What is left over is the noise between measurements: load, clock and heat change from one to the
 * next, which the spread within a measurement does not show.
 */
import { listCandidates } from "../../src/tune/candidates.ts";
import type { Point } from "../../src/tune/setting.ts";
import { type Landscape, RUNS } from "./landscape.ts";

const ROUNDS = 10;

export function smoothed(landscape: Landscape): Landscape {
  const points = listCandidates(landscape.space).map(({ point }) => point);
  const left = points.map((point) => Math.log(landscape.rate(point)));
  const truth = new Float64Array(points.length);
  let n_effects = 0;
  for (let round = 0; round < ROUNDS; round++) {
    n_effects = 0;
    for (const cells of cellings(landscape)) {
      const byCell = Map.groupBy(points.keys(), (k) => cells(points[k]));
      n_effects += byCell.size - 1;
      for (const members of byCell.values()) {
        const effect = members.reduce((sum, k) => sum + left[k], 0) / members.length;
        for (const k of members) {
          truth[k] += effect;
          left[k] -= effect;
        }
      }
    }
  }
  const freedom = Math.max(1, points.length - n_effects);
  const scatter = Math.sqrt(left.reduce((sum, value) => sum + value * value, 0) / freedom);
  const rates = new Map(points.map((point, k) => [landscape.space.key(point), Math.exp(truth[k])]));
  return {
    ...landscape,
    name: `${landscape.name.replace(", as recorded", "")}, smoothed, noise ${(100 * scatter).toFixed(1)}%`,
    rate: (point) => rates.get(landscape.space.key(point))!,
    noise: (_, effort) => scatter * Math.sqrt(RUNS.full / RUNS[effort]),
  };
}

/** Ways to divide the candidates: by the value of one knob, by those of two. */
function cellings({ space }: Landscape): ((point: Point) => string)[] {
  const knobs = space.dimensions.flatMap(({ values }, d) => (values.length > 1 ? [d] : []));
  const pairs = knobs.flatMap((a, k) => knobs.slice(k + 1).map((b) => [a, b]));
  return [...knobs.map((a) => [a]), ...pairs].map((of) => (point) => of.map((d) => point[d]).join());
}
