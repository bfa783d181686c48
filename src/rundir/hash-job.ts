/** Checksums of files that are open, one a task. */
import { sha256OfPart } from "../io/sha256.ts";
import type { TaskRunner } from "../workers/protocol.ts";

export interface HashPlan {
  /** Good in every thread of the process. */
  readonly files: readonly { readonly path: string; readonly fd: number; readonly bytes: number }[];
}

export interface FileSum {
  readonly path: string;
  readonly sha256: string;
}

export function openHash({ files }: HashPlan): TaskRunner<FileSum[]> {
  const sums: FileSum[] = [];
  return {
    run(task) {
      const { path, bytes } = files[task];
      sums.push({ path, sha256: sha256OfPart(files[task], bytes) });
    },
    result: () => sums,
  };
}
