import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { signatureKeyId, signRequest, verifyRequest } from '../../src/attest/http-signature.ts'
import { signBytes } from '../../src/attest/signature.ts'
import { LIMITS } from '../../src/domain/limits.ts'
import { codeOf, newKey } from './craft.ts'

const key = newKey()
const now = new Date('2026-06-01T12:00:00Z')
const request = { method: 'PUT', path: '/api/v1/nodes/n1/observed?x=1', body: Buffer.from('{"at":"now"}') }
const headers = signRequest({ ...request, keyId: 'n1' }, key, now)
type Received = Parameters<typeof verifyRequest>[0]
const codeFor = (change: Partial<Received>, at = now, publicKey = key.publicKey): string =>
  codeOf(() => verifyRequest({ ...request, headers, ...change }, publicKey, at))

describe('a signed request', () => {
  test('is accepted, and gives the key, the time and the nonce that it names', () => {
    expect(verifyRequest({ ...request, headers }, key.publicKey, now)).toEqual({
      keyId: 'n1',
      created: now,
      nonce: expect.stringMatching(/^[A-Za-z0-9_-]{22}$/),
    })
    expect(signatureKeyId(headers)).toBe('n1')
  })

  test('has a nonce of its own each time', () => {
    const nonces = [1, 2, 3].map(() => {
      const fresh = signRequest({ ...request, keyId: 'n1' }, key, now)
      return verifyRequest({ ...request, headers: fresh }, key.publicKey, now).nonce
    })
    expect(new Set(nonces).size).toBe(3)
  })

  test('may have an empty body, which is covered too', () => {
    const get = { method: 'GET', path: '/api/v1/nodes/n1/desired', body: Buffer.alloc(0) }
    const signed = signRequest({ ...get, keyId: 'n1' }, key, now)
    expect(signed['content-digest']).toBe('sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:')
    expect(verifyRequest({ ...get, headers: signed }, key.publicKey, now).keyId).toBe('n1')
    const grown = { ...get, body: Buffer.from('{}'), headers: signed }
    expect(codeOf(() => verifyRequest(grown, key.publicKey, now))).toBe('node_unauthenticated')
  })

  test('is signed over the base that RFC 9421 section 2.5 describes', () => {
    const digest = `sha-256=:${createHash('sha256').update(request.body).digest('base64')}:`
    const parameters = headers['signature-input']?.slice('hookline='.length) ?? ''
    expect(parameters).toMatch(
      /^\("@method" "@path" "@query" "content-digest"\);created=1780315200;keyid="n1";nonce="/,
    )
    const base = [
      '"@method": PUT',
      '"@path": /api/v1/nodes/n1/observed',
      '"@query": ?x=1',
      `"content-digest": ${digest}`,
      `"@signature-params": ${parameters}`,
    ].join('\n')
    expect(headers['signature']).toBe(`hookline=:${signBytes(Buffer.from(base), key).toString('base64')}:`)
  })

  test.each<[string, Partial<Received>]>([
    ['method', { method: 'POST' }],
    ['path', { path: '/api/v1/nodes/n2/observed?x=1' }],
    ['query', { path: '/api/v1/nodes/n1/observed?x=2' }],
    ['query taken away', { path: '/api/v1/nodes/n1/observed' }],
    ['body', { body: Buffer.from('{"at":"later"}') }],
  ])('is refused with another %s', (_, change) => {
    expect(codeFor(change)).toBe('node_unauthenticated')
  })

  test('is refused with a body and a digest that fit each other but not the signature', () => {
    const other = signRequest({ ...request, body: Buffer.from('other'), keyId: 'n1' }, key, now)
    const mixed = { ...headers, 'content-digest': other['content-digest'] }
    expect(codeFor({ body: Buffer.from('other'), headers: mixed })).toBe('node_unauthenticated')
  })

  test('is refused with the key of another node', () => {
    expect(codeFor({}, now, newKey().publicKey)).toBe('node_unauthenticated')
    expect(codeFor({}, now, newKey('p256').publicKey)).toBe('node_unauthenticated')
  })

  test.each([
    ['as old as allowed', LIMITS.signature_skew_s, 'no error'],
    ['older', LIMITS.signature_skew_s + 1, 'node_unauthenticated'],
    ['as far ahead as allowed', -LIMITS.signature_skew_s, 'no error'],
    ['further ahead', -LIMITS.signature_skew_s - 1, 'node_unauthenticated'],
  ])('%s is judged by its time', (_, age_s, code) => {
    expect(codeFor({}, new Date(now.getTime() + age_s * 1000))).toBe(code)
  })

  const input = headers['signature-input'] ?? ''
  test.each<[string, Record<string, string | string[] | undefined>]>([
    ['no signature', { signature: undefined }],
    ['no parameters', { 'signature-input': undefined }],
    ['no digest', { 'content-digest': undefined }],
    ['another label', { 'signature-input': input.replace('hookline=', 'other=') }],
    ['a component left out', { 'signature-input': input.replace(' "@query"', '') }],
    ['a parameter more', { 'signature-input': `${input};tag="x"` }],
    ['no nonce', { 'signature-input': input.replace(/;nonce="[^"]*"/, '') }],
    [
      'another nonce',
      {
        'signature-input': input
          .replace(/nonce="."/, 'nonce="A')
          .replace(/nonce="(.)/, (_, c) => `nonce="${c === 'A' ? 'B' : 'A'}`),
      },
    ],
    ['another key named', { 'signature-input': input.replace('keyid="n1"', 'keyid="n2"') }],
    [
      'another time',
      { 'signature-input': input.replace(/created=(\d+)/, (_, s) => `created=${Number(s) + 1}`) },
    ],
    ['two signatures in one field', { 'signature-input': `${input}, ${input}` }],
    ['the field twice', { 'signature-input': [input, input] }],
  ])('is refused with %s', (_, change) => {
    expect(codeFor({ headers: { ...headers, ...change } })).toBe('node_unauthenticated')
  })

  test('cannot be made with a key that is not Ed25519', () => {
    expect(codeOf(() => signRequest({ ...request, keyId: 'n1' }, newKey('p256'), now))).toBe('invalid_key')
  })

  test('has no key to name when it is not signed', () => {
    expect(signatureKeyId({})).toBeUndefined()
    expect(signatureKeyId({ 'signature-input': 'sig1=();keyid="n1"' })).toBeUndefined()
  })
})
