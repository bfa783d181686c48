/** What a run that is not complete has saved: its owners, the states of its stages, the rows so far. */
import { join } from "node:path";
import * as v from "valibot";
import { partPath } from "../io/atomic-write.ts";
import { withInput } from "../io/input.ts";
import { readJson } from "../io/json.ts";
import { MAX_ENTRY_BYTES, openNpz } from "../io/npz.ts";
import { sha256Of, sha256OfPart } from "../io/sha256.ts";
import { readZipDirectory, readZipEntry } from "../io/zip.ts";
import { zipBytes } from "../io/zip-write.ts";
import { formatCount } from "../report/format.ts";
import { type ChunkPlace, headOf, holds, holdsHead, placeOf, ROWS_TAG } from "../stages/row-files.ts";
import { type Checks, damaged } from "./file-checks.ts";
import type { Manifest } from "./manifest.ts";
import { attemptsOf, isBlank } from "./owner.ts";
import { PROGRESS, PROGRESS_FILE } from "./progress-file.ts";
import { CHECKPOINT_FOLDER } from "./rundir.ts";
import { extentOf, STATES } from "./saved-states.ts";

const ROWS = "prob_samples.feather";
const ROWS_PART = partPath(ROWS, ROWS_TAG);
const fileOf = (state: string) => `${CHECKPOINT_FOLDER}/${state}.npz`;
const STATE_FILES = STATES.map(fileOf);
const ROW_STATE = fileOf("coherent");
const PROGRESS_PATH = `${CHECKPOINT_FOLDER}/${PROGRESS_FILE}`;
const UNLOCK = "if that process has ended: --resume with --unlock";

type Files = ReadonlyMap<string, number>;

/** Whether one of these functions looks at it. */
export function isOfCheckpoint(name: string): boolean {
  const isKnown = STATE_FILES.includes(name) || name === PROGRESS_PATH || name.endsWith(ROWS_PART);
  return isKnown || /^checkpoint\/owner-[1-9]\d{0,8}(\.end)?\.json$/.test(name);
}

export function checkCheckpoint(checks: Checks, rundir: string, files: Files, manifest?: Manifest): void {
  checkOwners(checks, rundir, files);
  if (files.has(PROGRESS_PATH))
    checks.read(PROGRESS_PATH, (path) => {
      if (!isBlank(path) && !v.is(PROGRESS, readJson(path)))
        throw damaged(path, "does not say how far the run is");
      checks.say(PROGRESS_PATH, "pass", "nothing depends on it");
    });
  for (const state of STATES) if (files.has(fileOf(state))) checkState(checks, state, manifest);
  if (files.has(ROW_STATE) && !checks.hasFailed(ROW_STATE)) checkRows(checks, files);
  for (const name of files.keys())
    if (name.endsWith(ROWS_PART) && !checks.has(name))
      checks.say(name, "skip", "nothing of it is counted: it is begun again");
}

function checkOwners(checks: Checks, rundir: string, files: Files): void {
  const attempts = new Map(attemptsOf(join(rundir, CHECKPOINT_FOLDER)).map((one) => [one.number, one]));
  const ends = [...files.keys()].map((name) =>
    Number(/^checkpoint\/owner-(\d{1,9})\.end\.json$/.exec(name)?.[1] ?? 1),
  );
  const last = Math.max(...attempts.keys(), ...ends);
  for (let number = 1; number <= Math.min(last, files.size + 1); number++) {
    const [name, end] = ["", ".end"].map((what) => `${CHECKPOINT_FOLDER}/owner-${number}${what}.json`);
    const attempt = attempts.get(number);
    if (attempt === undefined) checks.fail(name, "is missing");
    else if (attempt.isLost) checks.say(name, "skip", "empty: the machine went down before the disk had it");
    else if (attempt.owner === undefined) checks.fail(name, "does not say which process it was", UNLOCK);
    else checks.say(name, "pass", `process ${attempt.owner.pid} on ${attempt.owner.host}`);
    if (!files.has(end)) continue;
    if (attempt?.end === undefined) checks.fail(end, "does not say how the process ended", UNLOCK);
    else checks.say(end, "pass", attempt.end.how);
  }
}

/** Every byte of a state is that of an archive as runs write it, and the state is this run's. */
function checkState(checks: Checks, state: (typeof STATES)[number], manifest?: Manifest): void {
  const name = fileOf(state);
  checks.read(name, (path) => {
    const isAsWritten = withInput(path, (file) => {
      const entries = readZipDirectory(file).map((entry) => ({
        name: entry.name,
        bytes: readZipEntry(file, entry, MAX_ENTRY_BYTES),
      }));
      return sha256Of(zipBytes(entries, 0)) === sha256OfPart(file, file.size);
    });
    if (!isAsWritten) throw damaged(path, "damaged between its arrays");
    const npz = openNpz(path);
    if (manifest !== undefined && npz.get("run").toStrings()[0] !== manifest.run)
      throw damaged(path, "belongs to another run");
    const { unit, done, total } = extentOf(state, npz);
    if (!(done <= total)) throw damaged(path, `found ${done} of ${total} ${unit} done`);
    checks.say(name, "pass", `${formatCount(done)} of ${formatCount(total)} ${unit}`);
  });
}

/** The files of rows hold what the state of stage 5 counts: what `RowFiles.takeUp` demands, without changing them. */
function checkRows(checks: Checks, files: Files): void {
  const saved = checks.read(ROW_STATE, (path) => {
    const npz = openNpz(path);
    const names = npz.has("written") ? ["bytes_f", "places", "written"] : [];
    return names.map((name) => npz.get(name).toFloat64());
  });
  if (saved === undefined || saved.length === 0) return;
  const [bytes_f, places, [written]] = saved;
  const places_f = placesByFile(bytes_f, places, written);
  if (places_f === undefined) checks.fail(ROW_STATE, "its chunks of rows do not follow one another");
  places_f?.forEach((places, f) => {
    const folder = f === 0 ? "" : `banks/bank_${f - 1}/`;
    const hasName = !files.has(folder + ROWS_PART) && files.has(folder + ROWS);
    const name = folder + (hasName ? ROWS : ROWS_PART);
    checks.read(name, (path) =>
      withInput(path, (file) => {
        if (file.size < bytes_f[f])
          throw damaged(path, `truncated: found ${file.size} bytes, expected ${bytes_f[f]} at least`);
        if (!holdsHead(file, f)) throw damaged(path, "its beginning is damaged");
        const bad = places.find((place) => !holds(file, place));
        if (bad !== undefined)
          throw damaged(path, `the chunk at byte ${bad.offset} is not the one that was counted`);
        const n_rows = places.reduce((sum, place) => sum + place.n_rows, 0);
        checks.say(name, "pass", `${formatCount(n_rows)} rows, chunks: ${formatCount(places.length)}`);
      }),
    );
  });
}

/** Of the merged file, then of each bank's: places that follow one another from the head on; undefined if they do not. */
function placesByFile(
  bytes_f: Float64Array,
  places: Float64Array,
  written: number,
): ChunkPlace[][] | undefined {
  const places_f = Array.from(bytes_f, (): ChunkPlace[] => []);
  const end_f = Array.from(bytes_f, (_, f) => headOf(f).length);
  let [bank, isWhole] = [1, true];
  const take = (f: number, place: ChunkPlace) => {
    const { offset, metadataBytes, bodyBytes } = place;
    places_f[f]?.push(place);
    isWhole &&= offset === end_f[f] && metadataBytes > 0 && bodyBytes > 0;
    end_f[f] += metadataBytes + bodyBytes;
    isWhole &&= end_f[f] <= bytes_f[f];
  };
  for (let c = 0; c < written && isWhole; c++) {
    const [own, merged] = [placeOf({ places }, c, "bank"), placeOf({ places }, c, "merged")];
    if (merged.n_rows !== 0) take(0, merged);
    if (own.n_rows === 0) continue;
    // Chunks come bank by bank.
    while (bank < bytes_f.length && end_f[bank] === bytes_f[bank]) bank++;
    take(bank, own);
  }
  return isWhole && end_f.every((end, f) => end === bytes_f[f]) ? places_f : undefined;
}
