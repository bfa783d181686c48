/** Fuzzing .npz: the archive's records, the entries under right checksums, and any byte. */
import { DotpeError } from "../../src/errors.ts";
import { encodeNpz, openNpz } from "../../src/io/npz.ts";
import numpyFiles from "../fixtures/numpy-files.json";
import { fromBase64 } from "./bytes.ts";
import type { Format } from "./format.ts";
import { type Bytes, mutateBytes } from "./mutate.ts";
import { mutateNpy, randomNpy, readArray } from "./npy.ts";
import type { Random } from "./random.ts";
import { NPY_TOKENS, ZIP_TOKENS } from "./tokens.ts";
import { buildZip, hostileZip, partsOf, type ZipPart } from "./zip-parts.ts";

const NAMES = [
  "a.npy",
  "../../a.npy",
  "/etc/a.npy",
  "C:\\a.npy",
  "a",
  "",
  "__proto__",
  "a\u0000.npy",
  "x/y.npy",
];

/** An archive made again of these parts, with one entry changed, added, left out or renamed by chance. */
export function mutateParts(
  random: Random,
  parts: readonly ZipPart[],
  change: (random: Random, part: ZipPart) => Uint8Array,
  honesty = 0.7,
): Bytes {
  const out = [...parts];
  for (let n = 1 + random.below(2); n > 0 && out.length > 0; n--) {
    const at = random.below(out.length);
    const how = random.below(15);
    if (how === 0) out.splice(at, 1);
    else if (how === 1) out[at] = { ...out[at], name: random.pick([...NAMES, random.pick(out).name]) };
    else if (how === 2) out.push({ name: random.pick([...NAMES, out[at].name]), bytes: randomNpy(random) });
    else if (how === 3) out[at] = { ...out[at], bytes: random.pick(out).bytes };
    else out[at] = { ...out[at], bytes: change(random, out[at]) };
  }
  return hostileZip(random, out, honesty);
}

export const npz: Format = {
  name: "npz",
  extension: "npz",
  stages: ["directory", "an entry", "every entry"],
  seeds: () => [
    fromBase64(numpyFiles.npz),
    fromBase64(numpyFiles.npzCompressed),
    encodeNpz(
      [
        { name: "a", shape: [2, 2], dtype: "f8", data: Float64Array.of(1, 2, 3, 4) },
        { name: "h", shape: [2], dtype: "c16", data: Float64Array.of(1, 2, 3, 4) },
        { name: "names", shape: [2], dtype: "U", data: ["H", "LV"] },
      ],
      { deflate: true },
    ),
    buildZip([{ name: "z.npy", bytes: fromBase64(numpyFiles.cases[0].npy), zip64: true }], true).bytes,
  ],
  make(random, corpus) {
    const base = random.pick(corpus);
    if (random.chance(0.4)) {
      const hot = [
        [Math.max(0, base.length - 300), base.length],
        [0, Math.min(120, base.length)],
      ] as const;
      return mutateBytes(random, base, {
        other: random.pick(corpus),
        tokens: [...ZIP_TOKENS, ...NPY_TOKENS],
        hot,
      });
    }
    return mutateParts(random, partsOf(base), (r, { bytes }) =>
      r.chance(0.3) ? randomNpy(r) : mutateNpy(r, bytes),
    );
  },
  read(path, probe) {
    const archive = openNpz(path);
    probe.reach("directory");
    let refused: unknown;
    for (const name of archive.names) {
      try {
        readArray(archive.get(name), probe);
        probe.reach("an entry");
      } catch (error) {
        // The others are read all the same.
        if (!(error instanceof DotpeError)) throw error;
        refused = error;
      }
    }
    if (refused !== undefined) throw refused;
    probe.reach("every entry");
  },
};
