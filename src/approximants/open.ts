/** Opens what makes the waveforms of a request. */
import { DotpeError } from "../errors.ts";
import type { WaveformRequest, WaveformSource } from "./source.ts";

/** Made without a LALSimulation. */
export const BUILT_IN = ["IMRPhenomD"] as const;

/**
 * The built-in approximant of that name.
 * @throws DotpeError usage for a name that nothing here makes, and what the source throws for the rest of the request.
 */
export async function openWaveforms(request: WaveformRequest): Promise<WaveformSource> {
  if (request.approximant === "IMRPhenomD" && request.lal === null) {
    const { openPhenomD } = await import("./phenom-d.ts");
    return openPhenomD(request);
  }
  throw new DotpeError(
    "usage",
    `approximant: found ${request.approximant}, expected ${BUILT_IN.join(" or ")}, or a LALSimulation that has it`,
    "Other approximants come from LALSimulation: give its library with --lal PATH.",
  );
}
