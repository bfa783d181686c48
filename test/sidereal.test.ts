import { expect, test } from "bun:test";
import { greenwichMeanSiderealTime } from "../src/gw/sidereal.ts";

/** [GPS time, GreenwichMeanSiderealTime] of LALSuite 7.26.16; among them the neighbours of leap seconds. */
const LAL: [number, number][] = [
  [0, -45991.088355155895],
  [0.5, -45991.08831869531],
  [46828799, -42576.27807846552],
  [46828800.25, -42576.27798731446],
  [46828801, -42576.27800554475],
  [183640000.125, -32599.847081175092],
  [630720013, 1.7447671633306125],
  [8e8, 12345.837539070446],
  [931072000, 21903.759487137017],
  [1119744016.75, 35661.94146227125],
  [1167264017.5, 39127.15489851579],
  [1167264018, 39127.154862055206],
  [1186741861.5, 40547.50177620557],
  [1263097407.7501235, 46115.436670779076],
  [1.5e9, 63390.64816210588],
];

for (const [tgps, expected] of LAL)
  test(`sidereal time at GPS ${tgps} agrees with LALSuite`, () => {
    expect(Math.abs(greenwichMeanSiderealTime(tgps) - expected)).toBeLessThan(1e-10);
  });

/** Astronomical Almanac 1981, 1987 April 10, 0h UT: 13h 10m 46.3668s (Meeus, Astronomical Algorithms, example 12.a). */
test("sidereal time agrees with the almanac's example", () => {
  const tgps = 2651 * 86400 + 4;
  const turn = 2 * Math.PI;
  const expected = ((13 * 3600 + 10 * 60 + 46.3668) / 86400) * turn;
  const found = ((greenwichMeanSiderealTime(tgps) % turn) + turn) % turn;
  expect(Math.abs(found - expected)).toBeLessThan(1e-8);
});
