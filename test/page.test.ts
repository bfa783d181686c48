/** The page of a run of the fixture's event and bank. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { redshiftAt } from "../src/gw/cosmology.ts";
import { encodeFeather, readFeather } from "../src/io/feather.ts";
import { parseRunOptions } from "../src/options.ts";
import { runInference } from "../src/pipeline.ts";
import { escapeHtml } from "../src/report/html.ts";
import { intervalOf, writeInterval } from "../src/report/interval.ts";
import { areaText, pageOf, writeReport } from "../src/report/page.ts";
import type { Published } from "../src/report/published.ts";
import { SILENT_REPORTER } from "../src/report/reporter.ts";
import { readRun } from "../src/report/run-report.ts";
import { FIXTURES } from "./helpers.ts";

const folder = mkdtempSync(join(tmpdir(), "dotpe-page-"));
const rundir = join(folder, "run");
const PUBLISHED: Published = {
  label: "A & B",
  citation: "Nobody <et al.>",
  values: { mchirp_source: { median: 24.1, lo: 23, hi: 25.5 } },
  skyArea90: 87,
};

beforeAll(async () => {
  const flags = ["--rundir", rundir, "--seed", "1", "--n-procs", "1", "--n-ext", "256", "--n-draws", "500"];
  const inputs = [join(FIXTURES, "events/GW170814.npz"), join(FIXTURES, "banks/s")];
  await runInference(parseRunOptions([...inputs, ...flags]), SILENT_REPORTER);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A copy of the run in which a file is replaced. */
function changed(name: string, content: string | Uint8Array): string {
  const copy = mkdtempSync(join(folder, "copy-"));
  cpSync(rundir, copy, { recursive: true });
  writeFileSync(join(copy, name), content);
  return copy;
}

function changedJson(name: string, values: object): string {
  const old = JSON.parse(readFileSync(join(rundir, name), "utf8"));
  return changed(name, JSON.stringify({ ...old, ...values }));
}

const VOID = new Set(["meta", "br", "img", "link", "input", "hr"]);

/** Opening tags of a page; throws unless every element is closed in its turn and every attribute is quoted. */
function elementsOf(html: string): { name: string; attributes: Record<string, string> }[] {
  const open: string[] = [];
  const found: { name: string; attributes: Record<string, string> }[] = [];
  const body = html.replace(/^<!doctype html>\n/, "").replace(/<style>[^<]*<\/style>/, "");
  for (const [whole, text, slash, name, rest, closed] of body.matchAll(
    /([^<>]+)|<(\/?)([a-z][a-z0-9-]*)((?:\s+[a-zA-Z][a-zA-Z0-9-]*="[^"<>]*")*)\s*(\/?)>|[<>]/g,
  )) {
    if (text !== undefined) {
      if (/&(?!amp;|lt;|gt;|quot;|#39;)/.test(text)) throw new Error(`bare ampersand in ${text}`);
    } else if (name === undefined) throw new Error(`stray ${whole}`);
    else if (slash === "/") {
      const last = open.pop();
      if (last !== name) throw new Error(`</${name}> closes <${last}>`);
    } else {
      const attributes = [...rest.matchAll(/([a-zA-Z][a-zA-Z0-9-]*)="([^"]*)"/g)].map(([, key, value]) => [
        key,
        value,
      ]);
      found.push({ name, attributes: Object.fromEntries(attributes) });
      if (closed !== "/" && !VOID.has(name)) open.push(name);
    }
  }
  if (open.length > 0) throw new Error(`never closed: ${open.join(" ")}`);
  return found;
}

const textOf = (html: string) => html.replace(/<[^>]*>/g, " ").replace(/\s+/g, " ");

describe("the page", () => {
  test("is well formed, has no script, and refers to nothing elsewhere", () => {
    const html = pageOf(readRun(rundir), { published: PUBLISHED, warnings: ["a <b> & c"] });
    const elements = elementsOf(html);
    const names = new Set(elements.map(({ name }) => name));
    for (const name of ["script", "link", "iframe", "object", "embed", "img", "base", "form", "use"])
      expect(names.has(name)).toBe(false);
    for (const { attributes } of elements)
      for (const name of Object.keys(attributes))
        expect(/^(on.*|href|src|srcset|action|data)$/.test(name)).toBe(false);
    expect(html).not.toMatch(/https?:|\/\/|@import|url\(/);
    const policy = elements.find(({ attributes }) => attributes["http-equiv"] === "Content-Security-Policy");
    expect(policy?.attributes.content).toBe("default-src 'none'; style-src 'unsafe-inline'");
    expect(elements.filter(({ name }) => name === "svg")).toHaveLength(11);
    expect(html).toContain("a &lt;b&gt; &amp; c");
  });

  test("has the numbers of the run's files", () => {
    const html = pageOf(readRun(rundir), {});
    const text = textOf(html);
    const samples = readFeather(join(rundir, "samples.feather"));
    const [m1, m2, d] = ["m1", "m2", "d_luminosity"].map((name) => samples.f64(name));
    const mchirp = samples.f64("mchirp");
    const shown = (values: Float64Array) => {
      const { median, plus, minus } = writeInterval(intervalOf(values.toSorted()));
      return `${median} ${plus} ${minus}`.replaceAll("-", "\u2212");
    };
    const source = (masses: Float64Array) => masses.map((m, k) => m / (1 + redshiftAt(d[k])));
    expect(text).toContain(`chirp mass (detector frame) M ☉ ${shown(mchirp)}`);
    expect(text).toContain(`chirp mass (source frame) M ☉ ${shown(source(mchirp))}`);
    expect(text).toContain(`mass 1 (source frame) M ☉ ${shown(source(m1))}`);
    expect(text).toContain(`mass ratio m2/m1 ${shown(m1.map((m, k) => m2[k] / m))}`);
    expect(text).toContain(`effective spin ${shown(samples.f64("chieff"))}`);
    expect(text).toContain(`luminosity distance Mpc ${shown(d)}`);
    expect(text).toContain(`cos theta_JN ${shown(samples.f64("costheta_jn"))}`);
    const summary = JSON.parse(readFileSync(join(rundir, "summary_results.json"), "utf8"));
    expect(text).toContain(`${summary.ln_evidence.toFixed(3)} ± ${summary.ln_evidence_error.toFixed(3)}`);
    expect(text).toContain(`effective bank samples ${summary.n_effective_i_merged.toFixed(1)}`);
    expect(text).toContain(
      "LIGO Hanford, LIGO Livingston and Virgo around GPS time 1186741861.5, 15 to 512 Hz",
    );
    expect(text).toContain("96 waveforms");
  });

  test("says how the sky was found, and sets published values beside", () => {
    const report = readRun(rundir);
    const [half, most] = report.sky!.regions.map(({ area }) => areaText(area));
    const text = textOf(pageOf(report, { published: PUBLISHED }));
    expect(text).toContain(`50% of the probability within ${half} deg²`);
    expect(text).toContain(`90% within ${most} deg² (A &amp; B: 87 deg²)`);
    expect(text).toContain("A &amp; B: Nobody &lt;et al.&gt;");
    expect(text).toContain("24.1 +1.4 \u22121.1");
    expect(pageOf(report, {}).match(/class="published"/g)).toBeNull();
    expect(pageOf(report, { published: PUBLISHED }).match(/class="published"/g)).toHaveLength(1);
    // A direction's weight is that of the rows of its extrinsic samples.
    const rows = readFeather(join(rundir, "prob_samples.feather"));
    const extrinsic = readFeather(join(rundir, "extrinsic_samples.feather"));
    const [lon, lat] = [extrinsic.f64("lon"), extrinsic.f64("lat")];
    const weights = new Map<string, number>();
    const weight = rows.f64("weights");
    rows.f64("e").forEach((e, k) => {
      const direction = `${lon[e]} ${lat[e]}`;
      weights.set(direction, (weights.get(direction) ?? 0) + weight[k]);
    });
    const squares = [...weights.values()].reduce((sum, w) => sum + w * w, 0);
    expect(report.sky!.nEffective).toBeCloseTo(1 / squares, 6);
  });

  test("escapes what files say", () => {
    const hostile = `<script>alert(1)</script>&"'`;
    const copy = changedJson("run_kwargs.json", {
      event: `${hostile.replace("</", "<")}.npz`,
      bank_folder: hostile,
      "<img src=x onerror=alert(1)>": hostile,
    });
    const path = join(copy, "report.html");
    writeReport(copy, path, {
      warnings: [hostile],
      commands: [hostile],
      steps: [{ name: hostile, seconds: 1 }],
    });
    const html = readFileSync(path, "utf8");
    const names = elementsOf(html).map(({ name }) => name);
    expect(names).not.toContain("script");
    expect(names).not.toContain("img");
    expect(html).toContain(escapeHtml(hostile));
    expect(html).toContain("<title>&lt;script&gt;alert(1)&lt;script&gt;&amp;&quot;&#39;: posterior</title>");
  });

  test("without timings, reference and map", () => {
    const copy = changedJson("summary_results.json", { ln_evidence_error: null, n_rows: null });
    for (const name of ["timings.json", "reference.npz"]) rmSync(join(copy, name));
    const few = readFeather(join(copy, "extrinsic_samples.feather"));
    const column = (name: string) => ({ name, type: "f64", data: few.f64(name).fill(0.1) }) as const;
    writeFileSync(join(copy, "extrinsic_samples.feather"), encodeFeather([column("lat"), column("lon")]));
    const html = pageOf(readRun(copy), {});
    elementsOf(html);
    expect(html).toContain("This run has no timings.json.");
    expect(html).toContain("too few directions for a map");
    expect(html).toContain("not known");
  });
});

describe("what is not a run", () => {
  const failureOf = (directory: string) => {
    try {
      readRun(directory);
    } catch (error) {
      const { exit, message } = error as { exit: string; message: string };
      return { exit, message };
    }
    return { exit: "none", message: "" };
  };

  test("no summary", () => {
    expect(failureOf(join(folder, "nothing")).exit).toBe("noInput");
  });

  test("a field of another type, a column that is missing, a number that is none", () => {
    const wrong = failureOf(changedJson("summary_results.json", { ln_evidence: "high" }));
    expect(wrong.exit).toBe("badData");
    expect(wrong.message).toContain("ln_evidence: found");
    const samples = readFeather(join(rundir, "samples.feather"));
    const column = (name: string, values = samples.f64(name)) =>
      ({ name, type: "f64", data: values }) as const;
    const missing = changed("samples.feather", encodeFeather([column("m1"), column("m2")]));
    expect(failureOf(missing)).toMatchObject({
      exit: "badData",
      message: expect.stringContaining("d_luminosity"),
    });
    const nan = samples.f64("m1").fill(Number.NaN, 3, 4);
    const notFinite = failureOf(changed("samples.feather", encodeFeather([column("m1", nan)])));
    expect(notFinite.exit).toMatch(/notFinite|badData/);
  });

  test("rows of another run's extrinsic samples", () => {
    const rows = encodeFeather([
      { name: "e", type: "f64", data: Float64Array.of(0, 256) },
      { name: "weights", type: "f64", data: Float64Array.of(0.5, 0.5) },
    ]);
    expect(failureOf(changed("prob_samples.feather", rows))).toMatchObject({
      exit: "mismatch",
      message: expect.stringContaining("found 256, expected 0 to 255"),
    });
  });
});

test("intervals have two digits on their wider side", () => {
  const written = (lo: number, median: number, hi: number) => {
    const { median: m, plus, minus } = writeInterval({ lo, median, hi });
    return `${m} ${plus} ${minus}`;
  };
  expect(written(23, 24.1, 25.5)).toBe("24.1 +1.4 -1.1");
  expect(written(380.2, 600.4, 750)).toBe("600 +150 -220");
  expect(written(-0.12, -0.001, 0.1)).toBe("0.00 +0.10 -0.12");
  expect(written(1, 1, 1)).toBe("1.00 +0.00 -0.00");
});
