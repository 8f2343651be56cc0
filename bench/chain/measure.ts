import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { testRun } from '../../src/kernel/bpf-program.ts'
import type { Fd } from '../../src/kernel/fd.ts'

/** An Ethernet frame of 64 bytes: IPv4, UDP, right checksums (addresses of RFC 5737). */
const PACKET = Buffer.from(
  '0200000000010200000000020800450000320000000040118e85c0000201c63364019c400035001e770600000000000000000000000000000000000000000000',
  'hex',
)
const XDP_PASS = 2
/** One measurement; the kernel gives whole nanoseconds a run, averaged over as many runs as fit. */
const MEASURE_MS = 15
const WARM_RUNS = 20_000

/** What is measured. */
export interface Subject {
  readonly program: Fd
}

/** A test run is on the cpu of its caller, and must stay on one to be comparable. Children started later stay there too. */
export function stayOnOneCpu(): void {
  const allowed = /^Cpus_allowed_list:\s*(\d+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]
  execFileSync('taskset', ['--cpu-list', '--pid', allowed ?? '0', `${process.pid}`])
}

/** The middle of some numbers; with an even count the mean of the two in the middle. */
export function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  const [low, high] = [sorted[middle - 1 + (sorted.length % 2)], sorted[middle]]
  if (low === undefined || high === undefined) throw new Error('there is no median of nothing')
  return (low + high) / 2
}

/**
 * Nanoseconds per packet of each program, as the kernel measures them (BPF_PROG_TEST_RUN), the median of `rounds`. All
 * take turns in each round, so that noise hits all alike. Throws when one does not let the packet pass.
 */
export function measure<S extends Subject>(subjects: readonly S[], rounds: number): Map<S, number> {
  const repeats = new Map(subjects.map((subject) => [subject, repeatsOf(subject)]))
  const samples = new Map(subjects.map((subject): [S, number[]] => [subject, []]))
  for (let round = 0; round < rounds; round++)
    for (const [subject, found] of samples)
      found.push(testRun(subject.program, PACKET, repeats.get(subject) ?? 1).ns)
  return new Map([...samples].map(([subject, found]) => [subject, median(found)]))
}

/** Runs that take {@link MEASURE_MS}. */
function repeatsOf({ program }: Subject): number {
  const { verdict, ns } = testRun(program, PACKET, WARM_RUNS)
  if (verdict !== XDP_PASS) throw new Error(`a measured chain gives verdict ${verdict} and not pass`)
  return Math.round((MEASURE_MS * 1e6) / Math.max(ns, 1))
}
