/** A few of the points of `make torture`: test/torture/main.ts runs hundreds. */
import { expect, test } from "bun:test";
import { join } from "node:path";
import { BINARY } from "./helpers.ts";
import { temporaryFolder } from "./io-helpers.ts";
import { compileInjector } from "./torture/inject.ts";
import { type Arena, commandsOf, ordeal, type Undisturbed, undisturbed } from "./torture/ordeal.ts";
import { faultPoints, killPoints, momentPoints, randomOf, signalPoints } from "./torture/point.ts";
import { allScenarios, copyInputs } from "./torture/scenarios.ts";

const scratch = temporaryFolder();
const compiled = compileInjector(join(scratch, "injector"));
const injector = "path" in compiled ? compiled.path : undefined;
const missing = "reason" in compiled ? ` (skipped: ${compiled.reason})` : "";
const arena: Arena = { binary: BINARY, scratch, injector, seed: 1, commands: commandsOf(BINARY), limit: 120 };

const scenarios = allScenarios(copyInputs(join(scratch, "inputs")));

/** Of the points, one after the other: what is wrong, by point. The points must be met. */
async function findingsOf(name: string, pointsOf: (reference: Undisturbed) => string[]) {
  const scenario = scenarios.find((one) => one.name === name)!;
  const reference = await undisturbed(arena, scenario);
  const outcomes = [];
  for (const point of pointsOf(reference)) outcomes.push(await ordeal(arena, scenario, reference, point));
  expect(outcomes.filter(({ met }) => met).length).toBeGreaterThan(outcomes.length / 2);
  return outcomes.flatMap(({ point, findings }) => findings.map((finding) => `${point.text}: ${finding}`));
}

for (const name of ["bank", "run-threads"]) {
  test.skipIf(injector === undefined)(
    `${name}: killed at its writes, it goes on to the same bytes${missing}`,
    async () => {
      expect(await findingsOf(name, ({ calls }) => killPoints(calls, 6, randomOf("kills")))).toEqual([]);
    },
  );
  test.skipIf(injector === undefined)(
    `${name}: calls that fail end it with an error, or do no harm${missing}`,
    async () => {
      expect(await findingsOf(name, ({ calls }) => faultPoints(calls, 4, randomOf("faults")))).toEqual([]);
    },
  );
  test(`${name}: killed at some moment, it goes on to the same bytes; signals`, async () => {
    const random = randomOf("moments");
    expect(await findingsOf(name, () => [...momentPoints(2, random), ...signalPoints(2, random)])).toEqual(
      [],
    );
  });
}
