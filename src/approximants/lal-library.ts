/** Where LALSimulation's shared library is on this machine. */
import { readdirSync, statSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { DotpeError } from "../errors.ts";

export interface LalLibrary {
  readonly path: string;
  /** What led to it, e.g. "--lal" or "$CONDA_PREFIX". */
  readonly source: string;
}

/** What is looked at; tests give their own. */
export interface LalPlaces {
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Folders of the system's libraries, and environments that many people share. */
  readonly folders: readonly string[];
  /** Paths of all libraries that the dynamic linker knows. */
  readonly linked: () => readonly string[];
}

/** liblalsimulation.so.37.2.1, or liblalsimulation-23824854.so.37.2.1 as wheels name it. */
const NAME = /^liblalsimulation(-[0-9a-f]+)?(\.\d+)*\.(so(\.\d+)*|dylib)$/;
/** Where a wheel keeps its libraries, below site-packages. */
const WHEEL = "lalsuite.libs";
const PYTHON = /^python3(\.\d+)?$/;
/** Of a list of folders in a variable, and of the Pythons of an environment. */
const MOST_PARTS = 64;
/** IGWN's environments, on most clusters of the field. */
const IGWN = "/cvmfs/software.igwn.org/conda/envs/igwn";

/**
 * The first that is found: `given` (the library, or a folder such as an environment of conda or Python), $LALSIMULATION_LIBRARY
 * (likewise), $CONDA_PREFIX, $VIRTUAL_ENV, $LD_LIBRARY_PATH, the user's and the system's folders, what the dynamic linker knows.
 * @throws DotpeError noInput naming all places that were looked at; at once where `given` or $LALSIMULATION_LIBRARY lead nowhere.
 */
export function findLal(given: string | null, places: LalPlaces = thisMachine()): LalLibrary {
  const { environment } = places;
  if (given !== null) return named(given, "--lal");
  const variable = environment.LALSIMULATION_LIBRARY;
  if (variable) return named(variable, "$LALSIMULATION_LIBRARY");

  const candidates: (readonly [source: string, folder: string])[] = [];
  for (const name of ["CONDA_PREFIX", "VIRTUAL_ENV"]) {
    const folder = environment[name];
    if (folder) candidates.push([`$${name}`, folder]);
  }
  const listed = (environment.LD_LIBRARY_PATH ?? "").split(":").filter((part) => part.startsWith("/"));
  for (const folder of listed.slice(0, MOST_PARTS)) candidates.push(["$LD_LIBRARY_PATH", folder]);
  const home = environment.HOME;
  for (const folder of home ? [join(home, ".local"), ...places.folders] : places.folders)
    candidates.push(["the system", folder]);

  for (const [source, folder] of candidates) {
    const path = inFolder(folder);
    if (path !== undefined) return { path, source };
  }
  const linked = places.linked().filter((path) => NAME.test(basename(path)) && isFile(path));
  if (linked.length > 0) return { path: best(linked), source: "the dynamic linker" };

  const looked = candidates.map(([source, folder]) =>
    source.startsWith("$") ? `${source} (${folder})` : folder,
  );
  const unset = ["LALSIMULATION_LIBRARY", "CONDA_PREFIX", "VIRTUAL_ENV"].filter((name) => !environment[name]);
  throw new DotpeError(
    "noInput",
    `LALSimulation: found no liblalsimulation in ${[...new Set(looked), "the dynamic linker's list"].join(", ")}` +
      (unset.length > 0 ? `; not set: ${unset.map((name) => `$${name}`).join(", ")}` : ""),
    "pip install lalsuite into an environment of Python, then activate it or give its folder with --lal.",
  );
}

function named(given: string, source: string): LalLibrary {
  const place = resolve(given);
  if (isFile(place)) return { path: place, source };
  const path = inFolder(place);
  if (path !== undefined) return { path, source };
  const looked = foldersBelow(place);
  throw new DotpeError(
    "noInput",
    looked.length > 0
      ? `${source}: ${given}: found no liblalsimulation in ${looked.join(", ")}`
      : `${source}: ${given}: found neither a file nor a folder`,
    `Give liblalsimulation.so itself, or the folder of an environment that has it: pip install lalsuite puts it there, in site-packages/${WHEEL}.`,
  );
}

function inFolder(folder: string): string | undefined {
  for (const place of foldersBelow(folder)) {
    const paths = names(place)
      .filter((name) => NAME.test(name))
      .map((name) => join(place, name))
      .filter(isFile);
    if (paths.length > 0) return best(paths);
  }
  return undefined;
}

/** The name without a version is the one that programs link with; of versions, the last. */
function best(paths: readonly string[]): string {
  const natural = new Intl.Collator("en", { numeric: true });
  const versioned = (path: string) => Number(/\.so\./.test(basename(path)));
  return paths.toSorted((a, b) => versioned(a) - versioned(b) || natural.compare(b, a))[0];
}

/** Those that exist: the folder, its lib folders, those of wheels in its Pythons; the folder may itself be lib or site-packages. */
function foldersBelow(folder: string): string[] {
  const libs = ["lib", "lib64"].map((name) => join(folder, name));
  const packages = [folder, ...libs].flatMap((lib) =>
    names(lib)
      .filter((name) => PYTHON.test(name))
      .slice(0, MOST_PARTS)
      .flatMap((python) => ["site-packages", "dist-packages"].map((name) => join(lib, python, name))),
  );
  const wheels = [folder, ...packages].map((place) => join(place, WHEEL));
  return [folder, ...libs, ...wheels].filter(isFolder);
}

function names(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

const isFile = (path: string) => statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
const isFolder = (path: string) => statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;

function thisMachine(): LalPlaces {
  const triplet = `${process.arch === "arm64" ? "aarch64" : "x86_64"}-linux-gnu`;
  return {
    environment: process.env,
    folders: ["/usr/local", `/usr/lib/${triplet}`, "/usr", "/opt/local", "/opt/homebrew", IGWN],
    linked: linkerList,
  };
}

function linkerList(): string[] {
  for (const program of ["ldconfig", "/sbin/ldconfig"]) {
    try {
      const { stdout, success } = Bun.spawnSync([program, "-p"], { stderr: "ignore" });
      if (!success) continue;
      return stdout
        .toString()
        .split("\n")
        .flatMap((line) => line.split(" => ").slice(1));
    } catch {
      // Not installed, or not in the path.
    }
  }
  return [];
}
