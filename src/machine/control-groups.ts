/** The control groups of this process, versions 1 and 2: their folders from the outermost that can be seen to its own. */
import { posix } from "node:path";
import type { SystemFiles } from "./system-files.ts";

export type Controller = "cpu" | "cpuset" | "memory";

export interface GroupFolder {
  readonly version: 1 | 2;
  /** As the system names it: "/" is the outermost. */
  readonly name: string;
  readonly folder: string;
}

interface Mount {
  readonly version: 1 | 2;
  readonly controllers: readonly string[];
  /** The group that is mounted: in a container perhaps not the outermost. */
  readonly root: string;
  readonly point: string;
}

const MOST_BYTES = 2 ** 20;
/** Folders above a group that are looked at. */
const MOST_DEPTH = 64;

/**
 * Reads where the groups of this process are. What it returns gives the folders in which the limits of a controller stand,
 * outermost first; both versions' where both have it mounted.
 */
export function readGroups(files: SystemFiles): (controller: Controller) => GroupFolder[] {
  // The mount of the outermost group shows most.
  const mounts = readMounts(files).sort((a, b) => a.root.length - b.root.length);
  const paths = readPaths(files);
  return (controller) =>
    ([1, 2] as const).flatMap((version) => {
      const path = version === 2 ? paths.get("") : paths.get(controller);
      if (path === undefined) return [];
      const fit = (mount: Mount) =>
        mount.version === version && (version === 2 || mount.controllers.includes(controller));
      const candidates = mounts.filter(fit);
      const mount = candidates.find(({ root }) => isBelow(path, root)) ?? candidates[0];
      return mount === undefined ? [] : foldersOf(mount, path);
    });
}

/** A group and those above it, as far as the mount shows them. */
function foldersOf({ version, root, point }: Mount, path: string): GroupFolder[] {
  // In another namespace the path is not below the mount, or leads out of it ("/../x"): the mount itself is then all that can be seen.
  const below = isBelow(path, root) ? posix.relative(root, path) : "";
  const parts = below.split("/").filter(Boolean).slice(0, MOST_DEPTH);
  return Array.from({ length: parts.length + 1 }, (_, n) => {
    const inner = parts.slice(0, n);
    return { version, name: posix.join(root, ...inner), folder: posix.join(point, ...inner) };
  });
}

function isBelow(path: string, root: string): boolean {
  if (path.split("/").includes("..")) return false;
  return root === "/" || path === root || path.startsWith(`${root}/`);
}

/** Group of this process by controller of version 1; "" for version 2. */
function readPaths(files: SystemFiles): Map<string, string> {
  const paths = new Map<string, string>();
  const text = files.text("/proc/self/cgroup", MOST_BYTES);
  for (const line of (text ?? "").split("\n")) {
    const match = /^\d+:([^:]*):(\/.*)$/.exec(line);
    for (const name of match?.[1].split(",") ?? []) paths.set(name, match![2]);
  }
  if (text !== undefined) return paths;
  // Some captured trees have only this one.
  const cpuset = files.line("/proc/self/cpuset");
  return new Map(cpuset?.startsWith("/") ? ["", "cpuset"].map((name) => [name, cpuset] as const) : []);
}

function readMounts(files: SystemFiles): Mount[] {
  const info = files.text("/proc/self/mountinfo", MOST_BYTES);
  if (info !== undefined) return info.split("\n").flatMap(mountOfInfo);
  return (files.text("/proc/mounts", MOST_BYTES) ?? "").split("\n").flatMap((line) => {
    const [, point, type, options] = line.split(" ");
    return mountOf(type, "/", point, options);
  });
}

/** "31 23 0:28 /root /point rw - type source options", with any number of fields before the dash. */
function mountOfInfo(line: string): Mount[] {
  const [before, after] = line.split(" - ");
  const [, , , root, point] = before.split(" ");
  const [type, , options] = (after ?? "").split(" ");
  return mountOf(type, root, point, options);
}

function mountOf(
  type: string | undefined,
  root: string,
  point: string,
  options: string | undefined,
): Mount[] {
  if (type !== "cgroup" && type !== "cgroup2") return [];
  if (!root?.startsWith("/") || !point?.startsWith("/")) return [];
  const version = type === "cgroup" ? 1 : 2;
  const controllers = (options ?? "").split(",");
  return [{ version, controllers, root: unquote(root), point: unquote(point) }];
}

/** Blanks and backslashes in paths are written in octal. */
function unquote(path: string): string {
  return path.replace(/\\([0-7]{3})/g, (_, code: string) => String.fromCharCode(Number.parseInt(code, 8)));
}
