/** Levels of the comparison with the reference runs, as tests: one for each quantity that has an allowed value. */
import { afterAll, describe, expect, test } from "bun:test";
import type { Level } from "../bench/equivalence/level.ts";
import { openSubject, type Subject } from "../bench/equivalence/subject.ts";
import { CASES, caseName } from "./reference-cases.ts";

/** The first quantity of a level waits for the whole level. */
const TIMEOUT_MS = 120_000;

export function testLevels(levels: readonly Level[]): void {
  for (const one of CASES) {
    describe.skipIf(one.absent)(caseName(one), () => {
      let subject: Subject | undefined;
      const measured = new Map<Level, Promise<readonly number[]>>();
      const measure = (level: Level) => {
        subject ??= openSubject(one);
        const known = measured.get(level) ?? level.measure(subject);
        measured.set(level, known);
        return known;
      };
      afterAll(() => {
        subject = undefined;
      });
      for (const level of levels) {
        level.quantities.forEach(({ name, unit, allowed, knownOff }, k) => {
          if (allowed === undefined) return;
          const title = `${level.name}: ${name} within ${allowed} (${unit})`;
          const check = async () => expect((await measure(level))[k]).toBeLessThanOrEqual(allowed);
          const reason = knownOff?.[one.name];
          if (reason) test.todo(`${title}: ${reason}`, check, TIMEOUT_MS);
          else test(title, check, TIMEOUT_MS);
        });
      }
    });
  }
}
