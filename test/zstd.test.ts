import { expect, test } from "bun:test";
import { decompress } from "../src/io/zstd.ts";
import { expectRefusal } from "./io-helpers.ts";

const CONTENTS = [0, 1, 200, 255, 256, 70_000, 300_000].map((n) =>
  Uint8Array.from({ length: n }, (_, k) => (k * k) % 251),
);

test.each(CONTENTS.map((content) => [content.length, content] as const))("%p bytes", (n, content) => {
  for (const level of [1, 3, 12]) {
    const frame = Bun.zstdCompressSync(content, { level });
    expect(Buffer.from(decompress(frame, n, "x")).equals(Buffer.from(content))).toBe(true);
    for (const wrong of [n + 1, n - 1, 2 * n + 1]) {
      expectRefusal(() => decompress(frame, wrong, "the file"), "badData", "the file", "damaged");
    }
  }
});

test("more than one frame, parts of one, and anything else are refused", () => {
  const frame = Bun.zstdCompressSync(CONTENTS[3]);
  const refuse = (bytes: Uint8Array, n = 255) => expectRefusal(() => decompress(bytes, n, "x"), "badData");
  refuse(Buffer.concat([frame, frame]));
  refuse(Buffer.concat([frame, frame]), 510);
  refuse(Buffer.concat([frame, new Uint8Array(1)]));
  for (let end = 0; end < frame.length; end++) refuse(frame.subarray(0, end));
  refuse(new Uint8Array(100));
});

test("a frame that says it is huge is not unpacked", () => {
  // Magic, a descriptor with 8 bytes of size, one empty block.
  const frame = new Uint8Array([0x28, 0xb5, 0x2f, 0xfd, 0xe0, 0, 0, 0, 0, 0, 16, 0, 0, 1, 0, 0]);
  expectRefusal(() => decompress(frame, 255, "x"), "badData");
  expectRefusal(() => decompress(frame, 2 ** 44, "x"), "badData");
});
