import { createHash } from 'node:crypto'
import type { LogEntry } from '../../src/domain/log-entry.ts'
import type { Digest } from '../../src/domain/names.ts'
import type { NewEntry } from '../../src/ports/log.ts'

/** POSIX seconds of the first entry: 2026-01-01. One comes each minute. */
const BEGIN_S = Date.UTC(2026, 0, 1) / 1000
const STEP_S = 60
/** Of as many entries, one is of each of these kinds; the rest are publications. */
const SIGNER_EVERY = 50
const YANK_EVERY = 25
const PRIVATE_EVERY = 10
/** Programs of a namespace, and releases of a program. */
const [PROGRAMS, RELEASES] = [20, 25]

const digestOf = (text: string): Digest => `sha256:${createHash('sha256').update(text).digest('hex')}`

/**
 * Entry `index` of a made-up catalog's log: mostly publications of three files, and what else happens, some of it about private
 * programs. The same index gives the same entry.
 */
export function entryAt(index: number): NewEntry {
  const isPrivate = index % PRIVATE_EVERY === 7
  const common = { v: 1, at: BEGIN_S + index * STEP_S } as const
  const program = Math.floor(index / RELEASES)
  const namespace = `team-${Math.floor(program / PROGRAMS)}`
  const release = { program: `${namespace}/program-${program}`, version: `1.${index % RELEASES}.0` } as const
  const signer = digestOf(`signer of ${namespace}`)
  if (index % SIGNER_EVERY === 0)
    return { entry: { ...common, kind: 'signer', namespace, signer, change: 'added' }, isPrivate }
  if (index % YANK_EVERY === 24) {
    const yanked = { ...release, version: `1.${(index - 1) % RELEASES}.0` }
    return { entry: { ...common, ...yanked, kind: 'yank' }, isPrivate }
  }
  const files = ['hookline.yaml', 'program.bpf.o', 'README.md'].map((name) => ({
    ...{ name, digest: digestOf(`${name} of ${index}`) },
  }))
  const bundle = digestOf(`bundle of ${index}`)
  const entry: LogEntry = { ...common, ...release, kind: 'publish', files, bundle, signers: [signer] }
  return { entry, isPrivate }
}
