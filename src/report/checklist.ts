/** What `dotpe-hpc machine check` and `dotpe-hpc bank check` print. */
import type { Check } from "../machine/checklist.ts";
import { printable } from "./format.ts";

export type CheckLine = Pick<Check, "name" | "level" | "found" | "todo">;

const LABELS = { pass: "pass", warn: "WARN", fail: "FAIL", skip: "skip" } as const;

/** A line a check, under it what to do; then the count. Ends in a newline. */
export function formatChecklist(checks: readonly CheckLine[]): string {
  const width = Math.max(...checks.map(({ name }) => name.length));
  const lines = checks.flatMap(({ name, level, found, todo }) => [
    `${LABELS[level]}  ${name.padEnd(width)}  ${printable(found)}`,
    ...(todo === undefined ? [] : [`${" ".repeat(width + 8)}-> ${printable(todo)}`]),
  ]);
  const count = (level: Check["level"]) => checks.filter((one) => one.level === level).length;
  const counts = (["pass", "warn", "fail", "skip"] as const).map((level) => `${count(level)} ${level}`);
  return `${[...lines, "", counts.join(", ")].join("\n")}\n`;
}
