/**
 * The definition of every kernel in TypeScript, and the fallback where no native code runs: ref-<topic>.ts for c/<topic>.c.
 * Arguments and layouts: `table.ts`.
 */
import { coherentTile } from "./ref-coherent.ts";
import { extrinsicReference } from "./ref-extrinsic.ts";
import { incoherentMax } from "./ref-incoherent.ts";
import { modeProducts } from "./ref-mode-products.ts";
import { packReference } from "./ref-pack.ts";
import { expandGrid, expandSet, project } from "./ref-project.ts";
import { rowReference } from "./ref-rows.ts";
import { setupReference } from "./ref-setup.ts";
import { singleReference } from "./ref-single.ts";
import { align, waveform, weighted } from "./ref-waveform.ts";
import type { Kernels } from "./table.ts";

export const referenceKernels: Kernels = {
  name: "ref",
  ...setupReference,
  ...extrinsicReference,
  ...rowReference,
  ...singleReference,
  ...packReference,
  waveform,
  align,
  weighted,
  modeProducts,
  project,
  expandGrid,
  expandSet,
  incoherentMax,
  coherentTile,
};
