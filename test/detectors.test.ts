import { expect, test } from "bun:test";
import { DotpeError } from "../src/errors.ts";
import {
  antennaPatterns,
  arrivalTimes,
  detectorResponses,
  detectorsNamed,
  geocenterDelays,
} from "../src/gw/detectors.ts";

const HLV = detectorsNamed("HLV");

function largestDifference(found: Float64Array, expected: number[]): number {
  expect(found.length).toBe(expected.length);
  return found.reduce((largest, x, n) => Math.max(largest, Math.abs(x - expected[n]!)), 0);
}

/** Directions and values of LALSuite 7.26.16: ArrivalTimeDiff and ComputeDetAMResponse with the Earth unturned. */
const lon = Float64Array.of(0.3, 2.5, 5.9);
const lat = Float64Array.of(-1.2, 0.1, 0.9);
const psi = Float64Array.of(0.2, 1.4, 2.9);
const lalDelay_de = [
  [0.018167787330263335, 0.0003378049295033112, -0.010836370115950157],
  [0.012073052970288664, 0.009646148095555284, -0.012542648038003805],
  [0.008061908976358086, 0.008956157727687462, -0.019530384826940035],
].flat();
const lalResponse_dpe = [
  [0.49155479765995064, 0.01309415237121575, 0.26989705584260826],
  [-0.7139870522538223, 0.008592216829548763, -0.561235480623441],
  [-0.47235132380589234, -0.40223763353028585, 0.033904700483520345],
  [0.4568041077579088, -0.20957575340957996, 0.6223699845824986],
  [-0.19722370341108972, 0.4410609637760645, -0.8776928955872425],
  [0.4488366566478571, 0.06864072388462171, -0.28493877669322143],
].flat();

/** Samples 0, 17, 40, 63 of the reference run "small": extrinsic_samples.feather and response_dpe.npy. */
const runLat = Float64Array.of(
  -0.8765343277721745,
  -0.8032985253368328,
  -0.8074058155527744,
  -0.3728603387556304,
);
const runLon = Float64Array.of(4.878021244632701, 4.914250617557072, 4.933853021660828, 5.111764346723136);
const runPsi = Float64Array.of(
  0.2287766474977227,
  1.2996132117856725,
  1.5282428800050503,
  1.8799313138028562,
);
const runResponse_dpe = [
  [-0.17690551180645117, 0.4688131155616757, 0.347640066525839, -0.04646184936844857],
  [0.45419367646374575, -0.1514372817613616, -0.35539471621041846, -0.4649558863053927],
  [0.30024983781521897, -0.5027991591863188, -0.45487532592190993, -0.22786695568651108],
  [-0.37083577532048695, -0.014178411597089812, 0.21861385952956822, 0.6006198771807493],
  [0.47781258662985115, -0.46627497988201844, -0.5044051286133556, -0.10527974388196974],
  [-0.3055005124920872, -0.20793610142412164, 0.04413914694976209, 0.03540866568971514],
].flat();

test("delays agree with LALSuite", () => {
  expect(largestDifference(geocenterDelays(HLV, lat, lon), lalDelay_de)).toBeLessThan(1e-12);
});

test("arrival times add the geocentre's time and tcoarse", () => {
  const tGeocenter = Float64Array.of(0.01, -0.02, 0.03);
  const expected = lalDelay_de.map((delay, n) => delay + tGeocenter[n % 3]! + 24);
  expect(largestDifference(arrivalTimes(HLV, lat, lon, tGeocenter, 24), expected)).toBeLessThan(1e-12);
});

test("responses agree with LALSuite", () => {
  expect(largestDifference(detectorResponses(HLV, lat, lon, psi), lalResponse_dpe)).toBeLessThan(1e-14);
});

test("responses agree with a reference run", () => {
  const found = detectorResponses(HLV, runLat, runLon, runPsi);
  expect(largestDifference(found, runResponse_dpe)).toBeLessThan(1e-14);
});

test("antenna patterns are the responses at psi = 0, and turn over at psi = pi/2", () => {
  const patterns = antennaPatterns(HLV, lat, lon);
  const zero = detectorResponses(HLV, lat, lon, new Float64Array(3));
  const quarter = detectorResponses(HLV, lat, lon, new Float64Array(3).fill(Math.PI / 2));
  expect(largestDifference(zero, Array.from(patterns))).toBe(0);
  expect(
    largestDifference(
      quarter,
      Array.from(patterns, (x) => -x),
    ),
  ).toBeLessThan(1e-15);
});

test("detectors keep the order asked for; others are refused with their name", () => {
  expect(detectorsNamed(["V", "H"]).map((site) => site.name)).toEqual(["V", "H"]);
  let thrown: unknown;
  try {
    detectorsNamed("HK", "event.npz: detector_names");
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toBeInstanceOf(DotpeError);
  expect((thrown as DotpeError).exit).toBe("badData");
  expect((thrown as DotpeError).message).toBe(
    'event.npz: detector_names: found detector "K", expected one of H, L, V',
  );
});
