/** Credible regions on the sky as SVG: all of it in Mollweide's projection, and a part of it enlarged. Right ascension grows leftwards. */
import { contours } from "d3-contour";
import { type GeoProjection, geoAzimuthalEqualArea, geoGraticule, geoPath } from "d3-geo";
import { geoMollweide } from "d3-geo-projection";
import type { SkyMap } from "../gw/sky-area.ts";
import { coordinate as at } from "./html.ts";

const DEGREE = Math.PI / 180;
const WHOLE = { width: 720, height: 372, margin: 6 };
const PART = { size: 300, margin: 8 };
/** Pixels between places where the density is looked up: contours are drawn between them. */
const GRID = 2;
/** Degrees between lines of the enlarged part: the first that leaves at most so many across. */
const SPACINGS = [0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30];
const LINES_ACROSS = 5;
/** The enlarged part shows this much more than the points inside; degrees at least and at most. */
const ROOM = 1.35;
const RADIUS = { min: 0.1, max: 75 };
/** Degrees of declination that have a label. */
const LABELLED = [-60, -30, 30, 60];

interface Frame {
  readonly projection: GeoProjection;
  readonly width: number;
  readonly height: number;
  /** Right ascension in the middle, degrees. */
  readonly middle: number;
}

/** The whole sky. */
export function wholeSky(map: SkyMap): string {
  const [x, y] = map.cap.centre;
  const ra = turned(Math.atan2(y, x) / DEGREE);
  // The seam is far from the region.
  const middle = Math.abs(ra - 180) < 90 ? 180 : 0;
  const { width, height, margin } = WHOLE;
  const box: [[number, number], [number, number]] = [
    [margin, margin],
    [width - margin, height - margin],
  ];
  const projection = geoMollweide().rotate([-middle, 0]).reflectX(true).fitExtent(box, { type: "Sphere" });
  const frame = { projection, width, height, middle };
  const path = geoPath(projection).digits(1);
  const graticule = geoGraticule()
    .step([30, 30])
    .extentMajor([
      [-180, -90],
      [180, 90],
    ]);
  const labels = [
    ...hoursOf(middle).map(({ degrees, text }) => label(projection, [degrees, 0], text, "below")),
    ...LABELLED.map((dec) => label(projection, [middle, dec], `${signed(dec)}°`, "right")),
  ];
  return figure(frame, "the sky, with the regions of 50% and 90% probability", [
    `<path class="sky" d="${path({ type: "Sphere" })}"/>`,
    `<path class="graticule" d="${path(graticule())}"/>`,
    regions(map, frame),
    `<path class="horizon" d="${path({ type: "Sphere" })}"/>`,
    ...labels,
  ]);
}

/** What lies around the regions. */
export function partOfSky(map: SkyMap): string {
  const [x, y, z] = map.cap.centre;
  const [ra, dec] = [turned(Math.atan2(y, x) / DEGREE), Math.asin(Math.min(1, Math.max(-1, z))) / DEGREE];
  const radius = Math.min(RADIUS.max, Math.max(RADIUS.min, (ROOM * map.cap.radius) / DEGREE));
  const { size, margin } = PART;
  // In an equal-area projection an angle a is 2 sin(a / 2) from the middle.
  const scale = (size / 2 - margin) / (2 * Math.sin((radius * DEGREE) / 2));
  const projection = geoAzimuthalEqualArea()
    .rotate([-ra, -dec])
    .reflectX(true)
    .translate([size / 2, size / 2])
    .scale(scale)
    .clipAngle(Math.min(179, 2 * radius))
    .clipExtent([
      [0, 0],
      [size, size],
    ])
    .precision(0.1);
  const frame = { projection, width: size, height: size, middle: ra };
  const path = geoPath(projection).digits(1);
  const spacing = spacingOf(2 * radius);
  const raSpacing = spacingOf((2 * radius) / Math.max(0.05, Math.cos(dec * DEGREE)));
  const graticule = geoGraticule()
    .step([raSpacing, spacing])
    .extent([
      [-180, -90],
      [180, 90],
    ]);
  return figure(frame, "the regions of 50% and 90% probability, enlarged", [
    `<rect class="sky" width="${size}" height="${size}"/>`,
    `<path class="graticule" d="${path(graticule.precision(Math.min(2.5, spacing / 4))())}"/>`,
    regions(map, frame),
    `<rect class="horizon" x="0.5" y="0.5" width="${size - 1}" height="${size - 1}"/>`,
    ...edgeLabels(projection, { ra, dec, spacing, raSpacing, size }),
  ]);
}

function figure({ width, height }: Frame, description: string, parts: readonly string[]): string {
  return `<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${description}">${parts.join("\n")}</svg>`;
}

/** The density on a grid of pixels, and where it crosses each region's threshold: the widest region first. */
function regions(map: SkyMap, frame: Frame): string {
  const [n_x, n_y] = [Math.ceil(frame.width / GRID), Math.ceil(frame.height / GRID)];
  const values = new Array<number>(n_x * n_y).fill(0);
  for (let j = 0; j < n_y; j++) {
    for (let i = 0; i < n_x; i++) {
      const place = placeAt(frame, (i + 0.5) * GRID, (j + 0.5) * GRID);
      if (place === undefined) continue;
      const [ra, dec] = place;
      const c = Math.cos(dec * DEGREE);
      values[j * n_x + i] = map.at(
        c * Math.cos(ra * DEGREE),
        c * Math.sin(ra * DEGREE),
        Math.sin(dec * DEGREE),
      );
    }
  }
  const lines = contours().size([n_x, n_y]);
  return map.regions
    .toSorted((a, b) => b.level - a.level)
    .map(({ level, threshold }) => {
      const { coordinates } = lines.contour(values, threshold);
      const d = coordinates
        .flat()
        .map((ring) => `M${ring.map(([x, y]) => `${at(GRID * x)} ${at(GRID * y)}`).join("L")}Z`);
      return `<path class="region-${Math.round(100 * level)}" d="${d.join("")}"/>`;
    })
    .join("\n");
}

/** Right ascension and declination (degrees) of a pixel; undefined beyond the sky's edge. */
function placeAt({ projection, middle }: Frame, x: number, y: number): [number, number] | undefined {
  const place = projection.invert?.([x, y]);
  if (!place || !Number.isFinite(place[0]) || !Number.isFinite(place[1])) return undefined;
  const back = projection(place);
  if (!back || Math.hypot(back[0] - x, back[1] - y) > 0.5) return undefined;
  // Beyond the edge the inverse goes on around the sky.
  return Math.abs(place[1]) > 90 || Math.abs(turned(place[0] - middle + 180) - 180) > 180 ? undefined : place;
}

function label(projection: GeoProjection, place: [number, number], text: string, side: "below" | "right") {
  const [x, y] = projection(place) as [number, number];
  const [dx, dy] = side === "below" ? [0, 13] : [4, -4];
  return `<text class="sky-label ${side}" x="${at(x + dx)}" y="${at(y + dy)}">${text}</text>`;
}

/** Every third hour, but at the seam. */
function hoursOf(middle: number): { degrees: number; text: string }[] {
  const hours = [3, 6, 9, 12, 15, 18, 21, 24].map((h) => h % 24);
  return hours
    .filter((hour) => 15 * hour !== turned(middle + 180))
    .map((hour) => ({ degrees: 15 * hour, text: `${hour}h` }));
}

interface Part {
  readonly ra: number;
  readonly dec: number;
  readonly spacing: number;
  readonly raSpacing: number;
  readonly size: number;
}

/** Right ascensions where their lines meet the lower edge, declinations where theirs meet the left one. */
function edgeLabels(projection: GeoProjection, { ra, dec, spacing, raSpacing, size }: Part): string[] {
  const labels: string[] = [];
  const along = (count: number, placeOf: (k: number) => [number, number] | null | undefined) =>
    Array.from({ length: count + 1 }, (_, k) => placeOf(k));
  const bottom = along(size, (k) => projection.invert?.([k, size - 1]));
  const left = along(size, (k) => projection.invert?.([1, k]));
  for (let k = 1; k <= size; k++) {
    const [p, q] = [bottom[k - 1], bottom[k]];
    const crossed = p && q && crossing(unwrapped(p[0], ra), unwrapped(q[0], ra), raSpacing);
    if (crossed !== undefined && crossed !== null && k > 30 && k < size - 12)
      labels.push(
        `<text class="sky-label above" x="${k}" y="${size - 6}">${shortNumber(turned(crossed))}°</text>`,
      );
    const [r, s] = [left[k - 1], left[k]];
    const level = r && s && crossing(r[1], s[1], spacing);
    if (level !== undefined && level !== null && k > 12 && k < size - 22 && Math.abs(dec) < 90)
      labels.push(`<text class="sky-label right" x="5" y="${k - 3}">${signed(level)}°</text>`);
  }
  return labels;
}

/** A multiple of `step` between two numbers. */
function crossing(a: number, b: number, step: number): number | undefined {
  const [low, high] = [Math.min(a, b), Math.max(a, b)];
  if (high - low > step) return undefined;
  const k = Math.ceil(low / step - 1e-12);
  return k * step < high ? k * step : undefined;
}

/** The turn of an angle (degrees) nearest to another. */
function unwrapped(angle: number, about: number): number {
  return about + turned(angle - about + 180) - 180;
}

function spacingOf(across: number): number {
  return SPACINGS.find((step) => across / step <= LINES_ACROSS) ?? SPACINGS[SPACINGS.length - 1];
}

/** Degrees to [0, 360). */
function turned(degrees: number): number {
  return ((degrees % 360) + 360) % 360;
}

function signed(degrees: number): string {
  return degrees > 0 ? `+${shortNumber(degrees)}` : shortNumber(degrees).replace("-", "\u2212");
}

function shortNumber(x: number): string {
  return String(Math.round(100 * x) / 100);
}
