/** The part that is used; the package has no types of its own. */
declare module "d3-geo-projection" {
  import type { GeoProjection } from "d3-geo";
  export function geoMollweide(): GeoProjection;
}
