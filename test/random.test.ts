import { describe, expect, test } from "bun:test";
import {
  choiceWithoutReplacement,
  hash32,
  permutation,
  philox4x32,
  STREAMS,
  uniform,
} from "../src/gw/random.ts";

describe("Philox4x32-10", () => {
  // The known-answer vectors published with Random123.
  test.each([
    [
      [0, 0, 0, 0],
      [0, 0],
      [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8],
    ],
    [
      [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff],
      [0xffffffff, 0xffffffff],
      [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd],
    ],
    [
      [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
      [0xa4093822, 0x299f31d0],
      [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
    ],
  ])("counter %p key %p", (counter, key, expected) => {
    const block = Uint32Array.from(counter);
    philox4x32(block, key[0], key[1]);
    expect([...block]).toEqual(expected);
  });

  test("uniform takes its 53 bits from the first two words", () => {
    expect(uniform(0, 0, 0)).toBe(((0x6627e8d5 >>> 5) * 2 ** 26 + (0xe169c58d >>> 6)) / 2 ** 53);
  });

  test("uniform numbers have the moments of the unit interval and depend on every argument", () => {
    const n = 100000;
    let mean = 0;
    let square = 0;
    for (let j = 0; j < n; j++) {
      const u = uniform(7, STREAMS.draw, j);
      if (u < 0 || u >= 1) throw new Error(`${u} is outside [0, 1)`);
      mean += u / n;
      square += (u * u) / n;
    }
    expect(Math.abs(mean - 1 / 2)).toBeLessThan(4 / Math.sqrt(12 * n));
    expect(Math.abs(square - 1 / 3)).toBeLessThan(4 * Math.sqrt(4 / 45 / n));
    const seen = new Set([
      uniform(7, 2, 0),
      uniform(8, 2, 0),
      uniform(7, 3, 0),
      uniform(7, 2, 1),
      uniform(7, 2, 2 ** 32),
      uniform(7 + 2 ** 32, 2, 0),
    ]);
    expect(seen.size).toBe(6);
  });
});

test("streams have different numbers", () => {
  expect(new Set(Object.values(STREAMS)).size).toBe(Object.keys(STREAMS).length);
});

describe("hash32", () => {
  test("takes a fair share of neighbouring indices, whichever argument runs", () => {
    const n = 40000;
    for (let argument = 0; argument < 4; argument++) {
      let chosen = 0;
      for (let j = 0; j < n; j++) {
        const index = [1, 2, 3, 4];
        index[argument] = j;
        if (hash32(index[0], index[1], index[2], index[3]) < 2 ** 32 / 64) chosen++;
      }
      expect(Math.abs(chosen - n / 64)).toBeLessThan(4.5 * Math.sqrt(n / 64));
    }
  });

  test("is an unsigned integer that depends on the order of its arguments", () => {
    const orders = [hash32(1, 2, 3, 4), hash32(2, 1, 3, 4), hash32(1, 2, 4, 3), hash32(4, 3, 2, 1)];
    expect(new Set(orders).size).toBe(4);
    for (const h of orders) expect(h >>> 0).toBe(h);
  });
});

describe("permutation and choice", () => {
  test("a permutation holds every number once and is the same every time", () => {
    const order = permutation(5000, 11, STREAMS.permutation);
    expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: 5000 }, (_, j) => j));
    expect(permutation(5000, 11, STREAMS.permutation)).toEqual(order);
    expect(permutation(5000, 12, STREAMS.permutation)).not.toEqual(order);
  });

  test("all orders of three are equally likely", () => {
    const counts = new Map<string, number>();
    for (let seed = 0; seed < 6000; seed++) {
      const order = permutation(3, seed, STREAMS.permutation).join("");
      counts.set(order, (counts.get(order) ?? 0) + 1);
    }
    expect(counts.size).toBe(6);
    for (const count of counts.values()) expect(Math.abs(count - 1000)).toBeLessThan(130);
  });

  test("a choice is the head of the permutation", () => {
    const order = permutation(1000, 3, STREAMS.draw);
    expect(choiceWithoutReplacement(1000, 137, 3, STREAMS.draw)).toEqual(order.slice(0, 137));
    expect(choiceWithoutReplacement(1000, 2000, 3, STREAMS.draw)).toEqual(order);
  });

  test("a choice from a great many is distinct and inside", () => {
    const chosen = choiceWithoutReplacement(3e9, 20000, 3, STREAMS.draw);
    expect(new Set(chosen).size).toBe(20000);
    expect(chosen.every((j) => j < 3e9)).toBe(true);
  });
});
