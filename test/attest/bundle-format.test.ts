import { createHash, verify } from 'node:crypto'
import { Bundle } from '@sigstore/protobuf-specs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { signKeyless } from '../../src/attest/sign-keyless.ts'
import { signRelease } from '../../src/attest/sign-release.ts'
import { type SigstoreDouble, startSigstore } from '../support/sigstore.ts'
import { newKey } from './craft.ts'

const release = {
  ...{ program: 'acme/limit', version: '1.4.0' },
  files: new Map([
    ['hookline.yaml', Buffer.from('manifest')],
    ['limit.bpf.o', Buffer.from('object')],
  ]),
}
const MEDIA_TYPE = 'application/vnd.dev.sigstore.bundle.v0.3+json'
/** Canonical base64 of the standard alphabet, as protobuf-JSON writes bytes. */
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/
/** What DSSE v1 signs, written out here once more (protocol.md). */
const signedBytes = (type: string, payload: Buffer): Buffer =>
  Buffer.concat([Buffer.from(`DSSEv1 ${Buffer.byteLength(type)} ${type} ${payload.length} `), payload])

describe.each(['p256', 'ed25519'] as const)(
  'a bundle of a %s key, by the Sigstore bundle specification',
  (algorithm) => {
    const key = newKey(algorithm)
    const hint = createHash('sha256').update(key.publicKey.spki).digest('base64')
    let json: ReturnType<typeof JSON.parse>
    beforeAll(async () => {
      json = JSON.parse(await signRelease(release, key))
    })
    test('has the fields of version 0.3 and no other', () => {
      expect(json).toEqual({
        mediaType: MEDIA_TYPE,
        verificationMaterial: {
          publicKey: { hint },
          // an empty list is what protobuf-JSON leaves out
          timestampVerificationData: {},
        },
        dsseEnvelope: {
          payload: expect.stringMatching(BASE64),
          payloadType: 'application/vnd.in-toto+json',
          signatures: [{ sig: expect.stringMatching(BASE64), keyid: hint }],
        },
      })
    })
    test('is read by the specification’s own messages without a loss', () => {
      const message = Bundle.fromJSON(json)
      expect(message.verificationMaterial?.content).toEqual({ $case: 'publicKey', publicKey: { hint } })
      expect(message.content?.$case).toBe('dsseEnvelope')
      expect(Bundle.toJSON(message)).toEqual(json)
    })
    test('holds by the key, over the bytes that DSSE says', () => {
      const { payload, payloadType, signatures } = json.dsseEnvelope
      const bytes = signedBytes(payloadType, Buffer.from(payload, 'base64'))
      const signature = Buffer.from(signatures[0].sig, 'base64')
      const digest = algorithm === 'p256' ? 'sha256' : null
      expect(verify(digest, bytes, key.publicKey.key, signature)).toBe(true)
      expect(verify(digest, Buffer.from(payload, 'base64'), key.publicKey.key, signature)).toBe(false)
    })
    test('is about every file, as in-toto says it', () => {
      const statement = JSON.parse(Buffer.from(json.dsseEnvelope.payload, 'base64').toString())
      expect(statement).toEqual({
        _type: 'https://in-toto.io/Statement/v1',
        subject: [...release.files].map(([name, bytes]) => ({
          ...{ name, digest: { sha256: createHash('sha256').update(bytes).digest('hex') } },
        })),
        predicateType: 'https://hookline.dev/release/v1',
        predicate: { name: 'acme/limit', version: '1.4.0' },
      })
    })
  },
)

describe('a bundle of an identity, by the same specification', () => {
  let services: SigstoreDouble
  beforeAll(async () => {
    services = await startSigstore()
  })
  afterAll(() => services.close())
  test('has certificate and timestamp where version 0.3 has them, and is read without a loss', async () => {
    const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
    const claims = {
      iss: 'https://issuer.example',
      sub: 'ada@acme.example',
      aud: 'sigstore',
      exp: 4_000_000_000,
    }
    const token = `${part({ alg: 'none' })}.${part(claims)}.x`
    const at = { fulcio: services.url, tsa: services.url, rekor: undefined }
    const json = JSON.parse(await signKeyless(release, token, at))
    expect(json).toMatchObject({
      mediaType: MEDIA_TYPE,
      verificationMaterial: {
        certificate: { rawBytes: expect.stringMatching(BASE64) },
        timestampVerificationData: {
          rfc3161Timestamps: [{ signedTimestamp: expect.stringMatching(BASE64) }],
        },
      },
    })
    // a chain would be of version 0.2: 0.3 has the leaf alone
    expect(json.verificationMaterial).not.toHaveProperty('x509CertificateChain')
    expect(Bundle.toJSON(Bundle.fromJSON(json))).toMatchObject({
      dsseEnvelope: { payload: json.dsseEnvelope.payload },
    })
    expect(json.dsseEnvelope.signatures).toHaveLength(1)
  })
})
