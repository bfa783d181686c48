import { expect, test } from "bun:test";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { isRunning, type ProcessIdentity, thisProcess } from "../src/machine/process-identity.ts";
import { type LogHeader, type LogRecord, openLog } from "../src/tune/log.ts";
import { headerLine, MAX_LOG_BYTES, MAX_LOG_LINES, readLines, recordLine } from "../src/tune/log-lines.ts";
import { temporaryFolder, writeTemporary } from "./io-helpers.ts";
import { HEADER, madeRecord } from "./tune-log-records.ts";

const folder = temporaryFolder();
let n_folders = 0;
function newFolder(): string {
  n_folders++;
  return join(folder, `${n_folders}/dotpe`);
}

const records = (n: number, first = 0) => Array.from({ length: n }, (_, k) => madeRecord(first + k));
const SELF = thisProcess();
/** Numbers of processes end well below this one. */
const ENDED: ProcessIdentity = { ...SELF, pid: 2 ** 31 - 2, start: "1" };
const nameOf = ({ host, pid, start }: ProcessIdentity, { signature } = HEADER) =>
  `tune_${signature}_${host}_${pid}-${start}.log`;

function bytesOf(list: readonly LogRecord[], header: LogHeader = HEADER): Uint8Array {
  return Buffer.concat([headerLine(header), ...list.map(recordLine)]);
}

/** A folder with what an interrupted tune has left. */
function leftBehind(content: Uint8Array | string, owner = ENDED): string {
  const place = newFolder();
  mkdirSync(place, { recursive: true });
  writeFileSync(join(place, nameOf(owner)), content);
  return place;
}

test("an interrupted tune's answers come back in order, and more are added", () => {
  const place = newFolder();
  const first = openLog(HEADER, place).log;
  expect(first.known).toEqual([]);
  for (const record of records(12)) expect(first.append(record)).toBeUndefined();
  first.close();
  expect(readdirSync(place)).toEqual([nameOf(SELF)]);

  const second = openLog(HEADER, place).log;
  expect(second.known).toEqual(records(12));
  for (const record of records(3, 12)) second.append(record);
  second.close();

  const third = openLog(HEADER, place).log;
  expect(third.known).toEqual(records(15));
  third.finish();
  expect(readdirSync(place)).toEqual([]);
  expect(openLog(HEADER, place).log.known).toEqual([]);
});

test("each answer is given once, to the question that it answers", () => {
  const place = leftBehind(bytesOf([madeRecord(0), madeRecord(1), madeRecord(0), madeRecord(4)]));
  const { log } = openLog(HEADER, place);
  const { point, effort } = madeRecord(0);
  expect(log.take({ point: [9, 9, 9, 9], effort })).toBeUndefined();
  expect(log.take({ point, effort: "quick" })).toBeUndefined();
  expect(log.take({ point: point.slice(1), effort })).toBeUndefined();
  expect(log.take(madeRecord(4))).toEqual(madeRecord(4));
  expect(log.take({ point, effort })).toEqual(madeRecord(0));
  expect(log.take({ point, effort })).toEqual(madeRecord(0));
  expect(log.take({ point, effort })).toBeUndefined();
  expect(log.known.length).toBe(4);
  log.finish();
});

test("lines are JSON, each with its checksum", () => {
  const lines = new TextDecoder()
    .decode(bytesOf(records(6)))
    .trimEnd()
    .split("\n");
  expect(lines.length).toBe(7);
  for (const line of lines) {
    const [checksum, content] = JSON.parse(line) as [string, unknown];
    const crc = Number.parseInt(checksum, 16);
    expect(Bun.hash.crc32(JSON.stringify(content))).toBe(crc);
  }
  expect(JSON.parse(lines[0])[1]).toEqual({ format: 1, ...HEADER });
});

test("cut at any byte: whole lines remain, and what is added follows them", () => {
  const whole = bytesOf(records(2));
  const ends = [0, 1, 2].map((n) => bytesOf(records(n)).length);
  for (let n = 0; n <= whole.length; n++) {
    const expected = ends.findLastIndex((end) => end <= n);
    const place = leftBehind(whole.subarray(0, n));
    const { log } = openLog(HEADER, place);
    expect([n, log.known]).toEqual([n, expected === -1 ? [] : records(expected)]);
    log.append(madeRecord(7));
    log.close();
    const again = openLog(HEADER, place).log;
    expect([n, again.known]).toEqual([n, [...log.known, madeRecord(7)]]);
    again.finish();
  }
});

test("altered at any byte: the line and those after it are left out", () => {
  const whole = bytesOf(records(5));
  const ends = [0, 1, 2, 3, 4, 5].map((n) => bytesOf(records(n)).length);
  for (let at = 0; at < whole.length; at++) {
    const bytes = Uint8Array.from(whole);
    bytes[at] ^= 1 << (at % 8);
    const found = readLines(bytes, HEADER);
    const expected = ends.findLastIndex((end) => end <= at);
    expect([at, found?.records]).toEqual([at, expected === -1 ? undefined : records(expected)]);
  }
});

test("lines with a good checksum that answer nothing in this space are left out", () => {
  const line = (value: unknown) => {
    const json = JSON.stringify(value);
    return Buffer.from(`["${Bun.hash.crc32(json).toString(16).padStart(8, "0")}",${json}]\n`);
  };
  const { point, effort, seconds, measured } = madeRecord(0);
  const good = { point, effort, seconds, ...measured };
  const read = (value: unknown) =>
    readLines(Buffer.concat([bytesOf([]), line(value)]), HEADER)?.records.length;
  expect(read(good)).toBe(1);
  const bad: unknown[] = [null, [], 3, {}, "x", { ...good, point: [] }, { ...good, point: [...point, 0] }];
  for (const k of [-1, 4, 0.5, "0", null]) bad.push({ ...good, point: [k, ...point.slice(1)] });
  bad.push(
    { ...good, effort: "some" },
    { ...good, rate: 0 },
    { ...good, rate: undefined },
    { ...good, n: 0.5 },
  );
  bad.push({ ...good, error: -1 }, { ...good, failed: "no" }, { ...good, seconds: "1" });
  expect(bad.map(read)).toEqual(bad.map(() => 0));
  const deep = `["${"[".repeat(1000)}${"]".repeat(1000)}"]`;
  expect(readLines(Buffer.concat([bytesOf([]), Buffer.from(deep)]), HEADER)?.records).toEqual([]);
});

test("a log of another header is replaced", () => {
  const other: Partial<LogHeader>[] = [
    { version: "0.1.1" },
    { search: "grid" },
    { seed: 8 },
    { space: HEADER.space.slice(1) },
    { space: HEADER.space.map(({ knob, values }) => ({ knob, values: values.toReversed() })) },
  ];
  for (const change of other) {
    const place = leftBehind(bytesOf(records(3), { ...HEADER, ...change }));
    const { log } = openLog(HEADER, place);
    expect(log.known).toEqual([]);
    log.append(madeRecord(9));
    log.close();
    expect(readdirSync(place)).toEqual([nameOf(SELF)]);
    expect(Buffer.compare(readFileSync(join(place, nameOf(SELF))), bytesOf([madeRecord(9)]))).toBe(0);
    openLog(HEADER, place).log.finish();
  }
});

test("other hosts' logs, other signatures' and other files are left alone", () => {
  const place = leftBehind(bytesOf(records(3)), { ...ENDED, host: "node-of-another-name" });
  const mine = `tune_${HEADER.signature}_${SELF.host}_`;
  const names = [`tune_fedcba9876543210_${SELF.host}_1-1.log`, `${mine}1-x.log`, `${mine}1-1.log.txt`, "x"];
  for (const name of names) writeFileSync(join(place, name), "");
  const before = readdirSync(place);
  const { log } = openLog(HEADER, place);
  expect(log.known).toEqual([]);
  log.finish();
  expect(readdirSync(place)).toEqual(before);
});

test("a log that this process has open is not taken over", () => {
  const place = newFolder();
  const { log } = openLog(HEADER, place, ENDED);
  log.append(madeRecord(0));
  const beside = openLog(HEADER, place).log;
  expect(beside.known).toEqual([]);
  expect(readdirSync(place).length).toBe(2);
  log.close();
  beside.close();
  const { known } = openLog(HEADER, place).log;
  expect(known).toEqual(records(1));
});

test("of several logs the longest is gone on with, the others go, and so do old ones", () => {
  const place = leftBehind(bytesOf(records(2)));
  const named = (start: string) => join(place, nameOf({ ...ENDED, start }));
  writeFileSync(named("2"), bytesOf(records(6)));
  writeFileSync(named("3"), bytesOf(records(4)));
  writeFileSync(named("4"), bytesOf(records(9)));
  utimesSync(named("4"), 1e9, 1e9);
  // This process's own, of a tune that was closed before.
  writeFileSync(join(place, nameOf(SELF)), bytesOf(records(1)));
  const { log } = openLog(HEADER, place);
  expect(log.known).toEqual(records(6));
  expect(readdirSync(place)).toEqual([nameOf(SELF)]);
  log.finish();
  expect(readdirSync(place)).toEqual([]);
});

test("its size is bounded, when it is read and when it is written", () => {
  const large = leftBehind(Buffer.concat([bytesOf([]), Buffer.alloc(MAX_LOG_BYTES)]));
  const { log } = openLog(HEADER, large);
  expect(log.known).toEqual([]);
  log.finish();
  const failure = { point: [0, 0, 0, 0], effort: "full" as const, seconds: 0, failed: "" };
  const place = leftBehind(bytesOf(Array(MAX_LOG_LINES - 1).fill(failure)));
  const full = openLog(HEADER, place).log;
  expect(full.append(failure)).toBeUndefined();
  expect(full.append(failure)).toContain("it is full");
  expect(full.append(failure)).toBeUndefined();
  full.close();
  const size = statSync(join(place, nameOf(SELF))).size;
  expect(size).toBe(bytesOf(Array(MAX_LOG_LINES).fill(failure)).length);
  const again = openLog(HEADER, place).log;
  expect(again.known.length).toBe(MAX_LOG_LINES);
  again.finish();
  // A reason of any length takes a short line.
  expect(recordLine({ ...failure, failed: "🌍".repeat(1e5) }).length).toBeLessThan(1000);
});

test("a log that cannot be written is one warning, and the tune goes on", () => {
  const file = writeTemporary(folder, "in-the-way", "");
  for (const place of [file, join(file, "x"), "/proc/dotpe"]) {
    const { log, warning } = openLog(HEADER, place);
    expect(warning).toContain(place);
    expect(log.append(madeRecord(0))).toBeUndefined();
    expect(log.take(madeRecord(0))).toBeUndefined();
    log.finish();
  }
  expect(existsSync(file)).toBe(true);
  const place = newFolder();
  mkdirSync(join(place, nameOf(SELF), "x"), { recursive: true });
  expect(openLog(HEADER, place).warning).toContain(place);
});

test.skipIf(!existsSync("/dev/full"))("a full disk stops the log with one warning", () => {
  const place = newFolder();
  const { log } = openLog(HEADER, place);
  // The descriptor is what a full disk would refuse.
  Reflect.set(log, "fd", require("node:fs").openSync("/dev/full", "a"));
  expect(log.append(madeRecord(0))).toContain("ENOSPC");
  expect(log.append(madeRecord(1))).toBeUndefined();
  log.finish();
  expect(readdirSync(place)).toEqual([]);
});

test("what is no measurement is a defect of the caller", () => {
  const { log } = openLog(HEADER, newFolder());
  const { measured, ...rest } = madeRecord(0);
  expect(() => log.append({ ...rest, measured: { rate: Number.NaN, error: 0, n: 1 } })).toThrow(RangeError);
  expect(() => log.append({ ...rest, measured, seconds: Infinity })).toThrow(RangeError);
  log.finish();
  expect(() => openLog({ ...HEADER, signature: "../../x" }, newFolder())).toThrow(RangeError);
});

test("a process that runs, one that ended, and another with its number are told apart", async () => {
  expect(isRunning(SELF)).toBe(true);
  expect(isRunning({ ...SELF, start: "1" })).toBe(false);
  expect(isRunning({ ...SELF, start: "0" })).toBe(true);
  expect(isRunning(ENDED)).toBe(false);
  expect(isRunning({ ...ENDED, start: "0" })).toBe(false);
  expect(SELF.host).toMatch(/^[A-Za-z0-9.-]{1,64}$/);
});

function spawnWriter(place: string, n: number, then: "wait" | "finish" | "leave") {
  const file = join(import.meta.dir, "log-writer.ts");
  return Bun.spawn([process.execPath, file, place, `${n}`, then], { stdout: "pipe", stderr: "inherit" });
}

/** The first line that it prints: how many answers it found. */
async function found(writer: ReturnType<typeof spawnWriter>): Promise<number> {
  for await (const chunk of writer.stdout) return Number(new TextDecoder().decode(chunk));
  throw new Error("the writer printed nothing");
}

test("a killed process's log is gone on with; while it runs, another has a log of its own", async () => {
  const place = newFolder();
  const first = spawnWriter(place, 10, "wait");
  expect(await found(first)).toBe(0);
  const beside = spawnWriter(place, 5, "finish");
  expect(await found(beside)).toBe(0);
  expect(await beside.exited).toBe(0);
  expect(readdirSync(place).length).toBe(1);
  first.kill("SIGKILL");
  await first.exited;
  const { log } = openLog(HEADER, place);
  expect(log.known).toEqual(records(10));
  expect(readdirSync(place)).toEqual([nameOf(SELF)]);
  log.finish();
}, 60_000);

test("of many that start at once, one goes on with the log", async () => {
  const place = leftBehind(bytesOf(records(20)));
  const writers = Array.from({ length: 6 }, () => spawnWriter(place, 30, "wait"));
  const counts = await Promise.all(writers.map(found));
  expect(counts.sort((a, b) => a - b)).toEqual([0, 0, 0, 0, 0, 20]);
  for (const name of readdirSync(place)) {
    const content = readLines(readFileSync(join(place, name)), HEADER);
    expect([30, 50]).toContain(content?.records.length as number);
  }
  for (const writer of writers) writer.kill("SIGKILL");
  await Promise.all(writers.map((writer) => writer.exited));
  const { log } = openLog(HEADER, place);
  expect(log.known).toEqual(records(50));
  expect(readdirSync(place)).toEqual([nameOf(SELF)]);
  log.finish();
}, 60_000);

test("two that write one file, as hosts of one name could, spoil no line", () => {
  const place = newFolder();
  const one = openLog(HEADER, place, ENDED).log;
  one.append(madeRecord(0));
  one.close();
  const a = openLog(HEADER, place, ENDED).log;
  const path = join(place, nameOf(ENDED));
  const fd = require("node:fs").openSync(path, "a");
  for (let k = 1; k < 20; k += 2) {
    a.append(madeRecord(k));
    require("node:fs").writeSync(fd, recordLine(madeRecord(k + 1)));
  }
  a.close();
  expect(readLines(readFileSync(path), HEADER)?.records).toEqual(records(21));
});
