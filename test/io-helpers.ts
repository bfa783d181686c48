/** Shared by the tests of src/io and of the input files. */
import { afterAll } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DotpeError, type ExitName } from "../src/errors.ts";

export const FIXTURES = join(import.meta.dir, "fixtures");

/** A folder that is removed after the test file that asks for it. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "dotpe-test-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export function writeTemporary(folder: string, name: string, bytes: Uint8Array | string): string {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}

export function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(Buffer.from(text, "base64"));
}

/** The DotpeError that `action` throws; anything else fails the test. */
export function thrownBy(action: () => unknown): DotpeError {
  try {
    action();
  } catch (error) {
    if (error instanceof DotpeError) return error;
    throw error;
  }
  throw new Error("expected a DotpeError, nothing was thrown");
}

/** Checks the exit name, and that the message holds each of these parts. */
export function expectRefusal(action: () => unknown, exit: ExitName, ...parts: string[]): void {
  expectError(thrownBy(action), exit, parts);
}

/** As `expectRefusal`, of what is awaited. */
export async function expectRejection(
  action: Promise<unknown>,
  exit: ExitName,
  ...parts: string[]
): Promise<void> {
  const error = await action.then(
    () => undefined,
    (error: unknown) => error,
  );
  expectError(
    thrownBy(() => {
      if (error !== undefined) throw error;
    }),
    exit,
    parts,
  );
}

function expectError(error: DotpeError, exit: ExitName, parts: readonly string[]): void {
  const missing = parts.filter((part) => !error.message.includes(part));
  if (error.exit !== exit || missing.length > 0) {
    throw new Error(`found ${error.exit}: ${error.message}\nexpected ${exit} with ${missing.join(" | ")}`);
  }
}
