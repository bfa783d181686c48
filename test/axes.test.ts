import { expect, test } from "bun:test";
import { modePairs } from "../src/axes.ts";

test("mode pairs stand in row order", () => {
  expect(modePairs(3)).toEqual([
    [0, 0],
    [0, 1],
    [0, 2],
    [1, 1],
    [1, 2],
    [2, 2],
  ]);
});
