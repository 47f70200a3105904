import { readdir, readFile } from 'node:fs/promises'

/** A process that runs, as Linux tells of it. */
export interface GroupMember {
  pid: number
  /** Its command line, or the title that it gave itself. */
  title: string
}

/** All processes of a group that still run. @param groupId the pid of its first one */
export async function membersOf(groupId: number): Promise<GroupMember[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const members = await Promise.all(pids.map((pid) => memberOf(groupId, Number(pid))))
  return members.filter((member) => member !== null)
}

async function memberOf(groupId: number, pid: number): Promise<GroupMember | null> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
    // The name before it may have spaces and parentheses of its own.
    const [state, , group] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    if (Number(group) !== groupId || state === 'Z') return null
    const title = await readFile(`/proc/${pid}/cmdline`, 'utf8')
    return { pid, title: title.replaceAll('\0', ' ').trim() }
  } catch {
    return null // it has ended meanwhile
  }
}
