/**
 * dot_pe and this program on the same event, bank and settings, one after the other, side by side by stage:
 *
 *   bun bench/peers/main.ts --python PY --dot-pe CHECKOUT --event EVENT.npz --bank BANK
 *
 * PY is a Python with dot_pe's dependencies (cogwheel-pe, lalsuite, pandas, pyarrow), CHECKOUT a clone of dot_pe
 * (branch main; `--multicore CHECKOUT` takes one of its branch multicore too). Takes minutes; nothing else should run.
 * This program runs `--repeats` times after one that warms the page cache, and its fastest run is shown; a peer runs once.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { brief, formatTable } from "../../src/bench/table.ts";
import { type PeakMemory, watchMemory } from "./memory.ts";

const ROOT = resolve(import.meta.dir, "../..");
const STAGES = ["start", "setup", "incoherent", "extrinsic", "coherent", "posterior"];

const OPTIONS = {
  python: { type: "string", default: "python3" },
  "dot-pe": { type: "string" },
  multicore: { type: "string" },
  event: { type: "string" },
  bank: { type: "string" },
  binary: { type: "string", default: join(ROOT, "dist/dotpe-hpc") },
  peers: { type: "string", default: "inference,mp_inference" },
  "n-procs": { type: "string", default: "2" },
  "n-int": { type: "string" },
  "n-ext": { type: "string", default: "1024" },
  "n-phi": { type: "string", default: "50" },
  "n-t": { type: "string", default: "128" },
  "mchirp-guess": { type: "string" },
  seed: { type: "string", default: "1" },
  repeats: { type: "string", default: "3" },
  json: { type: "string" },
  keep: { type: "string" },
} as const;

type Settings = ReturnType<typeof readSettings>;

interface Result extends PeakMemory {
  readonly name: string;
  /** Of the whole process, s. */
  readonly wall: number;
  /** By stage, s. */
  readonly seconds: Readonly<Record<string, number>>;
  readonly lnEvidence: number;
  readonly nEffective: number;
}

function readSettings(args: string[]) {
  const { values } = parseArgs({ args, options: OPTIONS });
  const { event, bank, "dot-pe": checkout } = values;
  if (!event || !bank || !checkout)
    throw new Error("expected --python PY --dot-pe CHECKOUT --event E --bank B");
  for (const path of [event, bank, checkout, values.binary])
    if (!existsSync(path)) throw new Error(`${path}: no such file or folder`);
  const peers = [...values.peers.split(",").filter(Boolean), ...(values.multicore ? ["multicore"] : [])];
  return { ...values, event: resolve(event), bank: resolve(bank), checkout: resolve(checkout), peers };
}

/** Runs a command to its end; @throws Error with the end of what it printed if it fails. */
async function run(command: string[], log: string) {
  const start = performance.now();
  const child = Bun.spawn(command, { stdin: "ignore", stdout: "pipe", stderr: Bun.file(log) });
  const stop = watchMemory(child.pid);
  const stdout = await new Response(child.stdout).text();
  const code = await child.exited;
  const wall = (performance.now() - start) / 1000;
  const memory = stop();
  if (code !== 0) {
    const said = `${stdout}\n${readFileSync(log, "utf8")}`.trim().split("\n").slice(-15).join("\n");
    throw new Error(`${command[0]} ended with code ${code}:\n${said}`);
  }
  return { wall, stdout, memory };
}

async function runPeer(peer: string, settings: Settings, folder: string): Promise<Result> {
  const number = (name: keyof Settings) => Number(settings[name] as string);
  const optional = (name: keyof Settings) => (settings[name] === undefined ? undefined : number(name));
  const kwargs = {
    ...{ event: settings.event, bank_folder: settings.bank, event_dir: join(folder, peer) },
    ...{ n_ext: number("n-ext"), n_phi: number("n-phi"), n_t: number("n-t"), seed: number("seed") },
    ...{ n_int: optional("n-int"), mchirp_guess: optional("mchirp-guess") },
  };
  const checkout = peer === "multicore" ? resolve(settings.multicore as string) : settings.checkout;
  const call = JSON.stringify({ checkout, peer, n_procs: number("n-procs"), kwargs });
  const driver = join(import.meta.dir, "driver.py");
  const { wall, stdout, memory } = await run([settings.python, driver, call], join(folder, `${peer}.log`));
  const line = stdout.split("\n").findLast((text) => text.startsWith("RESULT "));
  if (line === undefined) throw new Error(`${peer}: found no RESULT in its output`);
  const { seconds, rundir } = JSON.parse(line.slice("RESULT ".length));
  return { name: `dot_pe ${peer}`, wall, seconds, ...memory, ...summaryOf(rundir) };
}

async function runOurs(settings: Settings, folder: string, k: number): Promise<Result> {
  const rundir = join(folder, `ours-${k}`);
  const flags = (["n-ext", "n-phi", "n-t", "seed", "n-procs", "n-int"] as const).flatMap((name) =>
    settings[name] === undefined ? [] : [`--${name}`, settings[name]],
  );
  const command = [
    settings.binary,
    "run",
    settings.event,
    settings.bank,
    ...flags,
    "--quiet",
    "--no-tune",
    "--rundir",
    rundir,
  ];
  const { wall, memory } = await run(command, join(folder, "ours.log"));
  const { stages } = JSON.parse(readFileSync(join(rundir, "timings.json"), "utf8"));
  const seconds = Object.fromEntries(
    stages.map(({ name, seconds }: { name: string; seconds: number }) => [name, seconds]),
  );
  return { name: "dotpe-hpc", wall, seconds, ...memory, ...summaryOf(rundir) };
}

function summaryOf(rundir: string): { lnEvidence: number; nEffective: number } {
  // Python writes infinities into JSON, which has none.
  const text = readFileSync(join(rundir, "summary_results.json"), "utf8").replace(/-?Infinity|NaN/g, "null");
  const summary = JSON.parse(text);
  return { lnEvidence: summary.ln_evidence, nEffective: summary.n_effective };
}

/** Ours first; of each peer its figure and how many times ours that is. */
export function sideBySide(results: readonly Result[]): string {
  const [ours, ...peers] = results;
  const head = ["", ours.name, ...peers.flatMap(({ name }) => [name, ""])];
  const line = (label: string, of: (result: Result) => number, isRatio = true) => [
    ...[label, brief(of(ours))],
    ...peers.flatMap((peer) => [brief(of(peer)), isRatio ? `${(of(peer) / of(ours)).toFixed(1)}x` : ""]),
  ];
  return formatTable([
    head,
    ...STAGES.map((stage) => line(`${stage} s`, ({ seconds }) => seconds[stage] ?? Number.NaN)),
    line("whole process s", ({ wall }) => wall),
    line("memory MB", ({ ownMB }) => ownMB),
    line("resident MB", ({ rssMB }) => rssMB),
    line("ln evidence", ({ lnEvidence }) => lnEvidence, false),
    line("effective samples", ({ nEffective }) => nEffective, false),
  ]);
}

const NOTES = `
start: loading the program or importing the modules. whole process: from its start to its end, files written.
The extrinsic stage of dotpe-hpc runs beside the incoherent one; its line is what was left of it afterwards.
memory: anonymous and shared, of all processes, each page once. resident: mapped files too, shared pages for each process.
ln evidence: docs/differences-from-dot_pe.md says why it differs.`;

async function main(args: string[]): Promise<void> {
  const settings = readSettings(args);
  const folder = settings.keep ?? mkdtempSync(join(tmpdir(), "dotpe-peers-"));
  try {
    const ours: Result[] = [];
    for (let k = 0; k <= Number(settings.repeats); k++) {
      const result = await runOurs(settings, folder, k);
      if (k > 0) ours.push(result);
    }
    const results = [ours.reduce((best, one) => (one.wall < best.wall ? one : best))];
    for (const peer of settings.peers) {
      console.error(`${peer} ...`);
      results.push(await runPeer(peer, settings, folder));
    }
    console.log(sideBySide(results) + NOTES);
    if (settings.json) writeFileSync(settings.json, JSON.stringify({ settings, results }, null, 1) + "\n");
  } finally {
    if (settings.keep === undefined) rmSync(folder, { recursive: true, force: true });
  }
}

if (import.meta.main) {
  try {
    await main(process.argv.slice(2));
  } catch (error) {
    console.error(`error: ${error instanceof Error ? error.message : error}`);
    process.exitCode = 1;
  }
}
