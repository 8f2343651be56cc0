import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { signKeyless } from '../../src/attest/sign-keyless.ts'
import { parseTrustedRoot, type TrustedRoot } from '../../src/attest/trusted-root.ts'
import { type ReleaseClaim, verifyRelease } from '../../src/attest/verify-release.ts'
import { acceptsSigner, IdentityRule } from '../../src/domain/signer.ts'
import { type SigstoreDouble, startSigstore } from '../support/sigstore.ts'
import { codeOf, newKey } from './craft.ts'

const IDENTITY = 'https://github.com/acme/app/.github/workflows/release.yml@refs/tags/v1'
const ISSUER = 'https://token.actions.githubusercontent.com'
const release = {
  program: 'acme/limit',
  version: '1.4.0',
  files: new Map([
    ['hookline.yaml', Buffer.from('name: acme/limit')],
    ['limit.bpf.o', Buffer.from('ELF')],
  ]),
}
/** An identity token; the double of Fulcio reads it and does not check it. */
const tokenFor = (sub: string, iss = ISSUER): string =>
  `${[{ alg: 'none' }, { iss, sub, aud: 'sigstore', exp: 4_000_000_000 }]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.')}.x`
const sign = (services: SigstoreDouble, identity = IDENTITY, issuer = ISSUER): Promise<string> =>
  signKeyless(release, tokenFor(identity, issuer), {
    fulcio: services.url,
    tsa: services.url,
    rekor: undefined,
  })

let services: SigstoreDouble
let root: TrustedRoot
let bundle: string
beforeAll(async () => {
  services = await startSigstore()
  root = parseTrustedRoot(services.trustedRoot)
  bundle = await sign(services)
})
afterAll(() => services.close())

const claim = (parts: Partial<ReleaseClaim> = {}): ReleaseClaim => ({
  ...release,
  bundle,
  keys: [],
  allowed: [{ identity: IDENTITY, issuer: ISSUER }],
  root,
  ...parts,
})
const codeFor = (parts: Partial<ReleaseClaim>): string => codeOf(() => verifyRelease(claim(parts)))
const altered = (change: (bundle: ReturnType<typeof JSON.parse>) => void): string => {
  const copy = JSON.parse(bundle)
  change(copy)
  return JSON.stringify(copy)
}

describe('a release signed by an identity', () => {
  test('is accepted and names identity and issuer', () => {
    expect(verifyRelease(claim())).toEqual({ signer: { identity: IDENTITY, issuer: ISSUER } })
    const allowed = [newKey().fingerprint, { identity: IDENTITY.replace('v1', '*'), issuer: ISSUER }]
    expect(verifyRelease(claim({ allowed })).signer).toEqual({ identity: IDENTITY, issuer: ISSUER })
  })

  test.each<[string, { identity?: string; issuer?: string }]>([
    ['a beginning of it', { identity: IDENTITY.slice(0, -1) }],
    ['more than it', { identity: `${IDENTITY}0` }],
    ['another case', { identity: IDENTITY.toUpperCase() }],
    ['a regular expression', { identity: 'https://github.com/acme/.+' }],
    ['dots for slashes', { identity: IDENTITY.replaceAll('/', '.') }],
    ['nothing', { identity: '' }],
    ['another repository’s refs', { identity: 'https://github.com/acme/ap/x.yml@refs/*' }],
    ['another issuer', { issuer: `${ISSUER}.example` }],
    ['a beginning of the issuer', { issuer: ISSUER.slice(0, -1) }],
    ['no issuer', { issuer: '' }],
  ])('is refused where %s is accepted', (_, rule) => {
    expect(codeFor({ allowed: [{ identity: IDENTITY, issuer: ISSUER, ...rule }] })).toBe('signer_not_allowed')
  })

  test.each<[string, Partial<ReleaseClaim>, string]>([
    ['no accepted signer', { allowed: [] }, 'signer_not_allowed'],
    ['only a key accepted', { allowed: [newKey().fingerprint] }, 'signer_not_allowed'],
    ['no trusted root', { root: undefined }, 'no_trusted_root'],
    ['another program’s name', { program: 'acme/other' }, 'release_mismatch'],
    ['another version', { version: '1.3.9' }, 'release_mismatch'],
    [
      'a tampered file',
      { files: new Map([...release.files, ['limit.bpf.o', Buffer.from('elf')]]) },
      'subject_mismatch',
    ],
  ])('is refused with %s', (_, parts, code) => {
    expect(codeFor(parts)).toBe(code)
  })

  test('is refused by the root of other services', async () => {
    const others = await startSigstore()
    try {
      expect(codeFor({ root: parseTrustedRoot(others.trustedRoot) })).toBe('certificate_invalid')
      // certificates of ours with timestamps of theirs
      const [ours, theirs] = [JSON.parse(services.trustedRoot), JSON.parse(others.trustedRoot)]
      const mixed = { ...ours, timestampAuthorities: theirs.timestampAuthorities }
      expect(codeFor({ root: parseTrustedRoot(JSON.stringify(mixed)) })).toBe('certificate_invalid')
      // the certificate must be one that its log has seen
      const unseen = { ...ours, ctlogs: theirs.ctlogs }
      expect(codeFor({ root: parseTrustedRoot(JSON.stringify(unseen)) })).toBe('certificate_invalid')
    } finally {
      await others.close()
    }
  })

  test('is refused when it was signed after the certificate had expired', async () => {
    const late = await startSigstore({ late_s: 3600 })
    try {
      const signedLate = await sign(late)
      const parts = { bundle: signedLate, root: parseTrustedRoot(late.trustedRoot) }
      expect(codeFor(parts)).toBe('certificate_invalid')
    } finally {
      await late.close()
    }
  })

  test('is refused with what was changed in its bundle', async () => {
    const other = JSON.parse(await sign(services))
    const cases: [string, (copy: ReturnType<typeof JSON.parse>) => void, string][] = [
      [
        'no timestamp',
        (copy) => delete copy.verificationMaterial.timestampVerificationData,
        'certificate_invalid',
      ],
      [
        'the timestamp of another signature',
        (copy) => {
          copy.verificationMaterial.timestampVerificationData =
            other.verificationMaterial.timestampVerificationData
        },
        'certificate_invalid',
      ],
      [
        'the same timestamp twice',
        ({ verificationMaterial: { timestampVerificationData: data } }) =>
          data.rfc3161Timestamps.push(data.rfc3161Timestamps[0]),
        'certificate_invalid',
      ],
      [
        'another certificate',
        (copy) => {
          copy.verificationMaterial.certificate = other.verificationMaterial.certificate
        },
        'signature_invalid',
      ],
      [
        'a key beside the certificate',
        (copy) => {
          copy.verificationMaterial.publicKey = { hint: `${'A'.repeat(43)}=` }
        },
        'bundle_invalid',
      ],
      [
        'a chain of certificates',
        (copy) => {
          const { certificate } = copy.verificationMaterial
          delete copy.verificationMaterial.certificate
          copy.verificationMaterial.x509CertificateChain = { certificates: [certificate] }
        },
        'bundle_invalid',
      ],
      [
        'no certificate',
        (copy) => {
          copy.verificationMaterial.certificate = null
        },
        'bundle_invalid',
      ],
      [
        'bytes that are no certificate',
        (copy) => {
          copy.verificationMaterial.certificate = { rawBytes: 'AAAA' }
        },
        'bundle_invalid',
      ],
      [
        'an entry of a log that nobody knows',
        (copy) => {
          copy.verificationMaterial.tlogEntries = [
            {
              ...{ logIndex: '1', logId: { keyId: 'AAAA' }, integratedTime: '1700000000' },
              ...{ kindVersion: { kind: 'dsse', version: '0.0.1' }, canonicalizedBody: 'e30=' },
              inclusionPromise: { signedEntryTimestamp: 'AAAA' },
            },
          ]
        },
        'bundle_invalid',
      ],
      [
        'an altered payload',
        (copy) => {
          const text = Buffer.from(copy.dsseEnvelope.payload, 'base64').toString().replace('1.4.0', '1.4.1')
          copy.dsseEnvelope.payload = Buffer.from(text).toString('base64')
        },
        'signature_invalid',
      ],
    ]
    for (const [what, change, code] of cases)
      expect([what, codeFor({ bundle: altered(change) })]).toEqual([what, code])
  })
})

describe('a rule for identities', () => {
  test.each([
    ['https://github.com/acme/app/.github/workflows/release.yml@refs/tags/*', true],
    ['https://github.com/acme/app/.github/workflows/release.yml@refs/*', true],
    ['ada@example.org', true],
    ['*', false],
    ['https://github.com/acme/*', false],
    ['https://github.com/*/app/x.yml@refs/tags/v1', false],
    ['ada@*', false],
    ['https://github.com/acme/app/x.yml@refs/*/v1', false],
    ['https://github.com/acme/app/x.yml@refs/tags/**', false],
    ['with space', false],
    ['', false],
  ])('%s: %s', (identity, good) => {
    expect(IdentityRule.safeParse({ identity, issuer: ISSUER }).success).toBe(good)
  })
  test('ends in a ref, never in a workflow', () => {
    const rule = { identity: 'https://github.com/acme/app/x.yml@refs/tags/*', issuer: ISSUER }
    const accepts = (identity: string): boolean => acceptsSigner(rule, { identity, issuer: ISSUER })
    expect(accepts('https://github.com/acme/app/x.yml@refs/tags/v1')).toBe(true)
    expect(accepts('https://github.com/acme/app/x.yml@refs/heads/v1')).toBe(false)
    expect(accepts('https://github.com/acme/app/x.yml2@refs/tags/v1')).toBe(false)
  })
})

test.each([
  ['nothing', ''],
  ['no JSON', '{'],
  ['no authority', '{}'],
  [
    'a certificate that is none',
    '{"certificateAuthorities":[{"certChain":{"certificates":[{"rawBytes":"AAAA"}]}}]}',
  ],
])('a trusted root of %s is refused', (_, text) => {
  expect(codeOf(() => parseTrustedRoot(text))).toBe('invalid_trusted_root')
})
