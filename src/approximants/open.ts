/** Opens what makes the waveforms of a request. */
import { DotpeError } from "../errors.ts";
import type { WaveformRequest, WaveformSource } from "./source.ts";

/** @throws DotpeError usage for an approximant that nothing here makes. */
export async function openWaveforms(request: WaveformRequest): Promise<WaveformSource> {
  throw new DotpeError("usage", `approximant ${request.approximant}: not known`, "");
}
