/** Checks of a bank's samples: whether they are systems that exist, each once, and those that the bank says it has. */
import { DotpeError } from "../errors.ts";
import {
  type Bank,
  CONFIG_FILE,
  OPTIONAL_COLUMNS,
  SAMPLE_COLUMNS,
  SAMPLES_FILE,
  type SampleColumn,
} from "../gw/bank.ts";
import { mchirp } from "../gw/prior.ts";
import { formatCount } from "../report/format.ts";
import { type BankCheck, brief, failed, ofSamples, passed, skipped, warned } from "./check-list.ts";
import { equalRows } from "./copies.ts";
import { weightInfo } from "./info.ts";

const COLUMNS = [...SAMPLE_COLUMNS, ...OPTIONAL_COLUMNS];
/** Rounding of what was computed from angles. */
const ROUNDING = 1e-9;
/** Of a mass at the edge of the range that the bank states. */
const AT_THE_EDGE = 1e-6;
const LEAVE_OUT = "leave these samples out, or make the bank again";

/** A condition on the parameters of one sample. */
interface Condition {
  readonly name: string;
  readonly columns: readonly SampleColumn[];
  /** What holds where it is met, for people. */
  readonly rule: string;
  /** Whether sample i meets it. */
  readonly holds: (i: number) => boolean;
}

/** All of them, whatever the earlier ones find. */
export function checkSamples(bank: Bank): BankCheck[] {
  const bad = unreadable(bank);
  const names = COLUMNS.filter((name) => !bad.has(name));
  const all = `${COLUMNS.length} columns of ${formatCount(bank.n_i)} samples, all finite`;
  const columns = [...bad].map(([, error]) =>
    failed("parameters", error.message, LEAVE_OUT, { file: SAMPLES_FILE }),
  );
  const conditions = conditionsOf(bank).map((condition) => {
    const missing = condition.columns.find((name) => bad.has(name));
    if (missing !== undefined) return skipped(condition.name, `${missing} cannot be read`);
    return conditionCheck(bank, condition);
  });
  return [
    ...(columns.length === 0 ? [passed("parameters", all)] : columns),
    ...conditions,
    bad.has("log_prior_weights") ? skipped("weights", "log_prior_weights cannot be read") : weightCheck(bank),
    duplicateCheck(bank, names),
    ...(bad.size === 0 ? [statedCheck(bank)] : []),
  ];
}

/** Columns that are malformed or not finite, and why. */
function unreadable({ samples }: Bank): Map<SampleColumn, DotpeError> {
  const bad = new Map<SampleColumn, DotpeError>();
  for (const name of COLUMNS) {
    try {
      void samples[name];
    } catch (error) {
      if (!(error instanceof DotpeError)) throw error;
      bad.set(name, error);
    }
  }
  return bad;
}

function conditionsOf({ samples }: Bank): Condition[] {
  const spin = (k: 1 | 2): Condition => {
    const columns = [`s${k}x_n`, `s${k}y_n`, `s${k}z`] as const;
    const holds = (i: number) =>
      Math.hypot(samples[columns[0]][i], samples[columns[1]][i], samples[columns[2]][i]) <= 1 + ROUNDING;
    return { name: `spin ${k}`, columns, rule: `|spin ${k}| <= 1`, holds };
  };
  const masses = ({ m1, m2 }: Pick<Bank["samples"], "m1" | "m2">, i: number) => m1[i] >= m2[i] && m2[i] > 0;
  const angle = (x: number) => x >= -ROUNDING && x <= Math.PI + ROUNDING;
  return [
    {
      ...{ name: "masses", columns: ["m1", "m2"], rule: "m1 >= m2 > 0" },
      holds: (i) => masses(samples, i),
    },
    spin(1),
    spin(2),
    {
      ...{ name: "inclination", columns: ["iota"], rule: "0 <= iota <= pi" },
      holds: (i) => angle(samples.iota[i]),
    },
    {
      ...{ name: "tides", columns: ["l1", "l2"], rule: "l1, l2 >= 0" },
      holds: (i) => samples.l1[i] >= 0 && samples.l2[i] >= 0,
    },
  ];
}

function conditionCheck({ samples, n_i }: Bank, { name, columns, rule, holds }: Condition): BankCheck {
  let [n, first] = [0, -1];
  for (let i = 0; i < n_i; i++) {
    if (holds(i)) continue;
    n++;
    if (first < 0) first = i;
  }
  if (n === 0) return passed(name, rule);
  const values = columns.map((column) => `${column} ${brief(samples[column][first])}`).join(", ");
  const found = `${ofSamples(n, n_i)} without ${rule}, the first is sample ${first}: ${values}`;
  return failed(name, found, LEAVE_OUT, { file: SAMPLES_FILE, sample: first });
}

function weightCheck({ samples, n_i }: Bank): BankCheck {
  const { zero, effective, log } = weightInfo(samples.log_prior_weights);
  const where = { file: SAMPLES_FILE };
  if (zero === n_i) {
    const todo = "log_prior_weights are logarithms of prior over density: make the bank again";
    return failed("weights", "every log_prior_weights is -inf: no sample counts", todo, where);
  }
  const worth = `worth ${formatCount(effective)} equal samples`;
  if (zero > 0) {
    const first = samples.log_prior_weights.indexOf(-Infinity);
    const found = `${ofSamples(zero, n_i)} have weight zero, the first is sample ${first}; all are ${worth}`;
    return warned("weights", found, "they take time and count nothing: leave them out", {
      ...where,
      sample: first,
    });
  }
  return passed("weights", `log_prior_weights ${brief(log.min)} to ${brief(log.max)}, ${worth}`);
}

function duplicateCheck({ samples, n_i }: Bank, names: readonly SampleColumn[]): BankCheck {
  const physical = names.filter((name) => name !== "log_prior_weights");
  const { n, first } = equalRows(physical.map((name) => samples[name]));
  if (first === null) return passed("duplicates", "no two samples are equal");
  const found = `${ofSamples(n, n_i)} equal an earlier one, the first is sample ${first[0]}, equal to ${first[1]}`;
  const todo = "they add nothing but count as if they did: leave them out, or draw with another seed";
  return warned("duplicates", found, todo, { file: SAMPLES_FILE, sample: first[0] });
}

/** What bank_config.json says of the samples, by the names that dot_pe and this program use. */
function statedCheck({ samples, n_i, config: { others } }: Bank): BankCheck {
  const stated = (...names: string[]) => {
    const name = names.find((one) => typeof others[one] === "number");
    return name === undefined ? undefined : { name, value: others[name] as number };
  };
  const { m1, m2 } = samples;
  const mass_i = m1.map((m, i) => mchirp(m, m2[i]));
  const q_i = m1.map((m, i) => m2[i] / m);
  const limits = [
    { limit: stated("mchirp_min", "min_mchirp"), of: mass_i, what: "chirp mass", sign: 1 },
    { limit: stated("mchirp_max", "max_mchirp"), of: mass_i, what: "chirp mass", sign: -1 },
    { limit: stated("q_min"), of: q_i, what: "q", sign: 1 },
    { limit: stated("q_max"), of: q_i, what: "q", sign: -1 },
  ];
  const size = stated("bank_size");
  const todo = "the samples and bank_config.json are not of one bank, or it was changed later";
  if (size !== undefined && size.value !== n_i) {
    const found = `bank_config.json says ${size.name} ${size.value}, the samples are ${n_i}`;
    return warned("as stated", found, todo, { file: CONFIG_FILE });
  }
  for (const { limit, of, what, sign } of limits) {
    if (limit === undefined) continue;
    const beyond = sign * limit.value - AT_THE_EDGE * Math.abs(limit.value);
    const i = of.findIndex((value) => sign * value < beyond);
    if (i < 0) continue;
    const found = `sample ${i} has ${what} ${brief(of[i])}, bank_config.json says ${limit.name} ${limit.value}`;
    return warned("as stated", found, todo, { file: CONFIG_FILE, sample: i });
  }
  const known = [size, ...limits.map(({ limit }) => limit)].flatMap((one) => (one ? [one.name] : []));
  if (known.length === 0) return skipped("as stated", "bank_config.json says nothing of the samples");
  return passed("as stated", `bank_config.json: ${known.join(", ")}`);
}
