/** Opens what makes the waveforms of a request. */
import { DotpeError } from "../errors.ts";
import type { WaveformRequest, WaveformSource } from "./source.ts";

const BUILT_IN = "IMRPhenomD";

/**
 * What is built in, unless the request names a LALSimulation; for other names the LALSimulation that it names or that is found.
 * @throws DotpeError noInput where one is needed and there is none; what `openPhenomD` and `openLal` throw.
 */
export async function openWaveforms(request: WaveformRequest): Promise<WaveformSource> {
  const { approximant, lal } = request;
  if (approximant === BUILT_IN && lal === null) {
    const { openPhenomD } = await import("./phenom-d.ts");
    return openPhenomD(request);
  }
  const { openLal } = await import("./lal.ts");
  try {
    return await openLal(request);
  } catch (error) {
    if (!(error instanceof DotpeError && error.exit === "noInput" && lal === null)) throw error;
    throw new DotpeError(
      "noInput",
      `approximant: found ${approximant}; ${BUILT_IN} is built in, others need a LALSimulation. ${error.message}`,
      `Choose ${BUILT_IN}, or give LALSimulation's library or an environment that has lalsuite with --lal PATH.`,
    );
  }
}
