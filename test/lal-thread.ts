/** A thread of lal.test.ts: makes the waveforms of some samples and tells their checksums. */
import { createHash } from "node:crypto";
import { parentPort, workerData } from "node:worker_threads";
import { openLal } from "../src/approximants/lal.ts";
import type { WaveformParameters, WaveformRequest } from "../src/approximants/source.ts";

const { request, samples } = workerData as { request: WaveformRequest; samples: WaveformParameters[] };
const source = await openLal(request);
const amplitude_mpb = new Float64Array(source.m_arr.length * 2 * request.f.length);
const phase_mpb = new Float64Array(amplitude_mpb.length);
const sums = samples.map((sample) => {
  source.fill(sample, amplitude_mpb, phase_mpb);
  return createHash("sha256").update(amplitude_mpb).update(phase_mpb).digest("hex");
});
parentPort!.postMessage(sums);
