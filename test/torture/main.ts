/**
 * Kills the program at its every write, lets its every write fail, and compares bytes: `make torture`, or
 *   bun test/torture/main.ts [--binary FILE] [--scenario NAME,...] [--only kill,moment,fault,signal] [--points N|all] [--seed S]
 *                            [--scratch FOLDER] [--point SCENARIO POINT]
 * --points: of each kind, in each scenario (40). --point repeats one; its folder stays if it fails.
 */
import { mkdirSync, mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { BINARY } from "../helpers.ts";
import { compileInjector } from "./inject.ts";
import {
  type Arena,
  commandsOf,
  inTurns,
  type Outcome,
  ordeal,
  type Undisturbed,
  undisturbed,
} from "./ordeal.ts";
import { faultPoints, killPoints, momentPoints, randomOf, signalPoints } from "./point.ts";
import { allScenarios, copyInputs, type Scenario } from "./scenarios.ts";
import { formatTable, listFindings } from "./table.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    binary: { type: "string", default: BINARY },
    scenario: { type: "string" },
    only: { type: "string", default: "kill,moment,fault,signal" },
    points: { type: "string", default: "40" },
    seed: { type: "string", default: "0" },
    scratch: { type: "string" },
    point: { type: "boolean", default: false },
  },
});

if (values.scratch !== undefined) mkdirSync(values.scratch, { recursive: true });
const scratch = realpathSync(values.scratch ?? mkdtempSync(join(tmpdir(), "dotpe-torture-")));
const compiled = compileInjector(join(scratch, "injector"));
const injector = "path" in compiled ? compiled.path : undefined;
if ("reason" in compiled) console.log(`skipped, since ${compiled.reason}: kills and faults at system calls`);
const seed = Number(values.seed);
const binary = realpathSync(values.binary);
const arena: Arena = {
  binary,
  scratch,
  injector,
  seed,
  commands: commandsOf(binary),
  killsMore: 3,
  limit: 120,
};

const untried = ["status", "verify"].filter((name) => !arena.commands.includes(name));
if (untried.length > 0) console.log(`skipped, since the program has no such command: ${untried.join(", ")}`);

const known = allScenarios(copyInputs(join(scratch, "inputs")));
const wanted = values.point
  ? [positionals[0]]
  : (values.scenario?.split(",") ?? known.map(({ name }) => name));
const unknown = wanted.filter((name) => known.every((scenario) => scenario.name !== name));
if (unknown.length > 0)
  throw new Error(`no scenario ${unknown.join(", ")}: ${known.map(({ name }) => name).join(", ")}`);

const outcomes: Outcome[] = [];
for (const scenario of known.filter(({ name }) => wanted.includes(name))) {
  const reference = await undisturbed(arena, scenario);
  const points = values.point ? [positionals[1]] : pointsOf(scenario, reference);
  console.log(
    `${scenario.name}: ${reference.seconds.toFixed(2)} s, ${reference.calls.length} calls, ${points.length} points`,
  );
  await inTurns(points, async (text) => {
    const outcome = await ordeal(arena, scenario, reference, text);
    outcomes.push(outcome);
    for (const line of listFindings(outcome, values.binary, seed)) console.log(line);
  });
}
console.log(formatTable(outcomes));
const failed = outcomes.filter(({ findings }) => findings.length > 0).length;
console.log(`${outcomes.length} points, ${failed} with findings`);
if (failed === 0) rmSync(scratch, { recursive: true });
else console.log(`folders of the failed ones: ${scratch}`);
process.exitCode = failed === 0 && outcomes.length > 0 ? 0 : 1;

function pointsOf(scenario: Scenario, { calls }: Undisturbed): string[] {
  const n = values.points === "all" ? Infinity : Number(values.points);
  const some = Number.isFinite(n) ? n : 200;
  const random = randomOf(`${seed} ${scenario.name}`);
  const kinds: Record<string, () => string[]> = {
    kill: () => (injector === undefined ? [] : killPoints(calls, n, random)),
    moment: () => momentPoints(Math.ceil(some / 3), random),
    fault: () => (injector === undefined ? [] : faultPoints(calls, n, random)),
    signal: () => signalPoints(Math.ceil(some / 2), random),
  };
  return values.only.split(",").flatMap((kind) => kinds[kind]());
}
