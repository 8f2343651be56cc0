import { readFileSync } from 'node:fs'
import { cpus, loadavg, release } from 'node:os'

const GIB = 2 ** 30

/** What a figure was measured on, in a line. */
export function machine(): string {
  const memory = Number(/^MemTotal:\s*(\d+)/m.exec(readFileSync('/proc/meminfo', 'utf8'))?.[1] ?? 0) * 1024
  const model = cpus()[0]?.model.trim() ?? process.arch
  return `${model}, ${cpus().length} cpus, ${(memory / GIB).toFixed(0)} GiB, Linux ${release()}`
}

/** Processes that waited for a cpu in the last minute, on average: what says how quiet the machine was. */
export const load = (): number => Math.round((loadavg()[0] ?? 0) * 100) / 100
