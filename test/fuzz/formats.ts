/** The formats that are fuzzed. */
import { jsonConfig, yaml } from "./config.ts";
import { event } from "./event.ts";
import { feather } from "./feather.ts";
import type { Format } from "./format.ts";
import { bankConfig, json } from "./json.ts";
import { npy } from "./npy.ts";
import { npz } from "./npz.ts";
import { pack } from "./pack.ts";
import { reference } from "./reference.ts";

export const FORMATS: readonly Format[] = [
  ...[npy, npz, feather, json, yaml, jsonConfig],
  ...[bankConfig, event, reference, pack],
];

export function formatNamed(name: string): Format {
  const found = FORMATS.find((format) => format.name === name);
  if (found !== undefined) return found;
  throw new Error(`no format ${name}: there are ${FORMATS.map((format) => format.name).join(", ")}`);
}
