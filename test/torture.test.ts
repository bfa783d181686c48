/** A few of the points of `make torture`: test/torture/main.ts runs hundreds. */
import { expect, test } from "bun:test";
import { existsSync, mkdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { BINARY } from "./helpers.ts";
import { temporaryFolder } from "./io-helpers.ts";
import { cutPower } from "./torture/folder.ts";
import { compileInjector, start } from "./torture/inject.ts";
import {
  type Arena,
  commandsOf,
  inTurns,
  type Outcome,
  ordeal,
  type Undisturbed,
  undisturbed,
} from "./torture/ordeal.ts";
import { faultPoints, killPoints, momentPoints, randomOf, signalPoints } from "./torture/point.ts";
import { allScenarios, copyInputs } from "./torture/scenarios.ts";

const scratch = temporaryFolder();
const compiled = compileInjector(join(scratch, "injector"));
const injector = "path" in compiled ? compiled.path : undefined;
const missing = "reason" in compiled ? ` (skipped: ${compiled.reason})` : "";
const arena: Arena = {
  ...{ binary: BINARY, scratch, injector, seed: 1, commands: commandsOf(BINARY), killsMore: 1, limit: 120 },
};
const scenarios = allScenarios(copyInputs(join(scratch, "inputs")));
const references = new Map<string, Promise<Undisturbed>>();

/** What is wrong, by point. */
async function outcomesOf(name: string, pointsOf: (reference: Undisturbed) => string[]): Promise<Outcome[]> {
  const scenario = scenarios.find((one) => one.name === name)!;
  const known = references.get(name) ?? undisturbed(arena, scenario);
  references.set(name, known);
  const reference = await known;
  const outcomes: Outcome[] = [];
  const one = async (point: string) => void outcomes.push(await ordeal(arena, scenario, reference, point));
  await inTurns(pointsOf(reference), one, 2);
  return outcomes;
}

const findingsOf = (outcomes: readonly Outcome[]) =>
  outcomes.flatMap(({ point, findings }) => findings.map((finding) => `${point.text}: ${finding}`));

const metOf = (outcomes: readonly Outcome[]) => outcomes.filter(({ met }) => met).length;

test.skipIf(injector === undefined)(`the injector does what it is told${missing}`, async () => {
  const folder = join(scratch, "told");
  const write = async (...specs: string[]) => {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder);
    const command = ["dd", "if=/dev/zero", `of=${join(folder, "a")}`, "bs=100", "count=3", "conv=fsync"];
    const ended = await start({ command, env: {}, folder, injector, specs, limit: 60 });
    const path = join(folder, "a");
    return { ...ended, size: existsSync(path) ? statSync(path).size : -1 };
  };
  const whole = await write();
  expect([whole.code, whole.size]).toEqual([0, 300]);
  const number = (name: string) => whole.calls.find((call) => call.name === name)!.number;
  const last = whole.calls.filter(({ name }) => name === "write")[2];
  expect([last.offset, last.length, last.result]).toEqual([200, 100, 100]);
  const outcome = async (spec: string) => {
    const { code, size } = await write(spec);
    return [code, size];
  };
  expect(await outcome(`before@${number("open")}`)).toEqual([137, -1]);
  expect(await outcome(`after@${number("open")}`)).toEqual([137, 0]);
  expect(await outcome(`after@${last.number}`)).toEqual([137, 300]);
  expect(await outcome(`error=28@${last.number}`)).toEqual([1, 200]);
  expect(await outcome("error=5@1:fsync")).toEqual([1, 300]);
  // dd writes the rest in a call of its own.
  const cut = await write(`short=30@${last.number - 1}`);
  const written = cut.calls.filter(({ name }) => name === "write").map(({ result }) => result);
  expect([cut.code, cut.size, written]).toEqual([0, 300, [100, 30, 70, 100]]);
  const { calls, code } = await write(`before@${number("fsync")}`);
  expect(code).toBe(137);
  cutPower(folder, calls, () => 0);
  expect(statSync(join(folder, "a")).size).toBe(0);
});

for (const [name, nKills, nFaults] of [
  ["bank", 4, 2],
  ["run", 6, 4],
] as const) {
  const needsInjector = test.skipIf(injector === undefined);
  needsInjector(`${name}: killed at its writes, it goes on to the same bytes${missing}`, async () => {
    const found = await outcomesOf(name, ({ calls }) => killPoints(calls, nKills, randomOf("kills")));
    expect(findingsOf(found)).toEqual([]);
    expect(metOf(found)).toBeGreaterThan(nKills / 2);
  });
  needsInjector(`${name}: a call that fails ends it with an error, or does no harm${missing}`, async () => {
    const found = await outcomesOf(name, ({ calls }) => faultPoints(calls, nFaults, randomOf("faults")));
    expect(findingsOf(found)).toEqual([]);
    expect(metOf(found)).toBeGreaterThanOrEqual(nFaults / 2);
  });
  test(`${name}: after SIGKILL or another signal at any moment, it goes on to the same bytes`, async () => {
    const random = randomOf("moments");
    const found = await outcomesOf(name, () => [...momentPoints(1, random), ...signalPoints(1, random)]);
    expect(findingsOf(found)).toEqual([]);
  });
}
