import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { signOrder } from '../../src/attest/order.ts'
import { describeRevocation, signRevocation, verifyRevocation } from '../../src/attest/revocation.ts'
import { signKeyless, signRevocationKeyless } from '../../src/attest/sign-keyless.ts'
import { parseTrustedRoot } from '../../src/attest/trusted-root.ts'
import type { Revocation } from '../../src/domain/revocation.ts'
import { newKey } from '../http/release-builder.ts'
import { type SigstoreDouble, startSigstore } from '../support/sigstore.ts'

const [publisher, stranger] = [newKey(), newKey('ed25519')]
const document: Revocation = {
  revoked: { kind: 'release', program: 'acme/limit', version: '1.0.0' },
  ...{ reason: 'vulnerable', message: 'reads past the packet', at: '2026-05-01T12:00:00.000Z' },
}
const envelope = signRevocation(document, publisher)
const keys = [publisher.publicKey]
const nobody = { allowed: [], root: undefined }

test('what was signed is what is read, and who signed it', () => {
  expect(verifyRevocation(envelope, keys, nobody)).toEqual({
    revocation: document,
    signer: publisher.fingerprint,
  })
})

const altered = (from: string, to: string): string => {
  const parsed = JSON.parse(envelope)
  const payload = Buffer.from(parsed.payload, 'base64').toString().replace(from, to)
  return JSON.stringify({ ...parsed, payload: Buffer.from(payload).toString('base64') })
}
test.each([
  ['of another signer', 'revoker_not_allowed', signRevocation(document, stranger)],
  ['of another signer under this name', 'revocation_signature_invalid', forged()],
  ['altered to another version', 'revocation_signature_invalid', altered('1.0.0', '1.1.0')],
  ['altered in its message', 'revocation_signature_invalid', altered('reads', 'wrote')],
  [
    'that is an order',
    'revocation_invalid',
    signOrder({ kind: 'remove', revision: 1, name: 'edge' }, publisher),
  ],
  ['that is nothing', 'revocation_invalid', '{}'],
  ['beyond all size', 'revocation_invalid', `${envelope}${' '.repeat(32 << 10)}`],
])('one %s is refused', (_, code, text) => {
  expect(() => verifyRevocation(text, keys, nobody)).toThrow(expect.objectContaining({ code }))
})
test('one of somebody who may is not refused where his key is not at hand: nobody can tell', () => {
  const allowed = { allowed: [publisher.fingerprint], root: undefined }
  for (const others of [[], [stranger.publicKey]])
    expect(() => verifyRevocation(envelope, others, allowed)).toThrow(
      expect.objectContaining({ code: 'revocation_withheld' }),
    )
  expect(verifyRevocation(envelope, keys, allowed).signer).toBe(publisher.fingerprint)
})
function forged(): string {
  const parsed = JSON.parse(signRevocation(document, stranger))
  const [{ sig }] = parsed.signatures
  return JSON.stringify({ ...parsed, signatures: [{ keyid: publisher.fingerprint, sig }] })
}

test('a document that nodes would refuse is not signed', () => {
  const reason: never = 'because' as never
  expect(() => signRevocation({ ...document, reason }, publisher)).toThrow(
    expect.objectContaining({ code: 'revocation_invalid' }),
  )
})

describe('by an identity', () => {
  const [IDENTITY, ISSUER] = ['https://ci.example/acme/release@refs/tags/v1', 'https://token.example']
  const rule = { identity: IDENTITY.replace('v1', '*'), issuer: ISSUER }
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  const token = `${part({ alg: 'none' })}.${part({ iss: ISSUER, sub: IDENTITY, aud: 'sigstore', exp: 4_000_000_000 })}.x`
  let [services, others]: SigstoreDouble[] = []
  const at = () => ({ fulcio: services?.url ?? '', tsa: services?.url ?? '', rekor: undefined })
  const rootOf = (one: SigstoreDouble | undefined) => parseTrustedRoot(one?.trustedRoot ?? '')
  let bundle = ''
  beforeAll(async () => {
    ;[services, others] = await Promise.all([startSigstore(), startSigstore()])
    bundle = await signRevocationKeyless(document, token, at())
  })
  afterAll(() => Promise.all([services?.close(), others?.close()]))
  const codeOf = (text: string, allowed: readonly (typeof rule | string)[], root = rootOf(services)) => {
    try {
      verifyRevocation(text, keys, { allowed, root })
    } catch (error) {
      return (error as { code: string }).code
    }
    return 'held'
  }

  test('it is read with who signed it, and what it claims before that', () => {
    expect(describeRevocation(bundle)).toEqual(document)
    expect(verifyRevocation(bundle, [], { allowed: [rule], root: rootOf(services) })).toEqual({
      revocation: document,
      signer: { identity: IDENTITY, issuer: ISSUER },
    })
  })
  test('one whom nobody named, by a root that is another or none, does not count', () => {
    expect(codeOf(bundle, [rule])).toBe('held')
    expect(codeOf(bundle, [])).toBe('revoker_not_allowed')
    expect(codeOf(bundle, [publisher.fingerprint])).toBe('revoker_not_allowed')
    expect(codeOf(bundle, [{ ...rule, issuer: 'https://other.example' }])).toBe('revoker_not_allowed')
    expect(codeOf(bundle, [rule], rootOf(others))).toBe('revocation_signature_invalid')
    expect(() => verifyRevocation(bundle, [], { allowed: [rule], root: undefined })).toThrow(
      expect.objectContaining({ code: 'revoker_not_allowed' }),
    )
  })
  test('an altered one, or a signed release, is none', async () => {
    const parsed = JSON.parse(bundle)
    const payload = Buffer.from(JSON.stringify({ ...document, reason: 'faulty' })).toString('base64')
    const altered = JSON.stringify({ ...parsed, dsseEnvelope: { ...parsed.dsseEnvelope, payload } })
    expect(codeOf(altered, [rule])).toBe('revocation_signature_invalid')
    const files = new Map([['hookline.yaml', Buffer.from('x')]])
    const release = await signKeyless({ program: 'acme/limit', version: '1.0.0', files }, token, at())
    expect(codeOf(release, [rule])).toBe('revocation_invalid')
  })
})
