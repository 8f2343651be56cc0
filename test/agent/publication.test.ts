import { expect, test } from 'vitest'
import { publicationLeaf } from '../../src/agent/publication.ts'
import { sha256Digest } from '../../src/attest/keys.ts'
import type { LogEntry } from '../../src/domain/log-entry.ts'
import type { ReleaseDescriptor } from '../../src/domain/release.ts'
import { encodeEntry, hideEntry } from '../../src/tlog/entry.ts'
import { leafHash } from '../../src/tlog/merkle.ts'

const digest = (text: string) => sha256Digest(Buffer.from(text))
const SIGNER = digest('signer')
const ENTRY: Extract<LogEntry, { kind: 'publish' }> = {
  ...{ v: 1, kind: 'publish', at: 1_700_000_000, program: 'acme/limit', version: '1.0.0' },
  files: [
    { name: 'a.bpf.o', digest: digest('a') },
    { name: 'hookline.yaml', digest: digest('manifest') },
  ],
  ...{ bundle: digest('bundle'), signers: [SIGNER] },
}
const textOf = (entry: LogEntry): string => encodeEntry(entry).toString()
const released = (logged: ReleaseDescriptor['logged']): ReleaseDescriptor => ({
  ...{ program: 'acme/limit', version: '1.0.0', bundle: 'bundle' },
  files: [
    { name: 'hookline.yaml', digest: digest('manifest'), size: 8 },
    { name: 'a.bpf.o', digest: digest('a'), size: 1 },
  ],
  ...(logged === undefined ? {} : { logged }),
})
const OPEN = released({ index: 7, entry: textOf(ENTRY) })
const SALT = Buffer.alloc(32, 5)
const HIDDEN = released({
  ...{ index: 7, entry: textOf(hideEntry(ENTRY, SALT)) },
  ...{ hidden: textOf(ENTRY), salt: SALT.toString('base64') },
})
const leafOf = ({ logged }: ReleaseDescriptor): Buffer => leafHash(Buffer.from(logged?.entry ?? ''))

test.each([
  ['that says so openly', OPEN],
  ['that hides it', HIDDEN],
])('the leaf of a publication is that of the entry %s', (_, release) => {
  expect(publicationLeaf(release, SIGNER)).toEqual({ index: 7, leaf: leafOf(release) })
})

const about = (change: Partial<typeof ENTRY>) =>
  released({ index: 7, entry: textOf({ ...ENTRY, ...change }) })
test.each<[string, ReleaseDescriptor]>([
  ['no entry', released(undefined)],
  ['another program', about({ program: 'acme/other' })],
  ['another version', about({ version: '1.0.1' })],
  ['another bundle', about({ bundle: digest('other') })],
  ['another signer', about({ signers: [digest('other')] })],
  ['a file less', about({ files: ENTRY.files.slice(1) })],
  ['a file more', about({ files: [...ENTRY.files, { name: 'b.bpf.o', digest: digest('b') }] })],
  ['another file', about({ files: ENTRY.files.map((file) => ({ ...file, digest: digest('b') })) })],
  [
    'what became of it',
    released({
      index: 7,
      entry: textOf({ v: 1, kind: 'yank', at: 1, program: 'acme/limit', version: '1.0.0' }),
    }),
  ],
  ['nothing that can be read', released({ index: 7, entry: '{}' })],
  ['a commitment alone', released({ index: 7, entry: HIDDEN.logged?.entry ?? '' })],
  [
    'a commitment to something else',
    released({
      ...{ index: 7, entry: textOf(hideEntry({ ...ENTRY, version: '1.0.1' }, SALT)) },
      ...{ hidden: textOf(ENTRY), salt: SALT.toString('base64') },
    }),
  ],
  [
    'a commitment with another salt',
    released({
      ...{ index: 7, entry: HIDDEN.logged?.entry ?? '', hidden: textOf(ENTRY) },
      salt: Buffer.alloc(32, 6).toString('base64'),
    }),
  ],
  [
    'a commitment without its salt',
    released({ index: 7, entry: HIDDEN.logged?.entry ?? '', hidden: textOf(ENTRY) }),
  ],
])('a release of which the log has %s is not logged', (_, release) => {
  expect(() => publicationLeaf(release, SIGNER)).toThrow(expect.objectContaining({ code: 'not_logged' }))
})
