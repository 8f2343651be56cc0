import { randomBytes } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { publicationOf } from '../../src/agent/logged-release.ts'
import { sha256Digest } from '../../src/attest/keys.ts'
import { asDomainError } from '../../src/domain/errors.ts'
import type { LogEntry } from '../../src/domain/log-entry.ts'
import { Digest } from '../../src/domain/names.ts'
import type { ReleaseDescriptor } from '../../src/domain/release.ts'
import { encodeEntry, hideEntry, SALT_BYTES } from '../../src/tlog/entry.ts'
import { leafHash } from '../../src/tlog/merkle.ts'

const digest = (text: string): Digest => Digest.parse(sha256Digest(Buffer.from(text)))
const [ada, grace, eve] = ['ada', 'grace', 'eve'].map(digest) as [Digest, Digest, Digest]
const AT = Date.parse('2026-05-01T00:00:00Z') / 1000
const files = ['hookline.yaml', 'limit.bpf.o'].map((name) => ({ name, digest: digest(name) }))
const PUBLISHED: LogEntry = {
  ...{ v: 1, kind: 'publish', at: AT, program: 'acme/limit', version: '1.2.0', files },
  ...{ bundle: digest('signed by ada'), signers: [ada, grace] },
}
/** The release of {@link PUBLISHED}, said to stand where `entry` does. */
const release = (entry: LogEntry = PUBLISHED): ReleaseDescriptor => ({
  ...{ program: 'acme/limit', version: '1.2.0', bundle: 'signed by ada', bundles: [] },
  files: files.map((file) => ({ ...file, size: 1 })),
  logged: { index: 7, entry: encodeEntry(entry).toString('utf8') },
})
function codeOf(descriptor: ReleaseDescriptor, signers: readonly Digest[]): string {
  try {
    return publicationOf(descriptor, signers).at.toISOString()
  } catch (thrown) {
    return asDomainError(thrown).code
  }
}

const placed = (leaf: Buffer) => ({ index: 7, leaf, place: `7:${leaf.toString('hex')}` })

describe('the publication of a release in the log', () => {
  test('says where it stands, and when it was made', () => {
    expect(publicationOf(release(), [ada])).toEqual({
      ...placed(leafHash(encodeEntry(PUBLISHED))),
      at: new Date(AT * 1000),
    })
  })
  test('says the same of a private program by what its entry hides', () => {
    const salt = randomBytes(SALT_BYTES)
    const shown = hideEntry(PUBLISHED, salt)
    const logged = { index: 7, entry: encodeEntry(shown).toString('utf8') }
    const hidden = { hidden: encodeEntry(PUBLISHED).toString('utf8'), salt: salt.toString('base64') }
    const descriptor = { ...release(), logged: { ...logged, ...hidden } }
    expect(publicationOf(descriptor, [ada])).toEqual({
      ...placed(leafHash(encodeEntry(shown))),
      at: new Date(AT * 1000),
    })
    // an earlier time than the one that is in the log makes nothing older
    const older = encodeEntry({ ...PUBLISHED, at: AT - 86_400 }).toString('utf8')
    const backdated = { ...descriptor, logged: { ...descriptor.logged, hidden: older } }
    expect(codeOf(backdated, [ada])).toBe('not_logged')
  })
  test.each<[string, readonly Digest[], boolean]>([
    ['the publisher', [ada], true],
    ['another who signed it then', [grace], true],
    ['one of several', [eve, grace], true],
    ['nobody whose signature it names', [eve], false],
    ['nobody', [], false],
  ])('names one of the signers that count: %s', (_, signers, holds) => {
    expect(codeOf(release(), signers) === 'not_logged').toBe(!holds)
  })
  test.each<[string, LogEntry]>([
    ['another version', { ...PUBLISHED, version: '1.3.0' }],
    ['another bundle', { ...PUBLISHED, bundle: digest('another') }],
    ['other files', { ...PUBLISHED, files: files.slice(1) }],
    ['a yank', { v: 1, kind: 'yank', at: AT, program: 'acme/limit', version: '1.2.0' }],
  ])('is not that of %s', (_, entry) => {
    expect(codeOf(release(entry), [ada])).toBe('not_logged')
  })
  test('is missed where none is said', () => {
    const { logged: _, ...unlogged } = release()
    expect(codeOf(unlogged, [ada])).toBe('not_logged')
  })
})
