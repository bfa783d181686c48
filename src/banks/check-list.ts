/** What a check of a bank found: a line of the list that `dotpe-hpc bank check` prints. */
import type { Check } from "../machine/checklist.ts";
import { formatCount } from "../report/format.ts";

export interface BankCheck extends Pick<Check, "name" | "level" | "found" | "todo"> {
  /** The file that it is about. */
  readonly file?: string;
  /** The bank sample that it is about: the first or the worst of those that were found. */
  readonly sample?: number;
}

type Where = Pick<BankCheck, "file" | "sample">;

export function passed(name: string, found: string): BankCheck {
  return { name, level: "pass", found };
}

/** It cannot be told here, which is no fault of the bank. */
export function skipped(name: string, found: string, todo?: string): BankCheck {
  return { name, level: "skip", found, ...(todo === undefined ? {} : { todo }) };
}

export function warned(name: string, found: string, todo: string, where: Where = {}): BankCheck {
  return { name, level: "warn", found, todo, ...where };
}

export function failed(name: string, found: string, todo: string, where: Where = {}): BankCheck {
  return { name, level: "fail", found, todo, ...where };
}

/** '3 of 16,384 samples'. */
export function ofSamples(n: number, n_i: number): string {
  return `${formatCount(n)} of ${formatCount(n_i)} samples`;
}

/** Enough digits to see what is wrong. */
export function brief(value: number): string {
  return String(Number(value.toPrecision(6)));
}
