/** `--benchmark-option KEY=VALUE`. */
import { DotpeError } from "../errors.ts";

/** @throws DotpeError usage */
export function optionPairs(texts: readonly string[]): Readonly<Record<string, string>> {
  const pairs = texts.map((text): [string, string] => {
    const at = text.indexOf("=");
    if (at > 0) return [text.slice(0, at), text.slice(at + 1)];
    const hint = "Write --benchmark-option frames=1000.";
    throw new DotpeError("usage", `--benchmark-option: found ${text || "nothing"}, expected KEY=VALUE`, hint);
  });
  return Object.fromEntries(pairs);
}
