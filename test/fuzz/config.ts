/** Fuzzing configuration files, YAML and JSON: documents put together from options, and text changed. */
import { readConfig } from "../../src/config-file.ts";
import { DotpeError } from "../../src/errors.ts";
import { clipped } from "../../src/io/clipped.ts";
import { RUN_FLAGS } from "../../src/option-table.ts";
import { parseRunOptions } from "../../src/options.ts";
import { bytesOf, textOf } from "./bytes.ts";
import type { Format } from "./format.ts";
import { mutateJson } from "./json.ts";
import { mutateBytes, mutateText } from "./mutate.ts";
import type { Random } from "./random.ts";
import { YAML_TOKENS } from "./tokens.ts";

const NAMES = RUN_FLAGS.filter(({ name }) => name !== "config").map(({ name }) => name);
const SCALARS = [
  "1",
  "0",
  "-1",
  "0.5",
  "1e3",
  "true",
  "false",
  "null",
  "~",
  "auto",
  "'x'",
  '"y"',
  "H",
  ".nan",
  ".inf",
];

function randomValue(random: Random, depth: number): string {
  const how = random.below(12);
  if (how < 7 || depth > 3) return random.pick(SCALARS);
  if (how === 7) return `&a ${random.pick(SCALARS)}`;
  if (how === 8) return "*a";
  const items = Array.from({ length: random.below(4) }, () => randomValue(random, depth + 1));
  if (how === 9) return `[${items.join(", ")}]`;
  if (how === 10) return `{${items.map((item, k) => `k${k}: ${item}`).join(", ")}}`;
  return random.pick(YAML_TOKENS);
}

/** Some options with values of any kind, one a line. */
function randomYaml(random: Random): string {
  const lines = Array.from({ length: 1 + random.below(6) }, () => {
    const name = random.chance(0.97)
      ? random.pick(NAMES)
      : random.pick(["constructor", "__proto__", "mchirp_guess", "1"]);
    return `${random.chance(0.5) ? name.replaceAll("-", "_") : name}: ${randomValue(random, 0)}`;
  });
  return `${lines.join("\n")}\n`;
}

function read(path: string, reach: (stage: string) => void): void {
  readConfig(path, [...RUN_FLAGS, { name: "event", kind: "value", group: "", help: "" }], {});
  reach("entries");
  try {
    parseRunOptions(["event.npz", "bank", "--config", path]);
  } catch (error) {
    // How much of a value its messages show is not the readers' matter.
    if (error instanceof DotpeError) throw new DotpeError(error.exit, clipped(error.message), error.hint);
    throw error;
  }
  reach("options");
}

const VALUES = { n_ext: 64, "n-phi": 20, seed: 3, banks: ["a", "b"], event: "e.npz", n_int: { bank_0: 5 } };

export const yaml: Format = {
  name: "yaml",
  extension: "yaml",
  stages: ["entries", "options"],
  seeds: () =>
    [
      "n-ext: 64\nn_phi: 20 # a comment\nseed: 3\n",
      "banks:\n  - a\n  - b\nevent: e.npz\nn_int: {bank_0: 5}\n",
      "size_limit: &n 1000\nn_ext: *n\n",
      "rundir: >-\n  a folded\n  text\nmax-incoherent-lnlike-drop: 2.0e1\n",
      "? seed\n: 4\n",
    ].map(bytesOf),
  make(random, corpus) {
    const how = random.below(10);
    if (how < 3) return bytesOf(randomYaml(random));
    const base = how < 5 ? bytesOf(randomYaml(random)) : random.pick(corpus);
    const other = random.pick(corpus);
    if (how < 9) return bytesOf(mutateText(random, textOf(base), YAML_TOKENS, textOf(other)));
    return mutateBytes(random, base, { other, tokens: YAML_TOKENS });
  },
  read: (path, probe) => read(path, probe.reach),
};

export const jsonConfig: Format = {
  name: "json-config",
  extension: "json",
  stages: ["entries", "options"],
  seeds: () =>
    [VALUES, { seed: 1 }, { "n-ext": 10, rundir: "x", no_such: null }].map((value) =>
      bytesOf(JSON.stringify(value)),
    ),
  make: (random, corpus) => mutateJson(random, random.pick(corpus), random.pick(corpus)),
  read: (path, probe) => read(path, probe.reach),
};
