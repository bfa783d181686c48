/** What `dotpe-hpc bank info` prints. */
import type { BankInfo, BinInfo, MassDensity, Range, WeightInfo } from "../banks/info.ts";
import { formatTable } from "../bench/table.ts";
import { formatCount, printable } from "./format.ts";
import { formatBytes } from "./sizes.ts";

const BAR = 40;
/** Units of the parameters; none for the others. */
const UNITS: Readonly<Record<string, string>> = { mchirp: "Msun", m1: "Msun", m2: "Msun", iota: "rad" };

/** Ends in a newline. */
export function formatBankInfo(info: BankInfo): string {
  const facts = [
    ["samples", `${formatCount(info.samples)} of ${printable(info.approximant)}, ${modesText(info)}`],
    ["f_ref", `${info.fRef} Hz`],
    ["bins", binsText(info.bins)],
    ["files", filesText(info)],
    ["made with", madeWithText(info.madeWith)],
    ["weights", weightsText(info.weights)],
  ];
  const table = Object.entries(info.parameters).map(([name, range]) => rangeRow(name, range));
  return [
    `${printable(info.folder)}\n`,
    formatTable(
      facts.map(([name, text]) => [`  ${name}`, text]),
      2,
    ),
    "\n",
    formatTable([["  parameter", "least", "median", "largest", ""], ...table]),
    "\n",
    ...densityLines(info.density),
  ].join("");
}

function modesText({ harmonicModes, modes }: BankInfo): string {
  const m = `m = ${modes.join(", ")}`;
  return harmonicModes === null
    ? m
    : `${m} of (l, m) ${harmonicModes.map((lm) => `(${lm.join(",")})`).join(" ")}`;
}

function binsText({ n, band, step, spacing, grid }: BinInfo): string {
  const steps = {
    even: `every ${short(step.median)} Hz`,
    geometric: `in equal ratios, ${short(step.min)} to ${short(step.max)} Hz apart`,
    uneven: `${short(step.min)} to ${short(step.max)} Hz apart (median ${short(step.median)})`,
  }[spacing];
  const multiples = grid === null ? "on no grid" : `multiples of ${grid === 1 ? "1" : `1/${grid}`} Hz`;
  return `${n} from ${short(band[0])} to ${short(band[1])} Hz, ${steps}, ${multiples}`;
}

function filesText({ blocks, blockSize, bytesOnDisk, waveformBytes, packed }: BankInfo): string {
  const size = formatBytes(bytesOnDisk);
  const some = (what: string) => (blocks === 1 ? `1 ${what}` : `${formatCount(blocks)} ${what}s`);
  if (packed === null) {
    return blocks === 1
      ? `${size} in 1 block`
      : `${size} in ${some("block")} of ${formatCount(blockSize)} samples`;
  }
  const { tolerance } = packed;
  const how = tolerance === null ? "without loss" : `with a tolerance of ${tolerance} in ln L`;
  const ratio = (waveformBytes / bytesOnDisk).toPrecision(3);
  return `${size}: ${some("chunk")} of ${blockSize} samples, packed ${how}; ${formatBytes(waveformBytes)} unpacked, ${ratio} times as much`;
}

/** A value that is longer than this is cut. */
const LONG = 60;

function madeWithText(madeWith: Readonly<Record<string, unknown>>): string {
  const words = Object.entries(madeWith).map(([name, value]) => {
    const text = typeof value === "string" ? value : (JSON.stringify(value) ?? "");
    return printable(`${name} ${text.length > LONG ? `${text.slice(0, LONG)}...` : text}`);
  });
  return words.length === 0 ? "not said" : words.join(", ");
}

function weightsText({ log, zero, effective }: WeightInfo): string {
  if (log.min === log.max) return `all equal (log_prior_weights ${short(log.min)})`;
  const none = zero > 0 ? `, ${formatCount(zero)} are zero` : "";
  return `log_prior_weights ${short(log.min)} to ${short(log.max)}${none}, worth ${formatCount(effective)} equal samples`;
}

function rangeRow(name: string, { min, median, max }: Range): string[] {
  return [`  ${name}`, ...[min, median, max].map(short), UNITS[name] ?? ""];
}

/** Five digits. */
function short(value: number): string {
  if (value === 0 || !Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  return size < 1e-4 || size >= 1e6 ? value.toExponential(3) : String(Number(value.toPrecision(5)));
}

function densityLines({ edges, counts, perPercent }: MassDensity): string[] {
  const most = Math.max(...counts);
  const rows = counts.map((count, k) => [
    `  ${edges[k].toPrecision(4)} - ${edges[k + 1].toPrecision(4)}`,
    "#".repeat(Math.round((BAR * count) / most)).padEnd(BAR),
    formatCount(count),
  ]);
  const [least, largest] = perPercent.map((x) => formatCount(x));
  const span = least === largest ? least : `${least} to ${largest}`;
  return [`  samples by chirp mass (Msun): ${span} a percent of mass\n`, formatTable(rows, 2)];
}
