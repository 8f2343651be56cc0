import { describe, expect, test } from 'vitest'
import type { PrivateKey } from '../../src/attest/keys.ts'
import { type ReleaseParts, releaseStatement, STATEMENT_TYPE } from '../../src/attest/release-statement.ts'
import { signRelease } from '../../src/attest/sign-release.ts'
import { type ReleaseClaim, verifyRelease } from '../../src/attest/verify-release.ts'
import { LIMITS } from '../../src/domain/limits.ts'
import { codeOf, craftEnvelope, hintOf, newKey } from './craft.ts'

const files = (changes: Record<string, string | undefined> = {}): Map<string, Buffer> => {
  const all = {
    'hookline.yaml': 'name: acme/limit',
    'limit.bpf.o': 'ELF of 1.4.0',
    'README.md': '# limit',
    ...changes,
  }
  return new Map(
    Object.entries(all).flatMap(([name, text]) => (text === undefined ? [] : [[name, Buffer.from(text)]])),
  )
}
const release = (parts: Partial<ReleaseParts> = {}): ReleaseParts => ({
  program: 'acme/limit',
  version: '1.4.0',
  files: files(),
  ...parts,
})
const claim = (key: PrivateKey, bundle: string, parts: Partial<ReleaseClaim> = {}): ReleaseClaim => ({
  ...release(),
  bundle,
  keys: [key.publicKey],
  allowed: [key.fingerprint],
  ...parts,
})
const codeFor = (key: PrivateKey, bundle: string, parts: Partial<ReleaseClaim> = {}): string =>
  codeOf(() => verifyRelease(claim(key, bundle, parts)))

/** A bundle around any signed bytes. */
function bundleOver(
  payload: string | Buffer,
  key: PrivateKey,
  type = STATEMENT_TYPE,
): Record<string, unknown> {
  return {
    mediaType: 'application/vnd.dev.sigstore.bundle.v0.3+json',
    verificationMaterial: { publicKey: { hint: hintOf(key) } },
    dsseEnvelope: craftEnvelope(payload, { type, key, keyid: hintOf(key) }),
  }
}
const statement = (): Record<string, unknown> => JSON.parse(releaseStatement(release()).toString())

describe.each(['p256', 'ed25519'] as const)('a release signed with %s', async (algorithm) => {
  const key = newKey(algorithm)
  const bundle = await signRelease(release(), key)
  const altered = (change: (bundle: ReturnType<typeof JSON.parse>) => void): string => {
    const copy = JSON.parse(bundle)
    change(copy)
    return JSON.stringify(copy)
  }

  test('is accepted and names its signer', () => {
    expect(verifyRelease(claim(key, bundle))).toEqual({ signer: key.fingerprint })
  })

  test('is accepted among other keys and other accepted signers', () => {
    const other = newKey()
    const keys = [other.publicKey, key.publicKey]
    const allowed = [other.fingerprint, key.fingerprint]
    expect(verifyRelease(claim(key, bundle, { keys, allowed })).signer).toBe(key.fingerprint)
  })

  test.each<[string, Partial<ReleaseClaim>, string]>([
    ['a tampered object', { files: files({ 'limit.bpf.o': 'ELF of 1.4.1' }) }, 'subject_mismatch'],
    ['a tampered manifest', { files: files({ 'hookline.yaml': 'name: acme/limiT' }) }, 'manifest_mismatch'],
    ['a file missing', { files: files({ 'README.md': undefined }) }, 'subject_missing'],
    ['a file more', { files: files({ 'extra.o': 'x' }) }, 'subject_unsigned'],
    [
      'a file renamed',
      { files: files({ 'README.md': undefined, 'readme.md': '# limit' }) },
      'subject_missing',
    ],
    [
      'two files swapped',
      { files: files({ 'README.md': 'ELF of 1.4.0', 'limit.bpf.o': '# limit' }) },
      'subject_mismatch',
    ],
    ['no files at all', { files: new Map() }, 'subject_missing'],
    ['the name of another program', { program: 'acme/other' }, 'release_mismatch'],
    ['another version', { version: '1.3.9' }, 'release_mismatch'],
    ['no accepted signer', { allowed: [] }, 'signer_not_allowed'],
    ['only another accepted signer', { allowed: [newKey().fingerprint] }, 'signer_not_allowed'],
    ['a part of the accepted fingerprint', { allowed: [key.fingerprint.slice(0, -1)] }, 'signer_not_allowed'],
    ['its key not at hand', { keys: [] }, 'signer_not_allowed'],
    ['an empty bundle', { bundle: '' }, 'bundle_missing'],
  ])('is refused with %s', (_, parts, code) => {
    expect(codeFor(key, bundle, parts)).toBe(code)
  })

  test('is refused with another key behind the same hint', () => {
    const imposter = { ...newKey(algorithm).publicKey, fingerprint: key.fingerprint }
    expect(codeFor(key, bundle, { keys: [imposter] })).toBe('signature_invalid')
  })

  test('is refused with the hint of another accepted key', () => {
    const other = newKey(algorithm)
    const swapped = altered((copy) => {
      copy.verificationMaterial.publicKey.hint = hintOf(other)
      copy.dsseEnvelope.signatures[0].keyid = hintOf(other)
    })
    const both = { keys: [key.publicKey, other.publicKey], allowed: [key.fingerprint, other.fingerprint] }
    expect(codeFor(key, swapped, both)).toBe('signature_invalid')
  })

  test('is refused when the envelope and the bundle name different keys', () => {
    const split = altered((copy) => {
      copy.dsseEnvelope.signatures[0].keyid = hintOf(newKey())
    })
    expect(codeFor(key, split)).toBe('bundle_invalid')
  })

  test('is refused with an altered payload, signature or payload type', () => {
    const payload = altered((copy) => {
      const text = Buffer.from(copy.dsseEnvelope.payload, 'base64').toString().replace('1.4.0', '1.4.1')
      copy.dsseEnvelope.payload = Buffer.from(text).toString('base64')
    })
    expect(codeFor(key, payload, { version: '1.4.1' })).toBe('signature_invalid')
    const signature = altered((copy) => {
      const bytes = Buffer.from(copy.dsseEnvelope.signatures[0].sig, 'base64')
      bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1
      copy.dsseEnvelope.signatures[0].sig = bytes.toString('base64')
    })
    expect(codeFor(key, signature)).toBe('signature_invalid')
    const type = altered((copy) => {
      copy.dsseEnvelope.payloadType = 'application/json'
    })
    expect(codeFor(key, type)).toBe('signature_invalid')
  })

  test('does not lend its signature to a mix of two releases', async () => {
    const next = release({ version: '1.5.0', files: files({ 'limit.bpf.o': 'ELF of 1.5.0' }) })
    const nextBundle = await signRelease(next, key)
    expect(codeFor(key, nextBundle, next)).toBe('no error')
    expect(codeFor(key, nextBundle)).toBe('release_mismatch')
    expect(codeFor(key, bundle, { files: next.files })).toBe('subject_mismatch')
    expect(codeFor(key, bundle, next)).toBe('release_mismatch')
  })
})

describe('documents that a signer really signed, but that are no release', () => {
  const key = newKey()
  const signed = (payload: string | Buffer, type?: string): string =>
    codeFor(key, JSON.stringify(bundleOver(payload, key, type)))

  test('the same way of making a bundle is accepted for a statement', () => {
    expect(signed(JSON.stringify(statement()))).toBe('no error')
  })

  const entry = (name: string): unknown => ({ name, digest: { sha256: '0'.repeat(64) } })
  const digests = (statement()['subject'] as unknown[]).slice()
  test.each<[string, string | Buffer, string]>([
    [
      'another predicate type',
      JSON.stringify({ ...statement(), predicateType: 'https://slsa.dev/provenance/v1' }),
      'statement_invalid',
    ],
    [
      'another statement type',
      JSON.stringify({ ...statement(), _type: 'https://in-toto.io/Statement/v0.1' }),
      'statement_invalid',
    ],
    ['an unknown field', JSON.stringify({ ...statement(), note: 'hello' }), 'statement_invalid'],
    ['no subjects', JSON.stringify({ ...statement(), subject: [] }), 'statement_invalid'],
    [
      'a subject with a path',
      JSON.stringify({ ...statement(), subject: [entry('../x')] }),
      'statement_invalid',
    ],
    [
      'a subject named twice',
      JSON.stringify({ ...statement(), subject: [...digests, digests[0]] }),
      'subject_mismatch',
    ],
    [
      'a key that occurs twice',
      JSON.stringify(statement()).replace(
        '"predicate":',
        '"predicate":{"name":"acme/limit","version":"9.9.9"},"predicate":',
      ),
      'statement_invalid',
    ],
    ['no JSON', 'name: acme/limit', 'statement_invalid'],
    ['null', 'null', 'statement_invalid'],
    [
      'bytes that are not UTF-8',
      Buffer.concat([Buffer.from('"'), Buffer.from([0xff]), Buffer.from('"')]),
      'statement_invalid',
    ],
  ])('%s', (_, payload, code) => {
    expect(signed(payload)).toBe(code)
  })

  test('a statement signed as another type of document', () => {
    expect(signed(JSON.stringify(statement()), 'application/vnd.hookline.order+json')).toBe(
      'statement_invalid',
    )
  })
})

describe('bundles that are not read', () => {
  const key = newKey()
  const good = bundleOver(releaseStatement(release()), key)
  const text = JSON.stringify(good)
  const [signature] = craftEnvelope(releaseStatement(release()), {
    type: STATEMENT_TYPE,
    key,
    keyid: hintOf(key),
  }).signatures
  const envelope = good['dsseEnvelope'] as object

  test('the bundle they are made from is accepted', () => {
    expect(codeFor(key, text)).toBe('no error')
  })

  test.each<[string, string]>([
    ['{}', '{}'],
    ['null', 'null'],
    ['a number', '7'],
    ['a list', '[]'],
    ['text that is no JSON', 'bundle'],
    ['half a bundle', text.slice(0, text.length / 2)],
    ['a deep nesting', '['.repeat(100_000)],
    ['a null envelope', JSON.stringify({ ...good, dsseEnvelope: null })],
    ['a null verification material', JSON.stringify({ ...good, verificationMaterial: null })],
    [
      'a media type of v0.2',
      JSON.stringify({ ...good, mediaType: 'application/vnd.dev.sigstore.bundle+json;version=0.2' }),
    ],
    [
      'a media type that only begins as ours',
      JSON.stringify({ ...good, mediaType: `${good['mediaType']}; x=y` }),
    ],
    ['no media type', JSON.stringify({ ...good, mediaType: undefined })],
    ['no signature', JSON.stringify({ ...good, dsseEnvelope: { ...envelope, signatures: [] } })],
    [
      'two signatures',
      JSON.stringify({ ...good, dsseEnvelope: { ...envelope, signatures: [signature, signature] } }),
    ],
    ['an empty hint', JSON.stringify({ ...good, verificationMaterial: { publicKey: { hint: '' } } })],
    ['no hint', JSON.stringify({ ...good, verificationMaterial: { publicKey: {} } })],
    [
      'a certificate next to the hint',
      JSON.stringify({
        ...good,
        verificationMaterial: { publicKey: { hint: hintOf(key) }, certificate: { rawBytes: 'AAAA' } },
      }),
    ],
    [
      'a message signature',
      JSON.stringify({
        ...good,
        dsseEnvelope: undefined,
        messageSignature: { messageDigest: { algorithm: 'SHA2_256', digest: 'AAAA' }, signature: 'AAAA' },
      }),
    ],
    [
      'a log entry that nobody checks',
      JSON.stringify({
        ...good,
        verificationMaterial: { publicKey: { hint: hintOf(key) }, tlogEntries: [{}] },
      }),
    ],
    ['an unknown field', JSON.stringify({ ...good, extra: 1 })],
    [
      'a payload that is not base64',
      JSON.stringify({ ...good, dsseEnvelope: { ...envelope, payload: '***' } }),
    ],
    ['a key that occurs twice', text.replace('"mediaType":', '"mediaType":"x","mediaType":')],
    ['an escaped key that occurs twice', text.replace('"mediaType":', '"media\\u0054ype":"x","mediaType":')],
  ])('%s', (_, bundle) => {
    expect(codeFor(key, bundle)).toBe('bundle_invalid')
  })

  test('more bytes than a bundle may have, before any of them is parsed', () => {
    expect(codeFor(key, `${text}${' '.repeat(LIMITS.bundle_bytes)}`)).toBe('too_large')
    expect(codeFor(key, text.padEnd(LIMITS.bundle_bytes))).toBe('no error')
  })

  test('more files, or more bytes of files, than a release may have', () => {
    const many = new Map(
      Array.from({ length: LIMITS.release_files + 1 }, (_, at) => [`f${at}`, Buffer.alloc(1)]),
    )
    expect(codeFor(key, text, { files: many })).toBe('too_large')
    const big = new Map([['hookline.yaml', Buffer.alloc(LIMITS.file_bytes + 1)]])
    expect(codeFor(key, text, { files: big })).toBe('too_large')
  })

  test('whatever the code did not expect fails closed', () => {
    expect(codeFor(key, text, { keys: [null as unknown as typeof key.publicKey] })).toBe('bundle_invalid')
    const broken = { ...key.publicKey, key: undefined } as unknown as typeof key.publicKey
    expect(codeFor(key, text, { keys: [broken] })).toBe('signature_invalid')
  })
})

describe('the statement of a release', () => {
  test('is the same whatever the order of the files', () => {
    const turned = new Map([...files()].reverse())
    expect(releaseStatement(release({ files: turned }))).toEqual(releaseStatement(release()))
  })

  test('names every file by its digest', () => {
    expect(statement()).toEqual({
      _type: 'https://in-toto.io/Statement/v1',
      subject: ['README.md', 'hookline.yaml', 'limit.bpf.o'].map((name) => ({
        name,
        digest: { sha256: expect.stringMatching(/^[0-9a-f]{64}$/) },
      })),
      predicateType: 'https://hookline.dev/release/v1',
      predicate: { name: 'acme/limit', version: '1.4.0' },
    })
  })

  test('is not made without hookline.yaml, nor for names that are no plain file names', () => {
    expect(codeOf(() => releaseStatement(release({ files: files({ 'hookline.yaml': undefined }) })))).toBe(
      'invalid_request',
    )
    expect(codeOf(() => releaseStatement(release({ files: files({ '../x': 'x' }) })))).toBe('invalid_request')
  })
})
