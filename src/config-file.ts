/** Options from a YAML or JSON file: one mapping of option names (kebab-case or snake_case) to values. */
import { type FlagSpec, nearestName, toKebab } from "./cli.ts";
import { DotpeError } from "./errors.ts";
import { clipped } from "./io/clipped.ts";
import { readInput } from "./io/input.ts";
import { parseJson } from "./io/json.ts";

const MAX_JSON_BYTES = 2 ** 20;
/** Its parser takes seconds for a megabyte. */
const MAX_YAML_BYTES = 2 ** 18;
/** No option has a longer name. */
const MAX_NAME = 100;

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
  const isJson = path.toLowerCase().endsWith(".json");
  const bytes = readInput(path, isJson ? MAX_JSON_BYTES : MAX_YAML_BYTES);
  const content = isJson ? parseJson(bytes, path) : parseYaml(bytes, path);
  if (content === null && bytes.length > 0) return [];
  if (typeof content !== "object" || content === null || Array.isArray(content)) {
    throw new DotpeError(
      "badData",
      `${path}: found no mapping, expected option names and values`,
      KEEP_SIMPLE,
    );
  }
  return configEntries(path, content, known, notNeeded);
}

/** The entries of a mapping that `path` holds; those that are null are left out. @throws DotpeError usage (unknown name). */
export function configEntries(
  path: string,
  content: object,
  known: readonly FlagSpec[],
  notNeeded: Readonly<Record<string, string>>,
): ConfigEntry[] {
  return Object.entries(content)
    .filter(([, value]) => value !== null)
    .map(([key, value]) => ({
      name: resolveKey(path, key, known, notNeeded),
      value,
      where: `${path}: ${clipped(key)}`,
    }));
}

function resolveKey(
  path: string,
  key: string,
  known: readonly FlagSpec[],
  notNeeded: Readonly<Record<string, string>>,
): string {
  const name = toKebab(key.slice(0, MAX_NAME));
  const spec = known.find((flag) => flag.name === name || flag.aliases?.includes(name));
  if (spec) return spec.name;
  const near = nearestName(
    name,
    known.flatMap((flag) => [flag.name, ...(flag.aliases ?? [])]),
  );
  const reason = Object.hasOwn(notNeeded, name) ? notNeeded[name] : undefined;
  const hint = near ? `Did you mean ${near}?` : "docs/options.md lists the names a file can hold.";
  throw new DotpeError("usage", `${path}: unknown option ${clipped(key)}`, reason ?? hint);
}

/** Brackets in brackets: far more than options need, and few enough for a parser that calls itself. */
const MAX_DEPTH = 64;
/** What values can be; the parser knows more, such as bytes and sets. */
const TAGS: ReadonlySet<string> = new Set(
  ["str", "int", "float", "bool", "null", "map", "seq"].map((name) => `tag:yaml.org,2002:${name}`),
);
/** Items of all lists and mappings, an alias counted each time it stands for something. */
const MAX_ITEMS = 100_000;
const KEEP_SIMPLE = "Write one `name: value` a line.";

function parseYaml(bytes: Uint8Array, path: string): unknown {
  const invalid = (reason: string) =>
    new DotpeError("badData", `${path}: not valid YAML: ${reason}`, KEEP_SIMPLE);
  let value: unknown;
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    checkBrackets(text);
    value = yamlValue(text);
  } catch (error) {
    throw invalid(clipped((error as Error).message.split("\n")[0].replace(/:$/, "")));
  }
  const fault = faultOfTree(value);
  if (fault !== undefined) throw invalid(fault);
  return value;
}

/** Counted without a look at quotes and comments. @throws RangeError */
function checkBrackets(text: string): void {
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const c = text.charCodeAt(at);
    if (c === 0x5b || c === 0x7b) depth++;
    else if (c === 0x5d || c === 0x7d) depth = Math.max(0, depth - 1);
    if (depth > MAX_DEPTH) throw new RangeError(`more than ${MAX_DEPTH} brackets are open`);
  }
}

/** @throws an Error with the reason: also where the parser only warns (unknown tags, collections as names) */
function yamlValue(text: string): unknown {
  // Loaded only when there is a file to read: that takes longer than a small run's stages.
  const { parseDocument, visit, isScalar } = require("yaml") as typeof import("yaml");
  // Its own check for equal names compares each with each.
  const document = parseDocument(text, { uniqueKeys: false, logLevel: "error" });
  const [fault] = [...document.errors, ...document.warnings];
  if (fault !== undefined) throw fault;
  if (document.directives?.yaml.version !== "1.2") throw new Error("found %YAML 1.1, expected 1.2");
  const checkTag = ({ tag }: { tag?: string }) => {
    if (tag !== undefined && !TAGS.has(tag)) throw new Error(`found the tag ${tag}`);
  };
  visit(document, {
    Scalar: (_, node) => checkTag(node),
    Seq: (_, node) => checkTag(node),
    Map(_, node) {
      checkTag(node);
      const names = new Set<string>();
      for (const { key } of node.items) {
        if (!isScalar(key)) throw new Error("found a name that is no text");
        const name = String(key.value);
        if (names.has(name)) throw new Error(`found ${name} twice`);
        names.add(name);
      }
    },
  });
  return document.toJS();
}

/** What keeps a value from being a tree of limited size: aliases can make any other graph. */
function faultOfTree(root: unknown): string | undefined {
  let n_items = 0;
  const visit = (value: unknown, depth: number): string | undefined => {
    if (typeof value !== "object" || value === null) return undefined;
    if (depth > MAX_DEPTH) return `found more than ${MAX_DEPTH} nested levels`;
    for (const item of Object.values(value)) {
      if (++n_items > MAX_ITEMS) return `found more than ${MAX_ITEMS} items`;
      const fault = visit(item, depth + 1);
      if (fault !== undefined) return fault;
    }
    return undefined;
  };
  return visit(root, 0);
}
