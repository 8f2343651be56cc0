import { describe, expect, test } from 'vitest'
import { LIMITS } from '../../src/domain/limits.ts'
import { LogEntry } from '../../src/domain/log-entry.ts'
import { encodeEntry, hideEntry, hides, parseEntry, SALT_BYTES } from '../../src/tlog/entry.ts'
import { codeOf } from '../attest/craft.ts'
import { randomNumbers } from './naive.ts'

const digest = (digit: string) => `sha256:${digit.repeat(64)}`
const identity = {
  identity: 'https://github.com/acme/app/.github/workflows/release.yml@refs/tags/v1',
  issuer: 'https://token.actions.githubusercontent.com',
}
const release = { v: 1, at: 1_800_000_000, program: 'acme/limit', version: '1.4.0' } as const
const common = { v: 1, at: 1_800_000_000 } as const
const publish: LogEntry = {
  ...release,
  kind: 'publish',
  files: [
    { name: 'hookline.yaml', digest: digest('a') },
    { name: 'limit.bpf.o', digest: digest('b') },
  ],
  bundle: digest('c'),
  signers: [digest('d'), identity],
}
const ENTRIES: LogEntry[] = [
  publish,
  { ...release, kind: 'cosign', bundle: digest('2'), signer: identity },
  { ...release, kind: 'yank' },
  { ...release, kind: 'unyank' },
  { ...release, kind: 'delete' },
  {
    ...common,
    kind: 'revoke',
    revoked: { kind: 'release', program: 'acme/limit', version: '1.4.0' },
    reason: 'malicious',
    envelope: digest('e'),
  },
  {
    ...common,
    kind: 'revoke',
    revoked: { kind: 'file', digest: digest('b') },
    reason: 'other',
    envelope: digest('e'),
  },
  { ...common, kind: 'signer', namespace: 'acme', signer: digest('d'), change: 'added' },
  { ...common, kind: 'signer', namespace: 'acme', signer: identity, change: 'removed' },
  { ...common, kind: 'owner', namespace: 'acme', account: 'ada', change: 'added' },
  { ...common, kind: 'operator', operator: digest('f'), change: 'removed' },
  { ...common, kind: 'epoch', epoch: 2, recovery: digest('0') },
  { ...common, kind: 'private', commitment: digest('1') },
]
const codeFor = (text: string | Buffer): string => codeOf(() => parseEntry(Buffer.from(text)))

describe('an entry', () => {
  test('of every kind is read as it was written', () => {
    expect(new Set(ENTRIES.map(({ kind }) => kind)).size).toBe(LogEntry.options.length)
    for (const entry of ENTRIES) {
      expect(parseEntry(encodeEntry(entry))).toEqual(entry)
      const reversed = Object.fromEntries(Object.entries(entry).reverse())
      expect(encodeEntry(LogEntry.parse(reversed))).toEqual(encodeEntry(entry))
    }
  })

  test('has one form, which is RFC 8785’s', () => {
    expect(encodeEntry({ ...release, kind: 'yank' }).toString()).toBe(
      '{"at":1800000000,"kind":"yank","program":"acme/limit","v":1,"version":"1.4.0"}',
    )
  })

  test('of random parts is read as it was written', () => {
    const random = randomNumbers(8785)
    const pick = (letters: string): string => letters.charAt(Math.floor(random() * letters.length))
    const text = (letters: string, length: number): string =>
      Array.from({ length }, () => pick(letters)).join('')
    const printable = Array.from({ length: 93 }, (_, at) => String.fromCharCode(0x21 + at)).join('')
    for (let run = 0; run < 100; run++) {
      const entry: LogEntry = {
        ...publish,
        at: Math.floor(random() * 2 ** 40),
        version: `${Math.floor(random() * 99)}.${Math.floor(random() * 99)}.0-rc.${run}`,
        files: Array.from({ length: 1 + Math.floor(random() * 64) }, () => ({
          name: `f${text('abcXYZ019._-', Math.floor(random() * 100))}`,
          digest: `sha256:${text('0123456789abcdef', 64)}`,
        })),
        signers: Array.from({ length: 1 + Math.floor(random() * 8) }, () => ({
          identity: text(printable, 1 + Math.floor(random() * 999)),
          issuer: text('",\\[{', 1 + Math.floor(random() * 999)),
        })),
      }
      expect(parseEntry(encodeEntry(entry))).toEqual(entry)
    }
  })

  test('of the largest parts fits', () => {
    const long = '"'.repeat(LIMITS.signer_chars)
    const entry: LogEntry = {
      ...publish,
      files: Array.from({ length: LIMITS.release_files }, () => ({
        name: 'f'.repeat(128),
        digest: digest('a'),
      })),
      signers: Array.from({ length: LIMITS.log_entry_signers }, () => ({ identity: long, issuer: long })),
    }
    expect(encodeEntry(entry).length).toBeLessThan(LIMITS.log_entry_bytes)
  })

  const yank = encodeEntry({ ...release, kind: 'yank' }).toString()
  test.each([
    ['a space', yank.replace(':', ': ')],
    ['a newline behind', `${yank}\n`],
    ['keys in another order', yank.replace('"at":1800000000,', '').replace('}', ',"at":1800000000}')],
    ['a key twice', yank.replace('"v":1', '"v":1,"v":1')],
    ['an escape that is not needed', yank.replace('yank', 'y\\u0061nk')],
    ['another form of a number', yank.replace('1800000000', '1.8e9')],
    ['a byte order mark', `\ufeff${yank}`],
    ['a field that its kind has not', yank.replace('"kind"', '"extra":1,"kind"')],
    ['a field missing', yank.replace(',"version":"1.4.0"', '')],
    ['a name that is none', yank.replace('acme/limit', 'acme')],
    ['no version of the form', yank.replace(',"v":1', '')],
    ['a version of the form that is none', yank.replace('"v":1', '"v":0')],
    ['no time', yank.replace('"at":1800000000,', '')],
    ['a time before 1970', yank.replace('1800000000', '-1')],
    ['no kind', yank.replace('"kind":"yank",', '')],
    ['a kind that is no word', yank.replace('"yank"', '"Yank!"')],
    ['bytes that are not UTF-8', Buffer.concat([Buffer.from(yank), Buffer.from([0xff])])],
    ['a list for it', '[]'],
    ['nothing', ''],
    ['no JSON', 'yank'],
  ])('with %s is refused', (_, text) => {
    expect(codeFor(text)).toBe('log_entry_invalid')
    expect(codeFor(yank)).toBe('no error')
  })

  test('is not written when it could not be read', () => {
    for (const change of [{ at: -1 }, { version: 'v1' }, { extra: 1 }])
      expect(codeOf(() => encodeEntry({ ...release, kind: 'yank', ...change }))).toBe('log_entry_invalid')
  })
})

describe('an entry of a later version', () => {
  test('is kept as it is, whatever it holds', () => {
    for (const text of [
      '{"__proto__":{"x":[1.5,null,true,"é"]},"at":5,"kind":"freeze","v":1}',
      '{"at":5,"kind":"yank","new":1,"v":2}',
      '{"at":5,"kind":"opaque","v":1}',
    ]) {
      const { at, kind, v } = JSON.parse(text)
      const bytes = Buffer.from(text)
      expect(parseEntry(bytes)).toEqual({ kind: 'opaque', head: { v, kind, at }, bytes })
    }
  })

  test('has one form too, and bounds', () => {
    expect(codeFor('{"at":5,"v":1,"kind":"freeze"}')).toBe('log_entry_invalid')
    const nested = (depth: number): string =>
      `{"a":${'['.repeat(depth)}${']'.repeat(depth)},"at":5,"kind":"freeze","v":1}`
    expect(codeFor(nested(LIMITS.log_entry_depth - 1))).toBe('no error')
    expect(codeFor(nested(LIMITS.log_entry_depth))).toBe('log_entry_invalid')
    expect(codeFor(nested(30_000))).toBe('log_entry_invalid')
    const long = (length: number): string => `{"a":"${'x'.repeat(length)}","at":5,"kind":"freeze","v":1}`
    const most = LIMITS.log_entry_bytes - long(0).length
    expect(codeFor(long(most))).toBe('no error')
    expect(codeFor(long(most + 1))).toBe('log_entry_invalid')
  })
})

describe('an entry about a private program', () => {
  const salt = Buffer.alloc(SALT_BYTES, 7)
  const hidden = hideEntry(publish, salt)

  test('says when, and nothing else', () => {
    expect(hidden).toEqual({
      v: 1,
      kind: 'private',
      at: publish.at,
      commitment: expect.stringMatching(/^sha256:/),
    })
    expect(encodeEntry(hidden).toString()).not.toContain('acme')
    expect(parseEntry(encodeEntry(hidden))).toEqual(hidden)
  })

  test('stands for one entry with one salt', () => {
    expect(hides(hidden, publish, salt)).toBe(true)
    expect(hides(hidden, { ...publish, version: '1.4.1' }, salt)).toBe(false)
    expect(hides(hidden, publish, Buffer.alloc(SALT_BYTES, 8))).toBe(false)
    expect(hides({ ...hidden, at: 1 }, publish, salt)).toBe(false)
    expect(hides(publish, publish, salt)).toBe(false)
    expect(codeOf(() => hideEntry(publish, Buffer.alloc(SALT_BYTES + 1)))).toBe('log_entry_invalid')
  })
})
