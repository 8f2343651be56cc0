import { asDomainError, DomainError } from '../../src/domain/errors.ts'
import { SCALAR_BYTES } from '../../src/domain/scalar.ts'
import { type BpfObject, readObject } from '../../src/elf/bpf-object.ts'
import { readBtf } from '../../src/elf/btf-types.ts'
import { describeObject } from '../../src/elf/describe.ts'
import { mergeFunctionTypes } from '../../src/elf/merge-btf.ts'
import { mutateObject } from './mutate-object.ts'
import type { SeedObject } from './object-fields.ts'
import { seededRandom } from './random.ts'

/** What no object may cost. */
export const BOUNDS = { object_ms: 1000, rss_bytes: 512 << 20 } as const

/** An object that the reader failed on: object `index` of the seed is the same on any machine. */
interface Failure {
  readonly index: number
  readonly why: string
}

export interface FuzzReport {
  readonly seed: number
  readonly count: number
  readonly seconds: number
  readonly objectsPerSecond: number
  readonly accepted: number
  readonly refused: Readonly<Record<string, number>>
  readonly slowest_ms: number
  readonly peakRss_bytes: number
  readonly failures: readonly Failure[]
}

const FAILURES_KEPT = 20
const RSS_EVERY = 64

/** Reads and describes `count` changed objects from number `first` on, and reports what became of them. */
export function runFuzz(
  seeds: readonly SeedObject[],
  { count, seed, first = 0 }: { count: number; seed: number; first?: number },
  progress: (done: number) => void = () => {},
): FuzzReport {
  const refused: Record<string, number> = {}
  const failures: Failure[] = []
  const start = performance.now()
  let accepted = 0
  let slowest_ms = 0
  let peakRss_bytes = 0
  for (let index = first; index < first + count; index++) {
    const bytes = mutateObject(seeds, seededRandom(seed, index))
    const { outcome, spent_ms } = attempt(bytes)
    if (outcome === undefined) accepted++
    else if (outcome instanceof DomainError && /^(elf|btf)_/.test(outcome.code))
      refused[outcome.code] = (refused[outcome.code] ?? 0) + 1
    else keep(failures, { index, why: asDomainError(outcome).message })
    if (spent_ms > BOUNDS.object_ms) keep(failures, { index, why: `took ${spent_ms.toFixed(0)} ms` })
    slowest_ms = Math.max(slowest_ms, spent_ms)
    if ((index - first) % RSS_EVERY === 0) {
      peakRss_bytes = Math.max(peakRss_bytes, process.memoryUsage.rss())
      progress(index - first)
    }
  }
  if (peakRss_bytes > BOUNDS.rss_bytes)
    keep(failures, { index: first, why: `resident memory reached ${peakRss_bytes} bytes` })
  const seconds = (performance.now() - start) / 1000
  const objectsPerSecond = Math.round(count / seconds)
  return { seed, count, seconds, objectsPerSecond, accepted, refused, slowest_ms, peakRss_bytes, failures }
}

/** Reads one object. A slow one is read again: what another process took from this one does not count. */
function attempt(bytes: Buffer): { outcome: unknown; spent_ms: number } {
  const first = timed(bytes)
  if (first.spent_ms <= BOUNDS.object_ms) return first
  const second = timed(bytes)
  return first.spent_ms < second.spent_ms ? first : second
}

function timed(bytes: Buffer): { outcome: unknown; spent_ms: number } {
  const start = performance.now()
  let outcome: unknown
  try {
    const object = readObject(bytes)
    checkPromises(object)
    mergeTypes(object)
    // control characters in a name could forge what a terminal shows; a backslash is written twice
    const report = JSON.stringify(describeObject(bytes, 'fuzzed.bpf.o')).replaceAll('\\\\', '')
    if (/\\u00|\\[nrtbf]/.test(report)) throw new Error('a name has control characters')
  } catch (thrown) {
    outcome = thrown ?? new Error('threw nothing')
  }
  return { outcome, spent_ms: performance.now() - start }
}

/** What users of an accepted object rely on. */
function checkPromises({ programs, variables, maps }: BpfObject): void {
  const broken = (what: string): never => {
    throw new Error(`accepted, but ${what}`)
  }
  if (programs.length === 0) broken('without programs')
  for (const { name, offset, size, initial, section, type } of variables) {
    const map = maps.find((each) => each.name === section)
    if (map === undefined || offset + size > map.valueSize)
      broken(`variable ${name} is outside of ${section}`)
    if (initial.length !== size) broken(`variable ${name} has ${initial.length} initial bytes`)
    if (type !== undefined && SCALAR_BYTES[type] !== size) broken(`variable ${name} is no ${type}`)
  }
  for (const program of programs)
    for (const name of program.maps)
      if (!maps.some((map) => map.name === name)) broken(`${program.name} uses ${name}, which is no map`)
}

/** Types of functions merge into a blob that can be read again, or are refused by name. */
function mergeTypes({ programs, btf }: BpfObject): void {
  if (btf === undefined) return
  const ids = programs.flatMap(({ functions }) => functions.flatMap(({ typeId }) => typeId ?? []))
  const wanted = ids.map((typeId, at) => ({ btf: btf.raw, typeId, makeStatic: at % 2 === 1 }))
  const merged = mergeFunctionTypes(wanted)
  const { types } = readBtf(merged.btf)
  if (merged.typeIds.some((id) => types[id]?.kind !== 'func')) throw new Error('a merged type is no function')
}

function keep(failures: Failure[], failure: Failure): void {
  if (failures.length < FAILURES_KEPT) failures.push(failure)
}
