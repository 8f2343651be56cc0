import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

/** A test run is on the cpu of its caller: on another one, per-cpu maps would show each side another state. */
export function stayOnOneCpu(): void {
  const allowed = /^Cpus_allowed_list:\s*(\d+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]
  execFileSync('taskset', ['--cpu-list', '--pid', allowed ?? '0', `${process.pid}`])
}
