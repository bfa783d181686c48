/** What the flags of a command line stand for: numbers in their ranges, pairs, switches. */
import type { CommandLine } from "./cli.ts";
import { DotpeError } from "./errors.ts";

/** Which numbers are good, and how an error says it. */
export interface NumberRange {
  readonly holds: (x: number) => boolean;
  readonly expected: string;
}

const MOST_THREADS = 4096;

export const FINITE: NumberRange = { holds: Number.isFinite, expected: "a number" };
export const POSITIVE: NumberRange = {
  holds: (x) => x > 0 && Number.isFinite(x),
  expected: "a number above 0",
};
export const SHARE: NumberRange = {
  holds: (x) => x > 0 && x <= 1,
  expected: "a number above 0 and at most 1",
};

/** Whole numbers from `least` to `most`. */
export function whole(least: number, most = Number.MAX_SAFE_INTEGER): NumberRange {
  const range = most === Number.MAX_SAFE_INTEGER ? `of at least ${least}` : `from ${least} to ${most}`;
  return {
    holds: (x) => Number.isInteger(x) && x >= least && x <= most,
    expected: `a whole number ${range}`,
  };
}

/** The flags of one command. Every error is a DotpeError usage that names the flag and where its help is. */
export class FlagValues {
  /** @param command as it is typed, e.g. `dotpe-hpc tune` */
  constructor(
    private readonly flags: CommandLine["flags"],
    private readonly command: string,
  ) {}

  /** A flag's text; undefined if it is not given. */
  text(name: string): string | undefined {
    const value = this.flags.get(name)?.value;
    return typeof value === "string" ? value : undefined;
  }

  isOn(name: string): boolean {
    return this.flags.get(name)?.value === true;
  }

  /** @returns undefined if it is not given */
  number(name: string, range: NumberRange): number | undefined {
    const text = this.text(name);
    return text === undefined ? undefined : this.parse(name, text, range);
  }

  /** One that must be given. */
  required(name: string, range: NumberRange): number {
    return this.parse(name, this.text(name) ?? "", range);
  }

  /** Two numbers, the smaller first, as `25,30`; undefined if they are not given. */
  pair(name: string, range: NumberRange): readonly [number, number] | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const parts = text.split(",");
    if (parts.length !== 2)
      throw this.error(`--${name}: found ${text || "nothing"}, expected two numbers, such as 25,30`);
    const [low, high] = parts.map((part) => this.parse(name, part, range));
    if (!(low < high)) throw this.error(`--${name}: found ${text}, expected the smaller number first`);
    return [low, high];
  }

  /** How many threads; undefined: as many as may be used. */
  threads(): number | undefined {
    return this.number("n-procs", whole(1, MOST_THREADS));
  }

  /** @param text what the user wrote; @param shown what an error says of it */
  parse(name: string, text: string, range: NumberRange, shown = text): number {
    const value = text.trim() === "" ? Number.NaN : Number(text);
    if (range.holds(value)) return value;
    throw this.error(`--${name}: found ${shown || "nothing"}, expected ${range.expected}`);
  }

  error(message: string): DotpeError {
    return new DotpeError("usage", message, `\`${this.command} --help\` lists the options.`);
  }
}
