/** Reading a command line: named flags against a list of known ones, help text, and guesses at misspelt names. */
import { DotpeError } from "./errors.ts";
import { checkArgumentBytes } from "./io/argument-bytes.ts";
import { clipped } from "./io/clipped.ts";

export interface FlagSpec {
  /** kebab-case, without the dashes. snake_case is accepted too. */
  readonly name: string;
  /** value: given once. list: may be repeated. switch: `--name` or `--no-name`. */
  readonly kind: "value" | "list" | "switch";
  readonly aliases?: readonly string[];
  readonly group: string;
  /** What stands for the value in the help, e.g. `N`. */
  readonly hint?: string;
  readonly help: string;
}

export interface GivenFlag {
  /** A string for kind value, a list for kind list, true or false for a switch. */
  readonly value: string | string[] | boolean;
  /** As the user spelt it: `--blocksize`. */
  readonly spelling: string;
}

export interface CommandLine {
  readonly positionals: string[];
  /** By `FlagSpec.name`. */
  readonly flags: Map<string, GivenFlag>;
}

/** `--help` or `-h` before any `--`. */
export function wantsHelp(argv: readonly string[]): boolean {
  const end = argv.indexOf("--");
  return (end < 0 ? argv : argv.slice(0, end)).some((word) => word === "--help" || word === "-h");
}

/**
 * @param notNeeded options of other programs that have no equivalent here, by kebab-case name, and why.
 * @throws DotpeError usage: unknown option (naming the nearest), missing value, one option given two values; a word that is not UTF-8.
 */
export function parseCommandLine(
  argv: readonly string[],
  specs: readonly FlagSpec[],
  notNeeded: Readonly<Record<string, string>> = {},
): CommandLine {
  checkArgumentBytes(argv);
  const positionals: string[] = [];
  const flags = new Map<string, GivenFlag>();
  for (let at = 0; at < argv.length; at++) {
    const word = argv[at];
    if (word === "--") {
      positionals.push(...argv.slice(at + 1));
      break;
    }
    if (!word.startsWith("-") || word === "-") {
      positionals.push(word);
      continue;
    }
    const flag = matchFlag(word, specs, notNeeded);
    let value = flag.value;
    if (value === undefined) {
      const next = argv[++at];
      if (next === undefined || next.startsWith("--")) throw missingValue(flag);
      value = next;
    }
    addFlag(flags, flag.spec, value, flag.spelling);
  }
  return { positionals, flags };
}

interface MatchedFlag {
  spec: FlagSpec;
  spelling: string;
  /** undefined: the value is the next word. */
  value: string | boolean | undefined;
}

function matchFlag(
  word: string,
  specs: readonly FlagSpec[],
  notNeeded: Readonly<Record<string, string>>,
): MatchedFlag {
  const equals = word.indexOf("=");
  const spelling = equals < 0 ? word : word.slice(0, equals);
  const attached = equals < 0 ? undefined : word.slice(equals + 1);
  const name = spelling.startsWith("--") ? toKebab(spelling.slice(2)) : "";
  const spec = findSpec(name, specs);
  if (spec?.kind === "switch") return { spec, spelling, value: switchValue(attached, spelling) };
  if (spec) return { spec, spelling, value: attached };
  const negated = name.startsWith("no-") ? findSpec(name.slice(3), specs) : undefined;
  if (negated?.kind === "switch" && attached === undefined) return { spec: negated, spelling, value: false };
  throw unknownOption(spelling, name, specs, notNeeded);
}

function switchValue(attached: string | undefined, spelling: string): boolean {
  if (attached === undefined || attached === "true") return true;
  if (attached === "false") return false;
  throw new DotpeError(
    "usage",
    `${spelling}: found ${attached}, expected no value`,
    `Give ${spelling} alone.`,
  );
}

function findSpec(name: string, specs: readonly FlagSpec[]): FlagSpec | undefined {
  return specs.find((spec) => spec.name === name || spec.aliases?.includes(name));
}

function addFlag(
  flags: Map<string, GivenFlag>,
  spec: FlagSpec,
  value: string | boolean,
  spelling: string,
): void {
  const before = flags.get(spec.name);
  if (spec.kind === "list") {
    const list = Array.isArray(before?.value) ? before.value : [];
    flags.set(spec.name, { value: [...list, String(value)], spelling });
  } else if (before === undefined) {
    flags.set(spec.name, { value, spelling });
  } else if (before.value !== value) {
    throw givenTwice(`--${spec.name}`, [
      [before.spelling, before.value],
      [spelling, value],
    ]);
  }
}

export function givenTwice(name: string, found: readonly (readonly [string, unknown])[]): DotpeError {
  const list = found.map(([spelling, value]) => `${spelling} ${clipped(String(value))}`).join(" and ");
  return new DotpeError("usage", `${name}: found ${list}, expected one value`, "Give it once.");
}

function missingValue(flag: MatchedFlag): DotpeError {
  const hint = flag.spec.hint ?? "VALUE";
  return new DotpeError(
    "usage",
    `${flag.spelling}: found no value, expected ${hint}`,
    `Write ${flag.spelling} ${hint}.`,
  );
}

function unknownOption(
  spelling: string,
  name: string,
  specs: readonly FlagSpec[],
  notNeeded: Readonly<Record<string, string>>,
): DotpeError {
  const reason = notNeeded[name];
  if (reason) return new DotpeError("usage", `${spelling}: not an option here`, reason);
  const names = specs.flatMap((spec) => [spec.name, ...(spec.aliases ?? [])]);
  const near = nearestName(name, names);
  return new DotpeError(
    "usage",
    `unknown option ${spelling}`,
    near ? `Did you mean --${near}?` : "--help lists the options.",
  );
}

/** `n_ext` and `nExt` to `n-ext`. */
export function toKebab(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`).replaceAll("_", "-");
}

/** `n-ext` to `nExt`. */
export function toCamel(name: string): string {
  return name.replace(/[-_]+(\w)/g, (_, letter: string) => letter.toUpperCase());
}

/** The known name most like `name`: one that it begins, else the fewest edits; none if all are far. */
export function nearestName(name: string, known: readonly string[]): string | undefined {
  if (name.length >= 3) {
    const begun = known.filter((candidate) => candidate.startsWith(name));
    if (begun.length === 1) return begun[0];
  }
  let best: string | undefined;
  let bestEdits = Math.max(2, Math.floor(name.length / 3)) + 1;
  for (const candidate of known) {
    const edits = editDistance(name, candidate);
    if (edits < bestEdits && edits < candidate.length) [best, bestEdits] = [candidate, edits];
  }
  return best;
}

/** Insertions, deletions, substitutions and swaps of neighbours that turn `a` into `b` (optimal string alignment). */
export function editDistance(a: string, b: string): number {
  const width = b.length + 1;
  const cost = new Uint16Array((a.length + 1) * width);
  for (let i = 0; i <= a.length; i++) cost[i * width] = i;
  for (let j = 0; j <= b.length; j++) cost[j] = j;
  for (let i = 1; i <= a.length; i++) {
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      const at = i * width + j;
      cost[at] = Math.min(cost[at - width] + 1, cost[at - 1] + 1, cost[at - width - 1] + same);
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (swapped) cost[at] = Math.min(cost[at], cost[at - 2 * width - 2] + 1);
    }
  }
  return cost[a.length * width + b.length];
}

/** A flag of a command; without a hint it takes no value. */
export function flagOf(group: string, name: string, hint: string, help: string): FlagSpec {
  return hint === "" ? { name, kind: "switch", group, help } : { name, kind: "value", group, hint, help };
}

/** @param help the command that explains the flag. @throws DotpeError usage */
export function oneOf<Name extends string>(
  flag: string,
  found: string,
  known: readonly Name[],
  help: string,
): Name {
  const name = known.find((one) => one === found);
  if (name !== undefined) return name;
  throw new DotpeError(
    "usage",
    `${flag}: found ${found}, expected ${known.join(", ")}`,
    `\`${help} --help\` lists the options.`,
  );
}

export interface HelpPage {
  readonly summary: string;
  readonly usage: string;
  readonly positionals: readonly (readonly [name: string, help: string])[];
  readonly flags: readonly FlagSpec[];
  readonly examples: readonly (readonly [command: string, why: string])[];
  readonly more: string;
}

const HELP_COLUMN = 30;
const HELP_WIDTH = 100;

/** The help of one command: plain text, flags under their groups in the order given. */
export function renderHelp(page: HelpPage): string {
  const lines = [page.summary, "", `Usage: ${page.usage}`, ""];
  for (const [name, help] of page.positionals) lines.push(...helpEntry(name, help));
  for (const group of new Set(page.flags.map((flag) => flag.group))) {
    lines.push("", `${group}:`);
    for (const flag of page.flags.filter((candidate) => candidate.group === group)) {
      lines.push(...helpEntry(flagLabel(flag), flag.help));
    }
  }
  lines.push("", "Examples:");
  for (const [command, why] of page.examples) lines.push(`  # ${why}`, `  ${command}`);
  lines.push("", page.more);
  return lines.join("\n") + "\n";
}

function flagLabel(flag: FlagSpec): string {
  return flag.kind === "switch" ? `--${flag.name}` : `--${flag.name} ${flag.hint ?? "VALUE"}`;
}

function helpEntry(label: string, help: string): string[] {
  const wrapped = wrap(help, HELP_WIDTH - HELP_COLUMN);
  const head = `  ${label}`;
  const indent = " ".repeat(HELP_COLUMN);
  if (head.length > HELP_COLUMN - 2) return [head, ...wrapped.map((line) => indent + line)];
  return wrapped.map((line, k) => (k === 0 ? head.padEnd(HELP_COLUMN) : indent) + line);
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else {
      line = line ? `${line} ${word}` : word;
    }
  }
  return [...lines, line];
}
