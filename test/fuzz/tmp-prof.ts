import { writeFileSync } from "node:fs";
import { formatNamed } from "./formats.ts";
import { readInput } from "./outcome.ts";
import { Random } from "./random.ts";

const f = formatNamed(process.argv[2]);
const seeds = [...(await f.seeds())];
let tm = 0,
  tw = 0,
  tr = 0,
  max = 0;
for (let k = 0; k < 300; k++) {
  let t = performance.now();
  const b = f.make(new Random("1", f.name, k), seeds);
  tm += performance.now() - t;
  max = Math.max(max, b.length);
  t = performance.now();
  writeFileSync("/tmp/x." + f.extension, b);
  tw += performance.now() - t;
  t = performance.now();
  const o = readInput(f, "/tmp/x." + f.extension);
  tr += performance.now() - t;
  if (process.argv[3]) console.log(o.signature);
}
console.log(f.name, "make", tm / 300, "write", tw / 300, "read", tr / 300, "max", max);
