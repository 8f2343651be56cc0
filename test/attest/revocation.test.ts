import { expect, test } from 'vitest'
import { signOrder } from '../../src/attest/order.ts'
import { signRevocation, verifyRevocation } from '../../src/attest/revocation.ts'
import type { Revocation } from '../../src/domain/revocation.ts'
import { newKey } from '../http/release-builder.ts'

const [publisher, stranger] = [newKey(), newKey('ed25519')]
const document: Revocation = {
  revoked: { kind: 'release', program: 'acme/limit', version: '1.0.0' },
  ...{ reason: 'vulnerable', message: 'reads past the packet', at: '2026-05-01T12:00:00.000Z' },
}
const envelope = signRevocation(document, publisher)
const keys = [publisher.publicKey]

test('what was signed is what is read, and who signed it', () => {
  expect(verifyRevocation(envelope, keys)).toEqual({ revocation: document, signer: publisher.fingerprint })
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
  ['beyond all size', 'revocation_invalid', `${envelope}${' '.repeat(16 << 10)}`],
])('one %s is refused', (_, code, text) => {
  expect(() => verifyRevocation(text, keys)).toThrow(expect.objectContaining({ code }))
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
