import { readFile } from 'node:fs/promises'

/** A process told apart from a later one with the same pid. */
export interface ProcessIdentity {
  readonly pid: number
  /** Clock ticks from boot to the process's start (proc_pid_stat(5), field 22). */
  readonly startTime: string
  /** Of this boot; tick counts of different boots do not compare. */
  readonly bootId: string
}

/** Who runs as `pid` now; undefined when nobody does. A zombie, which only waits to be reaped, is nobody. */
export async function processIdentity(pid: number): Promise<ProcessIdentity | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined)
  if (stat === undefined) return undefined
  // the command name, in parentheses, may itself hold spaces and parentheses: fields count from the last one
  const [state, ...rest] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const startTime = rest[18]
  if (startTime === undefined || state === 'Z' || state === 'X') return undefined
  const bootId = await readFile('/proc/sys/kernel/random/boot_id', 'utf8')
  return { pid, startTime, bootId: bootId.trim() }
}

/** Whether that very process still runs. */
export async function isRunning(identity: ProcessIdentity): Promise<boolean> {
  const now = await processIdentity(identity.pid)
  return now !== undefined && now.startTime === identity.startTime && now.bootId === identity.bootId
}
