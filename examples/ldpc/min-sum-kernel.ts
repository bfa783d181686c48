/**
 * One iteration of min-sum on many frames at once, in WebAssembly, since JavaScript has no vector instructions: eight frames
 * in the 16-bit lanes of a vector. No lane looks at another, so a frame's numbers do not depend on its neighbours.
 */
import { MAX } from "./plain-decoder.ts";
import { assemble, type Code, constant, I, Locals, V } from "./wasm.ts";

/** Frames in a vector. */
export const LANES = 8;
const VECTOR_BYTES = 16;

/**
 * run(starts, bits, syndromes, messages, before, after, unmatched, stride, width, n_checks): addresses in the memory.
 * starts [n_checks + 1] i32; bits [edge] i32: bit * stride; of 16-bit numbers, frames fastest, `stride` bytes apart:
 * syndromes [check, frame] 0 or -1; messages [edge, frame] in and out; before, after [bit, frame] beliefs in the bits;
 * unmatched [frame]: its sign is set if the decision on `before` does not have the syndrome. `after` holds PRIOR, and
 * `unmatched` 0, on entry. `width` bytes of each row of frames are worked on.
 */
const parameters = [
  ...[
    "starts",
    "bits",
    "syndromes",
    "messages",
    "before",
    "after",
    "unmatched",
    "stride",
    "width",
    "n_checks",
  ],
] as const;
const integers = ["check", "edge", "frame", "end", "bit", "message", "place"] as const;
const vectors = ["q", "least", "second", "sign", "parity", "weak", "strong"] as const;
type Name = (typeof parameters)[number] | (typeof integers)[number] | (typeof vectors)[number];

const locals = new Locals(parameters, integers, vectors);
const get = (name: Name) => locals.get(name);
const set = (name: Name, ...value: Code[]): Code => [...value.flat(), ...locals.set(name)];
const add = (a: Code, b: Code): Code => [...a, ...b, ...I.add];
const times = (a: Code, b: Code): Code => [...a, ...b, ...I.mul];
const integerAt = (address: Code): Code => [...address, ...I.load];
const vectorAt = (address: Code): Code => [...address, ...V.load];
const store = (address: Code, value: Code): Code => [...address, ...value, ...V.store];
const of = (operation: Code, ...values: Code[]): Code => [...values.flat(), ...operation];
const splat = (n: number) => of(V.splat, constant(n));
const address = (base: Name, row: Name) => add(add(get(base), times(get(row), get("stride"))), get("frame"));

/** Where the belief in the edge's bit stands in a [bit, frame] array, and the edge's message. */
const findEdge: Code[] = [
  set("bit", add(integerAt(add(get("bits"), times(get("edge"), constant(4)))), get("frame"))),
  set("message", address("messages", "edge")),
];
const belief = vectorAt(add(get("before"), get("bit")));
/** What the bit says to this check: its belief without this check's own message. */
const q = of(V.sub, belief, vectorAt(get("message")));
/** As `softened` of plain-decoder.ts. */
const softened = (name: Name) =>
  of(V.min, of(V.sub, get(name), of(V.shiftRight, get(name), constant(2))), splat(MAX));

const gather: Code[] = [
  ...findEdge,
  set("parity", of(V.xor, get("parity"), belief)),
  set("q", q),
  set("sign", of(V.xor, get("sign"), get("q"))),
  set("q", of(V.abs, get("q"))),
  set("second", of(V.min, get("second"), of(V.max, get("least"), get("q")))),
  set("least", of(V.min, get("least"), get("q"))),
];

/** The least of the others is the second least for the bit that has the least; with two of them, both are the same. */
const answer: Code[] = [
  ...findEdge,
  set("q", q),
  // -1 where the answer is negative: the sign of all without the bit's own.
  set("parity", of(V.shiftRight, of(V.xor, get("q"), get("sign")), constant(15))),
  set("q", of(V.select, get("weak"), get("strong"), of(V.equal, of(V.abs, get("q")), get("least")))),
  set("q", of(V.sub, of(V.xor, get("q"), get("parity")), get("parity"))),
  store(get("message"), get("q")),
  set("place", add(get("after"), get("bit"))),
  store(get("place"), of(V.add, vectorAt(get("place")), get("q"))),
];

const oneVector: Code[] = [
  set("least", splat(32767)),
  set("second", splat(32767)),
  set("sign", vectorAt(address("syndromes", "check"))),
  set("parity", get("sign")),
  locals.loop("edge", integerAt(get("place")), get("end"), 1, gather),
  set("place", add(get("unmatched"), get("frame"))),
  store(get("place"), of(V.or, vectorAt(get("place")), get("parity"))),
  set("weak", softened("second")),
  set("strong", softened("least")),
];

const checkAddress = add(get("starts"), times(get("check"), constant(4)));
const perVector: Code[] = [
  set("place", checkAddress),
  ...oneVector,
  locals.loop("edge", integerAt(checkAddress), get("end"), 1, answer),
];
const perCheck: Code[] = [
  set("end", integerAt(add(checkAddress, constant(4)))),
  locals.loop("frame", constant(0), get("width"), VECTOR_BYTES, perVector),
];

const CODE = new WebAssembly.Module(
  assemble(locals, [locals.loop("check", constant(0), get("n_checks"), 1, perCheck)]),
);

export type Iterate = (...addresses: number[]) => void;

export function openKernel(memory: WebAssembly.Memory): Iterate {
  return new WebAssembly.Instance(CODE, { env: { memory } }).exports.run as Iterate;
}
