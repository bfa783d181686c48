/** The definitions of the kernels of stage 4: ref-<topic>.ts for c/<topic>.c. Arguments: `extrinsic-table.ts`. */
import type { ExtrinsicKernels } from "./extrinsic-table.ts";
import { distanceMarginal } from "./ref-distance.ts";

export const extrinsicReference: ExtrinsicKernels = { distanceMarginal };
