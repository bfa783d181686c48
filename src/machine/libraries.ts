/** Linear algebra libraries that Python tools may use: looked for where they usually are, not in the whole file system. */
import { posix } from "node:path";
import type { SystemFiles } from "./system-files.ts";

export interface FoundLibrary {
  readonly kind: "OpenBLAS" | "MKL" | "AOCL-BLIS" | "AOCL-libFLAME" | "BLIS";
  readonly path: string;
}

/** Folders that are looked into; a long LD_LIBRARY_PATH is cut. */
const MOST_FOLDERS = 128;
/** Parts of a path list that are followed, and versions below /opt. */
const MOST_PARTS = 32;

const NAMES: readonly (readonly [FoundLibrary["kind"], RegExp])[] = [
  ["OpenBLAS", /^lib(scipy_|sci)?openblas[\w.-]*\.so[\w.]*$/],
  ["MKL", /^libmkl_rt[\w.-]*\.so[\w.]*$/],
  ["AOCL-libFLAME", /^lib(aocl-)?flame[\w.-]*\.so[\w.]*$/],
  ["AOCL-BLIS", /^libaocl-?blis?[\w.-]*\.so[\w.]*$|^libblis-mt[\w.-]*\.so[\w.]*$/],
  ["BLIS", /^libblis[\w.-]*\.so[\w.]*$/],
];

/**
 * One library of each kind in each folder, in the order in which the folders are looked at: those of the environment first.
 * @param environment LD_LIBRARY_PATH, VIRTUAL_ENV, CONDA_PREFIX, MKLROOT, AOCL_ROOT
 */
export function findLibraries(
  files: SystemFiles,
  environment: Readonly<Record<string, string | undefined>>,
  architecture: string,
): FoundLibrary[] {
  const folders = [...new Set(usualFolders(files, environment, architecture))].slice(0, MOST_FOLDERS);
  return folders.flatMap((folder) => {
    const names = files.names(folder);
    const kinds = new Map<FoundLibrary["kind"], string>();
    // The shortest name is the one that programs link with.
    for (const name of names.toSorted((a, b) => a.length - b.length)) {
      const kind = NAMES.find(([, pattern]) => pattern.test(name))?.[0];
      if (kind !== undefined && !kinds.has(kind)) kinds.set(kind, posix.join(folder, name));
    }
    return [...kinds].map(([kind, path]) => ({ kind, path }));
  });
}

function usualFolders(
  files: SystemFiles,
  environment: Readonly<Record<string, string | undefined>>,
  architecture: string,
): string[] {
  const root = (name: string, ...below: string[]) => {
    const value = environment[name];
    return value?.startsWith("/") ? below.map((folder) => posix.join(value, folder)) : [];
  };
  const versions = (folder: string, pattern: RegExp, ...below: string[]) =>
    files
      .names(folder)
      .filter((name) => pattern.test(name))
      .slice(0, MOST_PARTS)
      .flatMap((name) => below.map((inner) => posix.join(folder, name, inner)));
  const listed = (environment.LD_LIBRARY_PATH ?? "").split(":").filter((part) => part.startsWith("/"));
  const python = root("VIRTUAL_ENV", "lib").concat(root("CONDA_PREFIX", "lib"));
  const triplet = `/usr/lib/${architecture}-linux-gnu`;
  return [
    ...listed.slice(0, MOST_PARTS),
    ...python.flatMap((lib) =>
      versions(lib, /^python3\.\d+$/, "site-packages/numpy.libs", "site-packages/scipy.libs"),
    ),
    ...python,
    ...root("MKLROOT", "lib", "lib/intel64"),
    ...root("AOCL_ROOT", "lib", "lib_LP64", "lib_ILP64"),
    ...versions("/opt/intel/oneapi/mkl", /^(latest|\d[\d.]*)$/, "lib", "lib/intel64"),
    ...["/opt/intel/mkl/lib/intel64"],
    ...["", "aocl"].flatMap((folder) =>
      versions(
        posix.join("/opt/AMD", folder),
        /^(aocl|aocl-linux[\w.-]*|\d[\d.]*)$/,
        ...["lib", "lib_LP64", "gcc/lib", "gcc/lib_LP64", "aocc/lib", "aocc/lib_LP64"],
      ),
    ),
    ...["aocl", "aocl-linux-gcc", "aocl-linux-aocc"].flatMap((kind) =>
      versions(`/opt/AMD/${kind}`, /^\d[\d.]*$/, "lib", "lib_LP64", "gcc/lib", "aocc/lib"),
    ),
    ...["", "/openblas-pthread", "/openblas-openmp", "/blis-pthread", "/blis-openmp"].map(
      (part) => triplet + part,
    ),
    ...["/usr/lib64", "/usr/local/lib", "/usr/local/lib64", "/usr/lib"],
  ];
}
