/** One reference run with its inputs: what every level of the comparison reads. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import * as v from "valibot";
import type { Event } from "../../src/gw/event.ts";
import { type ReferenceWithH0, readReference } from "../../src/gw/reference-file.ts";
import { readJson } from "../../src/io/json.ts";
import { loadKernels } from "../../src/kernels/table.ts";
import type { BankBins } from "../../src/stages/bank-samples.ts";
import type { ExtrinsicSet } from "../../src/stages/coherent-plan.ts";
import { extrinsicSet, importExtrinsic } from "../../src/stages/extrinsic-samples.ts";
import { CASES, openCase, type ReferenceCase, runPath } from "../../test/reference-cases.ts";

export interface Digest {
  readonly max_bestfit_lnlike: number;
  readonly kwargs: { readonly n_phi: number; readonly n_t: number; readonly seed: number };
}

export interface Subject extends ReturnType<typeof openCase> {
  readonly one: ReferenceCase;
  readonly bins: BankBins;
  /** Of the reference run. */
  readonly digest: Digest;
  readonly reference: ReferenceWithH0;
  readonly extrinsic: ExtrinsicSet;
}

const DigestSchema = v.object({
  max_bestfit_lnlike: v.number(),
  kwargs: v.object({ n_phi: v.number(), n_t: v.number(), seed: v.number() }),
});

export function openSubject(one: ReferenceCase): Subject {
  const opened = openCase(one);
  const { event, banks, band, mArr } = opened;
  return {
    ...opened,
    one,
    bins: { banks, mArr, b0: band.b0, fbin: band.fbin },
    digest: v.parse(DigestSchema, readJson(runPath(one, "digest.json"))),
    reference: readReference(runPath(one, "reference.npz"), event, band, mArr, loadKernels("auto")),
    extrinsic: readExtrinsic(one, event),
  };
}

/** The run's extrinsic samples; arrival times count from the start of the segment. */
export function readExtrinsic(one: ReferenceCase, event: Event): ExtrinsicSet {
  const path = runPath(one, "extrinsic_samples.feather");
  return extrinsicSet(importExtrinsic(path, { nExt: 0, given: [] }), event);
}

/** The cases in a folder laid out as the reference data. */
export function casesIn(root: string): ReferenceCase[] {
  return CASES.map((one) => ({ ...one, root, absent: !existsSync(join(root, "runs", one.name)) }));
}

/** The first n_e extrinsic samples. */
export function firstSamples(
  { n_e: all, response_dpe, arrival_de }: ExtrinsicSet,
  n_e: number,
): ExtrinsicSet {
  const first = (x: Float64Array) => x.filter((_, k) => k % all < n_e);
  return { n_e, response_dpe: first(response_dpe), arrival_de: first(arrival_de) };
}
