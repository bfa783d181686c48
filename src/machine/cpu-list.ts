/** Sets of CPUs as Linux writes them: lists "0-3,8" and hexadecimal masks "ff,00000001". */

/** More than any Linux kernel is built for; a larger number is not a CPU. */
const MOST_CPUS = 2 ** 16;

/**
 * "0-3,8,10-11" to rising ids; "" to none. "0-62:2" is every second one.
 * @returns undefined if it is not such a list, or names a CPU of 65536 or more.
 */
export function parseCpuList(text: string): number[] | undefined {
  const trimmed = text.trim();
  if (trimmed === "") return [];
  const ids = new Set<number>();
  let named = 0;
  for (const part of trimmed.split(",")) {
    const match = /^\s*(\d{1,6})(?:-(\d{1,6})(?::(\d{1,6}))?)?\s*$/.exec(part);
    if (!match) return undefined;
    const first = Number(match[1]);
    const last = match[2] === undefined ? first : Number(match[2]);
    const step = match[3] === undefined ? 1 : Number(match[3]);
    // The parts of a real list do not overlap: a sum beyond the limit is nonsense, and must cost no time.
    named += last - first + 1;
    if (last < first || last >= MOST_CPUS || step < 1 || named > MOST_CPUS) return undefined;
    for (let id = first; id <= last; id += step) ids.add(id);
  }
  return rising(ids);
}

/**
 * "1,00000003" (words of 32 bits, the highest first) to [0, 1, 32].
 * @returns undefined if it is not a mask, or too long.
 */
export function parseCpuMask(text: string): number[] | undefined {
  const words = text.trim().replace(/^0x/, "").split(",").reverse();
  if (words.length * 32 > MOST_CPUS || !words.every((word) => /^[0-9a-fA-F]{1,8}$/.test(word)))
    return undefined;
  return words.flatMap((word, k) => {
    const bits = Number.parseInt(word, 16);
    return [...Array(32).keys()].filter((bit) => (bits >>> bit) & 1).map((bit) => 32 * k + bit);
  });
}

/** Ids to "0-3,8"; "none" for no CPU. */
export function formatCpuList(ids: readonly number[]): string {
  const parts: string[] = [];
  for (let k = 0; k < ids.length; ) {
    let end = k;
    while (end + 1 < ids.length && ids[end + 1] === ids[end] + 1) end++;
    parts.push(end === k ? `${ids[k]}` : `${ids[k]}-${ids[end]}`);
    k = end + 1;
  }
  return parts.join(",") || "none";
}

/** As `formatCpuList`, for people: "0-62:2" for every second one. */
export function formatBriefly(ids: readonly number[]): string {
  const parts: string[] = [];
  for (let k = 0; k < ids.length; ) {
    const step = ids[k + 1] - ids[k];
    let end = k;
    while (end + 1 < ids.length && ids[end + 1] - ids[end] === step) end++;
    const worth = step === 1 ? end > k : end >= k + FEWEST_STEPS;
    if (worth) parts.push(`${ids[k]}-${ids[end]}${step === 1 ? "" : `:${step}`}`);
    else parts.push(`${ids[k]}`);
    k = worth ? end + 1 : k + 1;
  }
  return parts.join(",") || "none";
}

const FEWEST_STEPS = 3;

/** Those of `ids` that are in `others`. */
export function intersect(ids: readonly number[], others: readonly number[]): number[] {
  const set = new Set(others);
  return ids.filter((id) => set.has(id));
}

export function rising(ids: Iterable<number>): number[] {
  return [...new Set(ids)].sort((a, b) => a - b);
}
