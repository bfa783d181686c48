/** What a run that is not complete has saved: its owners, the states of its stages, the rows so far. */
import { closeSync } from "node:fs";
import { join } from "node:path";
import * as v from "valibot";
import { DotpeError } from "../errors.ts";
import { openInput, withInput } from "../io/input.ts";
import { readJson } from "../io/json.ts";
import { MAX_ENTRY_BYTES, type Npz, openNpz } from "../io/npz.ts";
import { sha256Of, sha256OfFile } from "../io/sha256.ts";
import { readZipDirectory, readZipEntry } from "../io/zip.ts";
import { zipBytes } from "../io/zip-write.ts";
import { formatCount } from "../report/format.ts";
import { headOf, holds, holdsHead, placeOf } from "../stages/row-files.ts";
import type { Manifest } from "./manifest.ts";
import { attemptsOf, isBlank } from "./owner.ts";
import { PROGRESS, PROGRESS_FILE } from "./progress-file.ts";
import { CHECKPOINT_FOLDER } from "./rundir.ts";
import { extentOf, STATES, type StateName } from "./saved-states.ts";
import type { Checks } from "./verify-checks.ts";

const ROWS_PART = ".prob_samples.feather.rows.part";
const ROWS = "prob_samples.feather";
const UNLOCK = "if that process has ended: --resume with --unlock";

/** Files of rows that grow. */
export const isRowsPart = (name: string) => name.endsWith(ROWS_PART);

/** @returns the state of stage 5, if it can be believed */
export function checkCheckpoint(
  checks: Checks,
  rundir: string,
  files: ReadonlyMap<string, number>,
  manifest: Manifest | undefined,
): Npz | undefined {
  const folder = `${CHECKPOINT_FOLDER}/`;
  checkOwners(checks, rundir, files);
  let rows: Npz | undefined;
  for (const name of files.keys()) {
    if (!name.startsWith(folder)) continue;
    const own = name.slice(folder.length);
    const state = STATES.find((one) => own === `${one}.npz`);
    if (state !== undefined) {
      const npz = checkState(checks, name, state, manifest);
      if (state === "coherent") rows = npz;
    } else if (own === PROGRESS_FILE) {
      const isGood = checks.read(
        name,
        (path) => v.safeParse(PROGRESS, readJson(path)).success || isBlank(path),
      );
      if (isGood) checks.pass(name, "nothing depends on it");
      else checks.fail(name, "does not say how far the run is", "none: it is written again");
    } else if (/^\..*\.(part|owner)$/.test(own))
      checks.skip(name, "left by a process that was killed, or being written");
    else if (!/^owner-[1-9]\d{0,8}(\.end)?\.json$/.test(own))
      checks.warn(name, "is no file of a run", "none: it is not used");
  }
  return rows;
}

function checkOwners(checks: Checks, rundir: string, files: ReadonlyMap<string, number>): void {
  const attempts = attemptsOf(join(rundir, CHECKPOINT_FOLDER));
  const last = attempts.at(-1)?.number ?? 0;
  const nameOf = (number: number, end = "") => `${CHECKPOINT_FOLDER}/owner-${number}${end}.json`;
  for (let number = 1; number <= Math.max(1, Math.min(last, files.size + 1)); number++) {
    const attempt = attempts.find((one) => one.number === number);
    const [name, end] = [nameOf(number), nameOf(number, ".end")];
    if (attempt === undefined) checks.fail(name, "is missing");
    else if (attempt.isLost) checks.skip(name, "empty: the machine went down before the disk had it");
    else if (attempt.owner === undefined) checks.fail(name, "does not say which process it was", UNLOCK);
    else checks.pass(name, `process ${attempt.owner.pid} on ${attempt.owner.host}`);
    if (!files.has(end)) continue;
    if (attempt?.end === undefined) checks.fail(end, "does not say how the process ended", UNLOCK);
    else checks.pass(end, attempt.end.how);
  }
  for (const name of files.keys()) {
    const [, number] = /^checkpoint\/owner-([1-9]\d{0,8})\.end\.json$/.exec(name) ?? [];
    if (number !== undefined && !files.has(nameOf(Number(number))))
      checks.fail(nameOf(Number(number)), `is missing, ${name} is there`);
  }
}

/** Every byte of a state is that of an archive as runs write it, and the state is this run's. */
function checkState(checks: Checks, name: string, state: StateName, manifest?: Manifest): Npz | undefined {
  return checks.read(name, (path) => {
    const entries = withInput(path, (file) =>
      readZipDirectory(file).map((entry) => ({
        name: entry.name,
        bytes: readZipEntry(file, entry, MAX_ENTRY_BYTES),
      })),
    );
    if (sha256Of(zipBytes(entries, 0)) !== sha256OfFile(path)) throw bad(path, "damaged between its arrays");
    const npz = openNpz(path);
    const [run] = npz.get("run").toStrings();
    if (manifest !== undefined && run !== manifest.run) throw bad(path, "belongs to another run");
    const { of, done = 0, total = 0 } = extentOf(state, npz);
    if (!(done <= total)) throw bad(path, `found ${done} done of ${total}`);
    const what = {
      samples: "samples",
      best: "samples, for the best row",
      count: "counts of rows",
      rows: "chunks of rows",
    };
    checks.pass(name, `${formatCount(done)} of ${formatCount(total)} ${what[of ?? "samples"]}`);
    return npz;
  });
}

const bad = (path: string, message: string) => new DotpeError("badData", `${path}: ${message}`, "");

/** The files of rows hold what the state of stage 5 counts: as `RowFiles.takeUp` demands, without changing them. */
export function checkParts(checks: Checks, files: ReadonlyMap<string, number>, saved: Npz | undefined): void {
  const counted = saved?.has("written") ? countedRows(saved) : undefined;
  const n_banks = (counted?.bytes_f.length ?? 1) - 1;
  const names = ["", ...Array.from({ length: n_banks }, (_, k) => `banks/bank_${k}/`)].map((folder) =>
    !files.has(folder + ROWS_PART) && files.has(folder + ROWS) ? folder + ROWS : folder + ROWS_PART,
  );
  for (const name of files.keys())
    if (isRowsPart(name) && (counted === undefined || !names.includes(name)))
      checks.skip(name, "nothing of it is counted yet: it is begun again");
  if (counted === undefined) return;
  const places_f = placesByFile(counted);
  if (places_f === undefined) {
    checks.fail("checkpoint/coherent.npz", "its places of chunks do not follow one another");
    return;
  }
  names.forEach((name, f) => {
    const places = places_f[f];
    if (files.has(name))
      checks.read(name, (path) => checkPart(checks, name, path, f, counted.bytes_f[f], places));
    else checks.fail(name, `is missing, and ${places.length} chunks of it are counted`);
  });
}

function checkPart(
  checks: Checks,
  name: string,
  path: string,
  f: number,
  counted: number,
  places: readonly Place[],
): void {
  const file = openInput(path);
  try {
    if (file.size < counted)
      throw bad(path, `truncated: found ${file.size} bytes, expected ${counted} at least`);
    if (!holdsHead(file, f)) throw bad(path, "its beginning is damaged");
    const first = places.find((place) => !holds(file, place));
    if (first !== undefined)
      throw bad(path, `damaged: the chunk at byte ${first.offset} is not what was counted`);
    const n_rows = places.reduce((sum, place) => sum + place.n_rows, 0);
    checks.pass(name, `${formatCount(n_rows)} rows in ${formatCount(places.length)} chunks`);
  } finally {
    closeSync(file.fd);
  }
}

type Place = ReturnType<typeof placeOf>;
type Counted = ReturnType<typeof countedRows>;

function countedRows(saved: Npz) {
  const numbers = (name: string) => saved.get(name).toFloat64();
  return { bytes_f: numbers("bytes_f"), places: numbers("places"), written: numbers("written")[0] };
}

/** Of the merged file, then of each bank's, whose chunks follow one another; undefined if they do not. */
function placesByFile({ bytes_f, places, written }: Counted): Place[][] | undefined {
  const places_f = Array.from(bytes_f, (): Place[] => []);
  const end_f = Array.from(bytes_f, (_, f) => headOf(f).length);
  const take = (f: number, place: Place) => {
    places_f[f]?.push(place);
    const isNext = place.offset === end_f[f] && place.metadataBytes > 0 && place.bodyBytes > 0;
    end_f[f] += place.metadataBytes + place.bodyBytes;
    return isNext && end_f[f] <= bytes_f[f];
  };
  let bank = 1;
  for (let c = 0; c < written; c++) {
    const [own, merged] = [placeOf({ places }, c, "bank"), placeOf({ places }, c, "merged")];
    if (merged.n_rows > 0 && !take(0, merged)) return undefined;
    if (own.n_rows === 0) continue;
    while (bank < bytes_f.length && end_f[bank] === bytes_f[bank]) bank++;
    if (!take(bank, own)) return undefined;
  }
  return end_f.every((end, f) => end === bytes_f[f]) ? places_f : undefined;
}
