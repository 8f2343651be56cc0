import { sha256Digest } from '../attest/keys.ts'
import type { EntryRecord } from '../domain/generation.ts'
import type { Hook } from '../domain/hook.ts'
import type { ReadyEntry } from './instance.ts'

/** How a drop entry's record names its release: no range and no revocation means that. */
const REVOKED = ' (revoked)'

/** Whether an entry drops every packet in place of what was revoked. */
export const isDropEntry = ({ release }: Pick<EntryRecord, 'release'>): boolean => release.endsWith(REVOKED)

/** What ran where a drop entry is. */
export const droppedRelease = ({ release }: Pick<EntryRecord, 'release'>): string =>
  release.slice(0, -REVOKED.length)

/** The drop entry that a record is of. */
export const redoneDropEntry = (record: EntryRecord, hook: Hook): ReadyEntry =>
  dropEntry(record.function, record.instance, droppedRelease(record), hook)

/** What stands in a chain for an instance that has nothing it may run: every packet is dropped. `release` is what it ran. */
export function dropEntry(functionName: string, instance: string, release: string, hook: Hook): ReadyEntry {
  const made = {
    function: functionName,
    instance,
    release: `${release}${REVOKED}`,
    entry: 'drop_all',
    object: sha256Digest(Buffer.from(`drop_all ${hook}`)),
    proceed: [],
  }
  return {
    record: { ...made, spec: sha256Digest(Buffer.from(JSON.stringify([made, hook]))) },
    image: {
      ...{ entry: made.entry, hook, builtin: 'drop', bytes: Buffer.alloc(0), license: 'GPL' },
      ...{ gplCompatible: true, frags: true, proceed: [], onMissing: 'drop', variables: [], maps: [] },
      ...{ functions: [], btf: undefined, kernelFunctions: [], arrayPrograms: [], tailCalls: 0 },
    },
  }
}
