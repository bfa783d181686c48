/** The Python dict literal in a .npy header: {'descr': '<f8', 'fortran_order': False, 'shape': (2, 3), }. */
import { DotpeError } from "../errors.ts";
import { clipped } from "./clipped.ts";

export interface HeaderDict {
  descr: string;
  fortranOrder: boolean;
  shape: number[];
}

type Literal = string | boolean | number[];

/** Python 2 wrote long integers as 3L. */
const TOKEN = /\s*(?:'([^'\\]*)'|"([^"\\]*)"|(\d+)L?|(True|False)|([{}():,[\]]))/y;

/** @throws DotpeError badData if the text is not such a dict with exactly these keys. */
export function parseHeaderDict(text: string, where: string): HeaderDict {
  const tokens = tokenize(text.trimEnd(), where);
  const fields = new Map<string, Literal>();
  let at = 0;
  const fail = (found: string): never => {
    throw malformed(where, found);
  };
  const take = (expected: string): void => {
    if (tokens[at] !== expected) fail(`${tokens[at] ?? "the end"}, expected ${expected}`);
    at++;
  };
  const takeLiteral = (): Literal => {
    const token = tokens[at++];
    if (token === "[") throw malformed(where, "a structured dtype, expected a plain one");
    if (typeof token === "object") return token.text;
    if (token === "True" || token === "False") return token === "True";
    if (token !== "(") return fail(`${token ?? "the end"}, expected a value`);
    const items: number[] = [];
    while (tokens[at] !== ")") {
      const n = tokens[at++];
      if (typeof n !== "number" || !Number.isSafeInteger(n)) return fail(`${n}, expected an axis length`);
      items.push(n);
      if (tokens[at] !== ")") take(",");
    }
    at++;
    return items;
  };
  take("{");
  while (tokens[at] !== "}") {
    const key = tokens[at++];
    if (typeof key !== "object") return fail(`${key ?? "the end"}, expected a key`);
    take(":");
    if (fields.has(key.text)) fail(`'${key.text}' twice`);
    fields.set(key.text, takeLiteral());
    if (tokens[at] !== "}") take(",");
  }
  if (at + 1 !== tokens.length) fail("text after the dict");
  return asHeader(fields, where);
}

type Token = string | number | { text: string };

function tokenize(text: string, where: string): Token[] {
  const tokens: Token[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.length) {
    const at = TOKEN.lastIndex;
    const match = TOKEN.exec(text);
    if (match === null) throw malformed(where, `'${text.slice(at, at + 20)}'`);
    const [, single, double, digits, bool, punctuation] = match;
    if (digits !== undefined) tokens.push(Number(digits));
    else if (bool !== undefined || punctuation !== undefined) tokens.push(bool ?? punctuation);
    else tokens.push({ text: single ?? double });
  }
  return tokens;
}

function asHeader(fields: Map<string, Literal>, where: string): HeaderDict {
  const descr = fields.get("descr");
  const fortranOrder = fields.get("fortran_order");
  const shape = fields.get("shape");
  const complete = typeof descr === "string" && typeof fortranOrder === "boolean" && Array.isArray(shape);
  if (!complete || fields.size !== 3) {
    throw malformed(where, `keys ${[...fields.keys()].join(", ")}, expected descr, fortran_order, shape`);
  }
  return { descr, fortranOrder, shape };
}

function malformed(where: string, found: string): DotpeError {
  return new DotpeError(
    "badData",
    `${where}: .npy header: found ${clipped(found)}`,
    "Save the file again with numpy.save.",
  );
}
