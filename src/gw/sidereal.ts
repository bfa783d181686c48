/** Sidereal time: how far the Earth has turned at a GPS time. */

const SECONDS_PER_DAY = 86400;
const DAYS_PER_CENTURY = 36525;
/** Julian day of the GPS epoch, 1980-01-06 00:00 UTC. */
const JULIAN_DAY_GPS_EPOCH = 2444244.5;
/** Julian day of J2000.0. */
const JULIAN_DAY_J2000 = 2451545;

/** Sidereal seconds per century: the turns of mean solar time, and what sidereal time gains on it. */
const TURNING = 876600 * 3600;
const DRIFT = 8640184.812866;

/** GPS seconds of the midnight (UTC) that ends each leap second since 1980 (IERS Bulletin C; none after 2017-01-01). */
const LEAP_SECOND_ENDS = [
  46828801, 78364802, 109900803, 173059204, 252028805, 315187206, 346723207, 393984008, 425520009, 457056010,
  504489611, 551750412, 599184013, 820108814, 914803215, 1025136016, 1119744017, 1167264018,
];

/** GPS - UTC in whole seconds at a GPS time (s >= 0). */
function gpsMinusUtc(tgps: number): number {
  let leapSeconds = 0;
  while (leapSeconds < LEAP_SECOND_ENDS.length && tgps >= LEAP_SECOND_ENDS[leapSeconds]!) leapSeconds++;
  return leapSeconds;
}

/**
 * Greenwich mean sidereal time (rad, not reduced modulo 2 pi) at a GPS time (s >= 0), with UT1 taken as UTC.
 *
 * Formula: IAU 1982 (Aoki et al. 1982, A&A 105, 359), 67310.54841 s + (876600 h + 8640184.812866 s) T
 * + 0.093104 s T^2 - 6.2e-6 s T^3, T in Julian centuries of UT from J2000. The whole seconds go through a Julian
 * day in double precision, whose rounding is 2e-5 s or 1.5e-9 rad: XLALGreenwichMeanSiderealTime does the same, and
 * the right ascensions of the field rest on it.
 */
export function greenwichMeanSiderealTime(tgps: number): number {
  const nanoseconds = Math.round((tgps - Math.floor(tgps)) * 1e9);
  const utc = Math.floor(tgps) - gpsMinusUtc(tgps);
  const day = Math.floor(utc / SECONDS_PER_DAY);
  const julianDay = JULIAN_DAY_GPS_EPOCH + day + (utc - day * SECONDS_PER_DAY) / SECONDS_PER_DAY;

  const wholeT = (julianDay - JULIAN_DAY_J2000) / DAYS_PER_CENTURY;
  const fractionT = nanoseconds / (1e9 * DAYS_PER_CENTURY * SECONDS_PER_DAY);
  const T = wholeT + fractionT;
  const slow = 67310.54841 + (0.093104 - 6.2e-6 * T) * T * T;
  const seconds = slow + DRIFT * fractionT + TURNING * fractionT + DRIFT * wholeT + TURNING * wholeT;
  return (seconds * 2 * Math.PI) / SECONDS_PER_DAY;
}
