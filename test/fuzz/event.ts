/** Fuzzing event files: numbers, shapes and names of a small event's entries, and the archive itself. */
import { readEvent } from "../../src/gw/event.ts";
import { decodeNpy, encodeNpy } from "../../src/io/npy.ts";
import { encodeNpz, type NpzEntry } from "../../src/io/npz.ts";
import { bytesOf, textOf } from "./bytes.ts";
import type { Format } from "./format.ts";
import { mutateJson } from "./json.ts";
import { type Bytes, mutateBytes, mutateDoubles, mutateText } from "./mutate.ts";
import { mutateNpy } from "./npy.ts";
import { mutateParts } from "./npz.ts";
import type { Random } from "./random.ts";
import { NPY_TOKENS, ZIP_TOKENS } from "./tokens.ts";
import { partsOf, type ZipPart } from "./zip-parts.ts";

const F_MIN = 20;

/** Entries of an event of 1 s with a filter from 20 Hz on: smooth noise. */
export function eventEntries(detectors: readonly string[], n_f: number): NpzEntry[] {
  const n_d = detectors.length;
  const f = Float64Array.from({ length: n_f }, (_, k) => k);
  const wave = (scale: number) =>
    Float64Array.from({ length: 2 * n_d * n_f }, (_, k) => scale * Math.sin(k * k));
  const filter = Float64Array.from({ length: n_d * n_f }, (_, k) =>
    k % n_f < F_MIN ? 0 : 1e22 * (1 + (k % 7)),
  );
  return [
    { name: "eventname", shape: [], dtype: "U", data: ["made-up"] },
    { name: "detector_names", shape: [], dtype: "U", data: [detectors.join("")] },
    { name: "frequencies", shape: [n_f], dtype: "f8", data: f },
    { name: "strain", shape: [n_d, n_f], dtype: "c16", data: wave(1e-23) },
    { name: "wht_filter", shape: [n_d, n_f], dtype: "f8", data: filter },
    { name: "tgps", shape: [], dtype: "f8", data: Float64Array.of(1e9) },
    { name: "tcoarse", shape: [], dtype: "f8", data: Float64Array.of(0.5) },
  ];
}

/** As early releases of cogwheel have it. */
function oldEntries(): NpzEntry[] {
  const entries = eventEntries(["L"], 65).filter(({ name }) => name !== "wht_filter");
  const values = (value: number) => Float64Array.from({ length: 65 }, (_, k) => (k < F_MIN ? 0 : value));
  const psd = Float64Array.from({ length: 65 }, () => 1e-44);
  return [
    ...entries,
    { name: "fd_filter", shape: [1, 65], dtype: "f8", data: values(1) },
    { name: "psd", shape: [1, 65], dtype: "f8", data: psd },
  ];
}

const TEXTS = ["HLV", "H", "LH", "HH", "X", "", "GV", "\u0000H", "../../x", "H".repeat(3000), "\u001b[2J"];

/** Other numbers, text or shape, in an entry that is whole; by chance any damage. */
function changedEntry(random: Random, { bytes, name }: ZipPart): Bytes {
  try {
    if (random.chance(0.15)) return mutateNpy(random, bytes);
    const array = decodeNpy(Uint8Array.from(bytes), name);
    const shape = random.chance(0.9) ? array.shape : random.pick([[array.n_items], [1, ...array.shape], []]);
    if (array.dtype === "U") {
      const [text] = array.toStrings();
      const changed = text.startsWith("{")
        ? textOf(mutateJson(random, bytesOf(text), bytesOf("{}")))
        : random.pick([...TEXTS, mutateText(random, text, TEXTS)]);
      return encodeNpy([], { dtype: "U", data: [changed.slice(0, 5000)] });
    }
    if (array.dtype === "i8") {
      const data = array.toFloat64();
      data[random.below(data.length)] = random.pick([0, 1, 2, 3, 4, -1, 2 ** 31, 2 ** 53 - 1]);
      return encodeNpy(shape, { dtype: "i8", data });
    }
    const dtype = array.dtype === "c16" ? "c16" : "f8";
    const data = mutateDoubles(random, dtype === "c16" ? array.toComplex() : array.toFloat64());
    return encodeNpy(shape, { dtype, data });
  } catch {
    return mutateNpy(random, bytes);
  }
}

/** An archive with one entry or two changed inside, or its own bytes. */
export function mutateArchive(random: Random, base: Bytes, other: Bytes): Bytes {
  if (random.chance(0.05))
    return mutateBytes(random, base, { other, tokens: [...ZIP_TOKENS, ...NPY_TOKENS] });
  return mutateParts(random, partsOf(base), changedEntry, 0.9);
}

export const event: Format = {
  name: "event",
  extension: "npz",
  stages: ["event"],
  seeds: () => [
    encodeNpz(eventEntries(["H", "L", "V"], 65), { deflate: true }),
    encodeNpz(eventEntries(["H"], 33)),
    encodeNpz(oldEntries()),
  ],
  make: (random, corpus) => mutateArchive(random, random.pick(corpus), random.pick(corpus)),
  read(path, probe) {
    const { strainRe_df } = readEvent(path);
    probe.holds(24 * strainRe_df.length);
    probe.reach("event");
  },
};
