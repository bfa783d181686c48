/** What is printed of the points. */
import type { Outcome } from "./ordeal.ts";
import { kindOf } from "./point.ts";

/** Findings of one point, and the command that repeats it. */
export function listFindings({ scenario, point, findings }: Outcome, binary: string, seed: number): string[] {
  if (findings.length === 0) return [];
  const again = `bun test/torture/main.ts --binary ${binary} --seed ${seed} --point ${scenario} ${point.text}`;
  return [`${scenario} ${point.text}:`, ...findings.map((finding) => `  ${finding}`), `  again: ${again}`];
}

/** A line for each scenario and kind (faults: each error): points, those that the run met, survived, findings. */
export function formatTable(outcomes: readonly Outcome[]): string {
  const groups = Map.groupBy(outcomes, ({ scenario, point }) => `${scenario}\t${label(point.name)}`);
  const rows = [...groups].map(([key, group]) => {
    const failed = group.filter(({ findings }) => findings.length > 0).length;
    const met = group.filter((outcome) => outcome.met).length;
    const codes = [...Map.groupBy(group, ({ code }) => code)].sort(([a], [b]) => a - b);
    const graces = group.flatMap(({ grace }) => grace ?? []);
    const ends = codes.map(([code, { length }]) => `${length} x ${code}`).join(", ");
    const slowest = graces.length > 0 ? `, at most ${Math.max(...graces).toFixed(2)} s` : "";
    return [...key.split("\t"), group.length, met, group.length - failed, failed, ends + slowest].map(String);
  });
  const all = [["scenario", "what", "points", "met", "survived", "findings", "exit codes"], ...rows];
  const widths = all[0].map((_, c) => Math.max(...all.map((row) => row[c].length)));
  return all
    .map((row) =>
      row
        .map((cell, c) => cell.padEnd(widths[c]))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

function label(name: string): string {
  const kind = kindOf(name);
  return kind === "kill" ? `SIGKILL, ${name}` : kind === "moment" ? "SIGKILL, moment" : name;
}
