/** Whether the system has killed processes for lack of memory: what the control groups of this process count. */
import { readGroups } from "../machine/control-groups.ts";
import { SystemFiles } from "../machine/system-files.ts";

export interface OomCount {
  readonly folder: string;
  readonly kills: number;
}

/** By control group, the outermost first: `oom_kill` of memory.events (version 2) or memory.oom_control (version 1). */
export function oomCounts(files = new SystemFiles()): OomCount[] {
  return readGroups(files)("memory").flatMap(({ version, folder }) => {
    const path = `${folder}/${version === 2 ? "memory.events" : "memory.oom_control"}`;
    const kills = /^oom_kill (\d{1,15})$/m.exec(files.text(path) ?? "")?.[1];
    return kills === undefined ? [] : [{ folder, kills: Number(kills) }];
  });
}

/** Groups in which more were killed than before. */
export function moreKills(before: readonly OomCount[], now = oomCounts()): OomCount[] {
  return now.filter(({ folder, kills }) => {
    const was = before.find((one) => one.folder === folder);
    return was !== undefined && kills > was.kills;
  });
}
