/** Options that can differ from bank to bank: `N`, `BANK=N` repeated, or a mapping in a configuration file. */
import { basename } from "node:path";
import { nearestName } from "./cli.ts";
import { DotpeError } from "./errors.ts";

/** The name of the k-th bank in every output, as the reference counts them. */
export function bankId(k: number): string {
  return `bank_${k}`;
}

/**
 * One value for each bank, undefined where none was given. BANK is bank_0, bank_1 ... or the folder, as given or its
 * last name. A value without a bank is every bank's; BANK=value wins over it. A list of numbers or of null and values
 * as long as the banks is taken in order.
 * @param raw as the command line (string[]) or a configuration file (anything) holds it.
 * @throws DotpeError usage: unknown or ambiguous bank, two values for one bank.
 */
export function spreadOverBanks(raw: unknown, banks: readonly string[], where: string): unknown[] {
  const pairs = toPairs(raw, banks, where);
  const values: unknown[] = banks.map(() => undefined);
  const named = new Set<number>();
  const common = pairs.filter(([bank]) => bank === undefined).map(([, value]) => value);
  if (common.length > 1) throw twoValues(where, "every bank", common);
  if (common.length === 1) values.fill(common[0]);
  for (const [bank, value] of pairs) {
    if (bank === undefined) continue;
    const k = findBank(bank, banks, where);
    if (named.has(k)) throw twoValues(where, bank, [values[k], value]);
    named.add(k);
    values[k] = value;
  }
  return values;
}

/** Whether one value is given without a bank. */
export function isForEveryBank(raw: unknown, banks: readonly string[]): boolean {
  return (
    typeof raw !== "object" ||
    (Array.isArray(raw) &&
      raw.some((item) => typeof item === "string" && splitPair(item, banks)[0] === undefined))
  );
}

type Pair = readonly [bank: string | undefined, value: unknown];

function toPairs(raw: unknown, banks: readonly string[], where: string): Pair[] {
  if (Array.isArray(raw)) {
    if (raw.some((item) => typeof item !== "string")) return inOrder(raw, banks, where);
    return raw.map((item) => splitPair(item, banks));
  }
  if (typeof raw === "object" && raw !== null) return Object.entries(raw);
  return [typeof raw === "string" ? splitPair(raw, banks) : [undefined, raw]];
}

function inOrder(list: readonly unknown[], banks: readonly string[], where: string): Pair[] {
  if (list.length !== banks.length) {
    throw new DotpeError(
      "usage",
      `${where}: found a list of ${list.length}, expected one value for each of ${banks.length} banks`,
      "Give one value for each bank, in their order.",
    );
  }
  return list.flatMap((item, k): Pair[] => (item === null ? [] : [[bankId(k), item]]));
}

/** `BANK=value`; a path that holds an equals sign behind a slash is not one, unless what precedes it is a bank. */
function splitPair(text: string, banks: readonly string[]): Pair {
  const equals = text.indexOf("=");
  if (equals < 0) return [undefined, text];
  const bank = text.slice(0, equals);
  if (bank.includes("/") && matchingBanks(bank, banks).length === 0) return [undefined, text];
  return [bank, text.slice(equals + 1)];
}

function findBank(bank: string, banks: readonly string[], where: string): number {
  const matches = matchingBanks(bank, banks);
  if (matches.length === 1) return matches[0];
  const known = banks.map((folder, k) => `${bankId(k)} (${folder})`).join(", ");
  if (matches.length > 1) {
    const hint = `Name it by number: ${matches.map(bankId).join(" or ")}.`;
    throw new DotpeError("usage", `${where}: found bank ${bank}, which is more than one of ${known}`, hint);
  }
  const names = banks.flatMap((folder, k) => [bankId(k), basename(folder)]);
  const near = nearestName(bank, names);
  throw new DotpeError(
    "usage",
    `${where}: found bank ${bank}, expected one of ${known}`,
    near ? `Did you mean ${near}?` : "Name a bank by its number or its folder.",
  );
}

function matchingBanks(bank: string, banks: readonly string[]): number[] {
  const trimmed = bank.replace(/\/+$/, "");
  const byNumber = banks.findIndex((_, k) => bankId(k) === bank);
  if (byNumber >= 0) return [byNumber];
  const matches = (folder: string) => folder.replace(/\/+$/, "") === trimmed || basename(folder) === trimmed;
  return banks.flatMap((folder, k) => (matches(folder) ? [k] : []));
}

function twoValues(where: string, bank: string, values: readonly unknown[]): DotpeError {
  return new DotpeError(
    "usage",
    `${where}: found ${values.join(" and ")} for ${bank}, expected one value`,
    "Give each bank one value.",
  );
}
