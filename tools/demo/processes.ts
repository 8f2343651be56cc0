import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'

const STOP_MS = 30_000

/** A `hookline` process of the demo's own, apart from its terminal: Ctrl-C reaches the demo, which ends them in order. */
export interface Service {
  readonly pid: number
  /** Its lines so far, standard error among them. */
  readonly lines: string[]
  /** Resolves with the first line that fits; rejects when the process ends before. */
  line(fits: (line: string) => boolean): Promise<string>
  /** Sends SIGTERM and waits; a process that does not end is killed and named. */
  stop(): Promise<void>
  /** Sends SIGKILL, which nobody can prepare for, and waits. */
  kill(): Promise<void>
  /** Its exit code once it has ended, null when a signal ended it. */
  readonly ended: Promise<number | null>
}

/** Starts `node <binary> <args>`, in the network namespace at `netns` when one is given: its pid is the process's own. */
export function startService(binary: string, args: readonly string[], netns?: string): Service {
  const command = [process.execPath, binary, ...args]
  const [file = '', ...rest] = netns === undefined ? command : ['nsenter', `--net=${netns}`, ...command]
  const child = spawn(file, rest, {
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const lines: string[] = []
  const watchers = new Set<() => void>()
  const ended = once(child, 'close').then(([code]): number | null => code)
  for (const stream of [child.stdout, child.stderr])
    createInterface({ input: stream }).on('line', (line) => {
      lines.push(line)
      for (const watcher of watchers) watcher()
    })
  return {
    pid: child.pid ?? -1,
    lines,
    line: (fits) => waitForLine(child, lines, watchers, fits, args[0] ?? ''),
    stop: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return
      child.kill('SIGTERM')
      const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS)
      await ended
      clearTimeout(timer)
      if (child.signalCode === 'SIGKILL') throw new Error(`hookline ${args[0]} did not end by itself`)
    },
    kill: async () => {
      child.kill('SIGKILL')
      await ended
    },
    ended,
  }
}

function waitForLine(
  child: ChildProcess,
  lines: string[],
  watchers: Set<() => void>,
  fits: (line: string) => boolean,
  name: string,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const look = (): void => {
      const found = lines.find(fits)
      if (found === undefined) return
      watchers.delete(look)
      resolve(found)
    }
    watchers.add(look)
    child.once('close', () => reject(new Error(`hookline ${name} ended: ${lines.slice(-3).join(' | ')}`)))
    look()
  })
}

/** Resident memory of a process now, in MiB (VmRSS, proc(5)). */
export function residentMiB(pid: number): number {
  const kib = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
  return Math.round(Number(kib) / 102.4) / 10
}
