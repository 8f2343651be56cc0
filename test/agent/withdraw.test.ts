import { expect, test } from 'vitest'
import { dropEntry } from '../../src/agent/drop-entry.ts'
import { steppedBack } from '../../src/agent/withdraw.ts'
import { DomainError } from '../../src/domain/errors.ts'
import { FunctionSpec } from '../../src/domain/function.ts'
import type { ReleaseDescriptor } from '../../src/domain/release.ts'

const spec = FunctionSpec.parse({
  ...{ kind: 'function', name: 'edge', selector: { role: 'edge' }, interfaces: ['eth0'] },
  instances: [{ use: 'acme/limit@^1.0' }, { use: 'acme/scrub@1.0.0', name: 'exact' }],
})
/** What runs of an instance, by its release. */
const entry = (instance: string, release: string) => {
  const made = dropEntry('edge', instance, release, 'xdp')
  return {
    ...made,
    record: { ...made.record, release },
  }
}
const release = (program: string, version: string): ReleaseDescriptor => ({
  ...{ program, version, files: [], bundle: '', bundles: [] },
})

test.each<
  [string, { runs?: string; revoked?: string[]; ran?: string[]; ranRevoked?: boolean; expected?: string }]
>([
  ['nothing is revoked', {}],
  ['a newer one is revoked', { revoked: ['1.2.0'], expected: '1.2.0' }],
  ['several are, of which the newest is named', { revoked: ['1.10.0', '1.9.0'], expected: '1.10.0' }],
  ['only an older one is revoked', { revoked: ['1.0.0'] }],
  ['one outside its range is revoked', { revoked: ['2.0.0'] }],
  ['what ran has a revoked file', { ran: ['1.3.0'], ranRevoked: true, expected: '1.3.0' }],
  ['what ran was newer, and is not revoked', { ran: ['1.3.0'] }],
])('an instance steps back when %s', (_, { revoked = [], ran = [], ranRevoked = false, expected }) => {
  const vetting = {
    revokedVersions: (program: string) => (program === 'acme/limit' ? revoked : []),
    revocationOf: () => (ranRevoked ? new DomainError('release_revoked', 'its file is') : undefined),
  }
  const entries = [entry('limit', 'acme/limit@1.1.0'), entry('exact', 'acme/scrub@1.0.0')]
  const found = steppedBack(
    vetting,
    { name: 'edge', revision: 1, spec, entries },
    ran.map((version) => release('acme/limit', version)),
  )
  const one = { instance: 'limit', release: `acme/limit@${expected}`, action: 'previous' }
  expect(found).toEqual(expected === undefined ? [] : [one])
})

test('an instance that only drops, or is left out, runs nothing older', () => {
  const vetting = { revokedVersions: () => ['1.2.0'], revocationOf: () => undefined }
  for (const entries of [[], [dropEntry('edge', 'limit', 'acme/limit@1.2.0', 'xdp')]])
    expect(steppedBack(vetting, { name: 'edge', revision: 1, spec, entries }, [])).toEqual([])
})
