/** Options from a YAML or JSON file: one mapping of option names (kebab-case or snake_case) to values. */
import { type FlagSpec, nearestName, toKebab } from "./cli.ts";
import { DotpeError } from "./errors.ts";
import { readInput } from "./io/input.ts";
import { parseJson } from "./io/json.ts";

const MAX_CONFIG_BYTES = 2 ** 20;

export interface ConfigEntry {
  /** kebab-case, aliases resolved. */
  readonly name: string;
  readonly value: unknown;
  /** For messages: the file and the key as written. */
  readonly where: string;
}

/**
 * The entries of a configuration file; those that are null are left out.
 * @throws DotpeError noInput (missing), badData (not a mapping, malformed), usage (unknown name).
 */
export function readConfig(
  path: string,
  known: readonly FlagSpec[],
  notNeeded: Readonly<Record<string, string>>,
): ConfigEntry[] {
  const bytes = readInput(path, MAX_CONFIG_BYTES);
  const content = path.toLowerCase().endsWith(".json") ? parseJson(bytes, path) : parseYaml(bytes, path);
  if (content === null && bytes.length > 0) return [];
  if (typeof content !== "object" || content === null || Array.isArray(content)) {
    throw new DotpeError(
      "badData",
      `${path}: found no mapping, expected option names and values`,
      "Write one `name: value` a line.",
    );
  }
  return Object.entries(content)
    .filter(([, value]) => value !== null)
    .map(([key, value]) => ({
      name: resolveKey(path, key, known, notNeeded),
      value,
      where: `${path}: ${key}`,
    }));
}

function resolveKey(
  path: string,
  key: string,
  known: readonly FlagSpec[],
  notNeeded: Readonly<Record<string, string>>,
): string {
  const name = toKebab(key);
  const spec = known.find((flag) => flag.name === name || flag.aliases?.includes(name));
  if (spec) return spec.name;
  const near = nearestName(
    name,
    known.flatMap((flag) => [flag.name, ...(flag.aliases ?? [])]),
  );
  const hint = near ? `Did you mean ${near}?` : "docs/options.md lists the names a file can hold.";
  throw new DotpeError("usage", `${path}: unknown option ${key}`, notNeeded[name] ?? hint);
}

function parseYaml(bytes: Uint8Array, path: string): unknown {
  try {
    // Loaded only when there is a file to read: that takes longer than a small run's stages.
    const { parse } = require("yaml") as typeof import("yaml");
    return parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    const reason = (error as Error).message.split("\n")[0].replace(/:$/, "");
    throw new DotpeError("badData", `${path}: not valid YAML: ${reason}`, "Write one `name: value` a line.");
  }
}
