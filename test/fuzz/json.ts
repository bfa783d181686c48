/** Fuzzing JSON, and bank_config.json: text changed, and values changed in the tree. */
import { readBankConfig } from "../../src/gw/bank-config.ts";
import { readJson } from "../../src/io/json.ts";
import { bytesOf, textOf } from "./bytes.ts";
import type { Format } from "./format.ts";
import { type Bytes, mutateBytes, mutateText } from "./mutate.ts";
import type { Random } from "./random.ts";
import { JSON_TOKENS } from "./tokens.ts";

const VALUES = [
  ...[
    '""',
    '"x"',
    "null",
    "true",
    "false",
    "[]",
    "{}",
    "-1",
    "0",
    "0.5",
    "1e999",
    "-1e999",
    "1e308",
    "5e-324",
    "2",
  ],
  ...[
    "9007199254740993",
    "18446744073709551616",
    '"__proto__"',
    '{"__proto__": []}',
    "[[[]]]",
    '"1"',
    "[2, 2]",
    "[null]",
  ],
  ...[
    "[".repeat(66) + "]".repeat(66),
    `"${"x".repeat(5000)}"`,
    '"\\u0000\\ud800"',
    "[1,2,3,4,5,6,7,8,9]",
    "1e-5",
    "3",
  ],
];

/** The text of a value in which some places have another value, or are gone, or are there twice. */
function changedTree(random: Random, value: unknown, share: number): string {
  if (random.chance(share)) return random.pick(VALUES);
  if (Array.isArray(value)) {
    const items = value.map((item) => changedTree(random, item, share));
    if (random.chance(share)) items.splice(random.below(items.length), 1);
    if (random.chance(share)) items.push(random.pick(VALUES));
    return `[${items.join(", ")}]`;
  }
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const pairs = Object.entries(value).map(([key, item]) => {
    const name = random.chance(share)
      ? random.pick(["__proto__", "constructor", "", "x", ...Object.keys(value)])
      : key;
    return `${JSON.stringify(name)}: ${changedTree(random, item, share)}`;
  });
  if (random.chance(share)) pairs.splice(random.below(pairs.length), 1);
  return `{${pairs.join(", ")}}`;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export function mutateJson(random: Random, base: Bytes, other: Bytes): Bytes {
  const text = textOf(base);
  if (random.chance(0.5)) {
    const value = parsed(text);
    if (value !== undefined) return bytesOf(changedTree(random, value, random.pick([0.01, 0.01, 0.03, 0.2])));
  }
  if (random.chance(0.7)) return bytesOf(mutateText(random, text, JSON_TOKENS, textOf(other)));
  return mutateBytes(random, base, { other, tokens: JSON_TOKENS });
}

const make: Format["make"] = (random, corpus) => mutateJson(random, random.pick(corpus), random.pick(corpus));

export const json: Format = {
  name: "json",
  extension: "json",
  stages: ["value"],
  seeds: () =>
    [
      '{"a": [1, -2.5e-3, {"b": "]}\\"[\\u00e9"}], "c": null, "d": {"e": true, "f": []}}',
      JSON.stringify({ dt: Object.fromEntries(Array.from({ length: 20 }, (_, k) => [k, k / 7])) }),
      JSON.stringify(
        { entry: { signature: { cpu: "x", cores: 4 }, values: Array.from({ length: 30 }, (_, k) => k) } },
        null,
        2,
      ),
      "[]",
      '"text"',
      "[".repeat(60) + "]".repeat(60),
    ].map(bytesOf),
  make,
  read(path, probe) {
    readJson(path);
    probe.reach("value");
  },
};

const fbin = Array.from({ length: 12 }, (_, k) => 20 + 10 * k);
const common = { fbin, f_ref: 50, blocksize: 32, approximant: "IMRPhenomXPHM" };

export const bankConfig: Format = {
  name: "bank-config",
  extension: "json",
  stages: ["config"],
  seeds: () =>
    [
      { ...common, m_arr: [2, 1, 3, 4] },
      {
        ...common,
        harmonic_modes: [
          [2, 2],
          [2, 1],
          [3, 3],
          [4, 4],
        ],
        phenomx_prec_version: 223,
      },
      {
        ...common,
        m_arr: [2],
        harmonic_modes: [
          [2, 2],
          [3, 2],
        ],
        n_samples: 4,
        bank_id: "b",
        notes: { a: [1, 2] },
      },
    ].map((config) => bytesOf(JSON.stringify(config, null, 1))),
  make,
  read(path, probe) {
    readBankConfig(path);
    probe.reach("config");
  },
};
