/** Whose a run directory is: races, processes that ended in every way, hosts that cannot be asked. */
import { describe, expect, test } from "bun:test";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  attemptsOf,
  checkIsOurs,
  claim,
  hasEnded,
  holderOf,
  type Owner,
  release,
  thisOwner,
} from "../src/rundir/owner.ts";
import { expectRefusal, temporaryFolder, writeTemporary } from "./io-helpers.ts";

const folder = temporaryFolder();
let count = 0;
const fresh = () => {
  const path = join(folder, `checkpoint-${count++}`);
  mkdirSync(path);
  return path;
};
const me = thisOwner(1);
/** A number that no process has: beyond the largest that Linux gives. */
const NOBODY = 2 ** 22 + 1;
const dead: Owner = { ...me, pid: NOBODY, start: "17" };
const leave = (at: string, number: number, owner: Owner) =>
  writeFileSync(join(at, `owner-${number}.json`), JSON.stringify(owner));

describe("who has ended", () => {
  const cases: [string, Partial<Owner>, boolean][] = [
    ["this process", {}, false],
    ["a number that nobody has", { pid: NOBODY }, true],
    ["this number, of a process that began at another time", { start: "1" }, true],
    ["another host", { host: "elsewhere", pid: NOBODY }, false],
    ["a host of the same name", { machineId: "other", pid: NOBODY, boot: "other" }, false],
    ["this host before it was started again", { boot: "before" }, true],
    ["another container of this host", { pidNamespace: "pid:[1]", pid: NOBODY }, false],
    ["a clock that is years ahead", { began: "2099-01-01T00:00:00Z" }, false],
    ["a clock that is years behind, and dead", { began: "1970-01-01T00:00:00Z", pid: NOBODY }, true],
  ];
  test.each(cases)("%s", (_, change, ended) => {
    expect(hasEnded({ ...me, ...change }, { ...me, machineId: me.machineId })).toBe(ended);
  });

  test("a host without an id, started again: nobody knows", () => {
    const unknown = { ...me, machineId: "" };
    expect(hasEnded({ ...unknown, boot: "before" }, unknown)).toBe(false);
  });

  test("Slurm has started its job again, elsewhere; another job, and the same start, tell nothing", () => {
    const there = { ...me, host: "elsewhere", slurmJob: "7", slurmRestarts: 1 };
    const here = { ...me, slurmJob: "7", slurmRestarts: 2 };
    expect(hasEnded(there, here)).toBe(true);
    expect(hasEnded(there, { ...here, slurmRestarts: 1 })).toBe(false);
    expect(hasEnded(there, { ...here, slurmJob: "8" })).toBe(false);
  });
});

describe("claim", () => {
  test("a folder has one owner; the other is told whose it is", () => {
    const at = fresh();
    expect(claim(at, 2)).toEqual({ number: 1, before: [] });
    expectRefusal(() => claim(at, 2), "cannotCreate", `process ${process.pid} on ${me.host}`, "which runs");
    expectRefusal(() => claim(at, 2), "cannotCreate", "held by");
    expect(readdirSync(at)).toEqual(["owner-1.json"]);
  });

  test("one that has said how it ended, and one that is dead, are followed", () => {
    const at = fresh();
    claim(at, 2);
    release(at, 1, "stopped by SIGTERM");
    leave(at, 2, dead);
    const { number, before } = claim(at, 2);
    expect(number).toBe(3);
    expect(before.map(({ end }) => end?.how)).toEqual(["stopped by SIGTERM", undefined]);
    expect(holderOf(attemptsOf(at))?.number).toBe(3);
  });

  test("one on another host has to be unlocked; the one before then writes nothing more", () => {
    const at = fresh();
    claim(at, 2);
    checkIsOurs(at, 1);
    leave(at, 2, { ...me, host: "elsewhere" });
    expectRefusal(() => checkIsOurs(at, 1), "tryAgain", "on elsewhere", "has taken this run over");
    const refused = () => claim(at, 2);
    expectRefusal(refused, "cannotCreate", "on elsewhere");
    expect(refused).toThrow(expect.objectContaining({ hint: expect.stringContaining("--unlock") }));
    expect(claim(at, 2, true).number).toBe(3);
  });

  test("files that are no owners': empty after a crash, damaged, of other names", () => {
    const at = fresh();
    writeFileSync(join(at, "owner-1.json"), "");
    writeFileSync(join(at, "owner-x.json"), "{}");
    writeFileSync(join(at, "owner-01.json"), "{}");
    expect(claim(at, 1).number).toBe(2);
    writeFileSync(join(at, "owner-3.json"), new Uint8Array(500));
    expect(claim(at, 1).number).toBe(4);
    writeFileSync(join(at, "owner-5.json"), '{"host": 1}');
    expectRefusal(() => claim(at, 1), "cannotCreate", "cannot be read");
    expect(claim(at, 1, true).number).toBe(6);
  });

  test("of many processes that find a dead owner at the same time, one follows it", async () => {
    const at = fresh();
    leave(at, 1, dead);
    const script = `import { claim } from ${JSON.stringify(join(import.meta.dir, "../src/rundir/owner.ts"))};
      await Bun.sleep(Number(process.argv[2]) - Date.now());
      try { console.log(claim(${JSON.stringify(at)}, 1).number); } catch (error) { console.log(error.exit); }
      await Bun.sleep(3000);`;
    const path = writeTemporary(folder, "claim.ts", script);
    const together = String(Date.now() + 1000);
    const children = Array.from({ length: 6 }, () =>
      Bun.spawn([process.execPath, path, together], { stdout: "pipe", stderr: "inherit" }),
    );
    const said = await Promise.all(children.map((child) => new Response(child.stdout).text()));
    expect(said.map((text) => text.trim()).sort()).toEqual(["2", ...new Array(5).fill("cannotCreate")]);
  });
});
