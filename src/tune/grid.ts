/** The exhaustive search: every candidate once, the built-in setting and what is near it first. */
import { listCandidates } from "./candidates.ts";
import type { Search } from "./search.ts";
import type { Space } from "./setting.ts";

export function gridSearch(space: Space): Search {
  const candidates = listCandidates(space);
  const told = new Set<string | undefined>();
  let next = 0;
  return {
    ask() {
      while (next < candidates.length && told.has(candidates[next].key)) next++;
      return next < candidates.length ? { point: candidates[next].point, effort: "full" } : undefined;
    },
    tell: ({ point }) => void told.add(space.key(point)),
  };
}
