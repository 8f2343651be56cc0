import { createHash, generateKeyPairSync, X509Certificate } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { generateKeyPair, parsePrivateKey, parsePublicKey } from '../../src/attest/keys.ts'
import { holds, signBytes } from '../../src/attest/signature.ts'
import { codeOf, newKey } from './craft.ts'

describe.each(['p256', 'ed25519'] as const)('a key pair of %s', (algorithm) => {
  const pair = generateKeyPair(algorithm)
  const privateKey = parsePrivateKey(pair.privateKey)
  const publicKey = parsePublicKey(pair.publicKey)

  test('has one fingerprint, the SHA-256 of its SPKI DER', () => {
    expect(publicKey.fingerprint).toBe(`sha256:${createHash('sha256').update(publicKey.spki).digest('hex')}`)
    expect([pair.fingerprint, privateKey.fingerprint]).toEqual([publicKey.fingerprint, publicKey.fingerprint])
    expect([publicKey.algorithm, privateKey.publicKey.algorithm]).toEqual([algorithm, algorithm])
  })

  test('is read from PEM, from DER, and from DER in base64', () => {
    for (const form of [
      pair.publicKey,
      Buffer.from(pair.publicKey),
      publicKey.spki,
      publicKey.spki.toString('base64'),
    ])
      expect(parsePublicKey(form).fingerprint).toBe(pair.fingerprint)
  })

  test('signs what its public half accepts, and nothing else', () => {
    const signature = signBytes(Buffer.from('message'), privateKey)
    expect(holds(Buffer.from('message'), signature, publicKey)).toBe(true)
    expect(holds(Buffer.from('Message'), signature, publicKey)).toBe(false)
    expect(holds(Buffer.from('message'), signature, newKey(algorithm).publicKey)).toBe(false)
    expect(holds(Buffer.from('message'), signature.subarray(1), publicKey)).toBe(false)
    expect(holds(Buffer.from('message'), Buffer.alloc(0), publicKey)).toBe(false)
  })

  test('is refused where the other half is wanted, and says so', () => {
    expect(() => parsePublicKey(pair.privateKey)).toThrow(/this is a private key/)
    expect(() => parsePrivateKey(pair.publicKey)).toThrow(/this is a public key/)
    expect(codeOf(() => parsePublicKey(pair.privateKey))).toBe('invalid_key')
    expect(codeOf(() => parsePrivateKey(pair.publicKey))).toBe('invalid_key')
  })

  test('is refused with bytes behind its end: the same key would have two fingerprints', () => {
    expect(codeOf(() => parsePublicKey(Buffer.concat([publicKey.spki, Buffer.from([0])])))).toBe(
      'invalid_key',
    )
  })
})

describe('keys that are refused', () => {
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' })
  test.each([
    ['RSA', rsa.publicKey.export({ type: 'spki', format: 'pem' })],
    ['P-384', p384.publicKey.export({ type: 'spki', format: 'pem' })],
    ['X25519', generateKeyPairSync('x25519').publicKey.export({ type: 'spki', format: 'pem' })],
    ['Ed448', generateKeyPairSync('ed448').publicKey.export({ type: 'spki', format: 'der' })],
    ['an empty text', ''],
    ['text that is no key', 'hello'],
    ['a PEM without content', '-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n'],
  ])('public: %s', (_, given) => {
    expect(codeOf(() => parsePublicKey(given))).toBe('invalid_key')
  })

  test('a compressed P-256 point, whose fingerprint would differ from the usual one', () => {
    const { spki } = newKey('p256').publicKey
    const x = spki.subarray(27, 59)
    const head = Buffer.from('3039301306072a8648ce3d020106082a8648ce3d030107032200', 'hex')
    const compressed = Buffer.concat([head, Buffer.from([2 + ((spki.at(-1) ?? 0) & 1)]), x])
    expect(codeOf(() => parsePublicKey(compressed))).toBe('invalid_key')
  })

  test.each([
    ['RSA', rsa.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(), /rsa/],
    ['P-384', p384.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(), /secp384r1/],
    ['text that is no key', 'hello', /not in PEM/],
  ])('private: %s', (_, given, message) => {
    expect(() => parsePrivateKey(given)).toThrow(message)
    expect(codeOf(() => parsePrivateKey(given))).toBe('invalid_key')
  })

  test.each(['p256', 'ed25519'] as const)('an encrypted %s key but by its passphrase', (algorithm) => {
    const pair = generateKeyPair(algorithm, 'secret')
    expect(pair.privateKey).toContain('BEGIN ENCRYPTED PRIVATE KEY')
    expect(parsePrivateKey(pair.privateKey, 'secret').fingerprint).toBe(pair.fingerprint)
    expect(codeOf(() => parsePrivateKey(pair.privateKey))).toBe('passphrase_missing')
    expect(codeOf(() => parsePrivateKey(pair.privateKey, 'Secret'))).toBe('passphrase_wrong')
    expect(codeOf(() => parsePrivateKey(pair.privateKey, ''))).toBe('passphrase_wrong')
  })

  test('a certificate in place of a public key', () => {
    const pem = CERTIFICATE
    expect(new X509Certificate(pem).publicKey.asymmetricKeyType).toBe('ed25519')
    expect(() => parsePublicKey(pem)).toThrow(/holds "CERTIFICATE"/)
  })
})

/** Self-signed, Ed25519; made for this test by openssl req -x509. */
const CERTIFICATE = `-----BEGIN CERTIFICATE-----
MIIBNDCB56ADAgECAhRLL2PjfxuWJKfi5lF12Vk/6yw0yzAFBgMrZXAwDzENMAsG
A1UEAwwEdGVzdDAgFw0yNjExMjMxODQ3NDhaGA8yMTI2MTAzMDE4NDc0OFowDzEN
MAsGA1UEAwwEdGVzdDAqMAUGAytlcAMhAKXF15zlw/xNjEjXBfhN73xCXlCT8hIX
vaq27rcIhnuzo1MwUTAdBgNVHQ4EFgQUDYg2I0dxwjJ5cT9QXPhKw8SOQ4owHwYD
VR0jBBgwFoAUDYg2I0dxwjJ5cT9QXPhKw8SOQ4owDwYDVR0TAQH/BAUwAwEB/zAF
BgMrZXADQQCKzthNANF8OdSeUk4RcmwOFgFgk8yJ8IckYbNDm6VBIP0mbLDQjNv7
s4elFe7hC/HYJ2GzexNgnydQH9ATufsM
-----END CERTIFICATE-----
`
