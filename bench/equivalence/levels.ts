/** The whole comparison with the reference runs, in the order of the table 'Equivalence'. */
import { accuracyLevel } from "./accuracy-level.ts";
import { coherentLevel } from "./coherent-level.ts";
import { incoherentLevel } from "./incoherent-level.ts";
import { kernelLevel } from "./kernel-level.ts";
import type { Level } from "./level.ts";
import { weightsLevel } from "./weights-level.ts";

/** What must be the same as in the reference run. */
export const SAME: readonly Level[] = [kernelLevel, weightsLevel, incoherentLevel, coherentLevel];
/** What must be right whatever the reference run found. */
export const RIGHT: readonly Level[] = [accuracyLevel];
