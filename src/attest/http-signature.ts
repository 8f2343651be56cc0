import { createHash, randomBytes } from 'node:crypto'
import { DomainError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import type { PrivateKey, PublicKey } from './keys.ts'
import { holds, signBytes } from './signature.ts'

/** Header fields by lower-case name, as Node gives them. */
export type RequestHeaders = Readonly<Record<string, string | string[] | undefined>>

/** What a signature covers: everything that decides what the request does. */
const COVERED = '("@method" "@path" "@query" "content-digest")'

/** The one serialisation of Signature-Input that is accepted; both ends are ours, so nothing else is worth parsing. */
const INPUT =
  /^hookline=(\("@method" "@path" "@query" "content-digest"\);created=([0-9]{1,12});keyid="([A-Za-z0-9._:-]{1,128})";nonce="([A-Za-z0-9_-]{22})")$/
const SIGNATURE = /^hookline=:([A-Za-z0-9+/]{86}==):$/

/** A request to sign or to check; `path` is the request target with its query, as on the request line. */
export interface SignedRequest {
  readonly method: string
  readonly path: string
  readonly body: Buffer
}

/**
 * Signs a request with an Ed25519 key: the header fields Content-Digest (RFC 9530, sha-256, for empty bodies too),
 * Signature-Input and Signature (RFC 9421) to add. `now` defaults to the clock. Throws `invalid_key` for another
 * kind of key.
 */
export function signRequest(
  request: SignedRequest & { readonly keyId: string },
  privateKey: PrivateKey,
  now = new Date(),
): Record<string, string> {
  if (privateKey.publicKey.algorithm !== 'ed25519')
    throw new DomainError('invalid_key', 'requests are signed with Ed25519 keys only')
  const created = Math.floor(now.getTime() / 1000)
  const nonce = randomBytes(16).toString('base64url')
  const parameters = `${COVERED};created=${created};keyid="${request.keyId}";nonce="${nonce}"`
  const digest = contentDigest(request.body)
  const signature = signBytes(signatureBase(request, digest, parameters), privateKey)
  return {
    'content-digest': digest,
    'signature-input': `hookline=${parameters}`,
    signature: `hookline=:${signature.toString('base64')}:`,
  }
}

/**
 * Checks a request's signature against the key that the caller found by {@link signatureKeyId}. The nonce is given back
 * for the caller to remember: within the accepted skew a request could otherwise be sent again by a listener.
 * Throws `node_unauthenticated`.
 */
export function verifyRequest(
  request: SignedRequest & { readonly headers: RequestHeaders },
  publicKey: PublicKey,
  now: Date,
): { keyId: string; created: Date; nonce: string } {
  const input = INPUT.exec(only(request.headers, 'signature-input') ?? '')
  const signature = SIGNATURE.exec(only(request.headers, 'signature') ?? '')
  if (input === null || signature === null)
    throw refusal('it carries no signature of the form that nodes send')
  const [, parameters = '', seconds = '', keyId = '', nonce = ''] = input
  const created = new Date(Number(seconds) * 1000)
  // Replay from a record: a signature is worth something only around the time that it was made.
  const skew_s = Math.abs(now.getTime() - created.getTime()) / 1000
  if (!(skew_s <= LIMITS.signature_skew_s))
    throw refusal(`it was signed ${Math.round(skew_s)} s away from now, at most ${LIMITS.signature_skew_s} s`)
  // Alteration of the body: the signed digest must be that of the bytes received.
  const digest = contentDigest(request.body)
  if (only(request.headers, 'content-digest') !== digest)
    throw refusal('its Content-Digest is not that of its body')
  if (publicKey.algorithm !== 'ed25519') throw refusal('its key is not an Ed25519 key')
  const bytes = Buffer.from(signature[1] ?? '', 'base64')
  if (!holds(signatureBase(request, digest, parameters), bytes, publicKey))
    throw refusal('its signature does not hold')
  return { keyId, created, nonce }
}

/** The keyid that a request's signature names, not yet proven; undefined when it carries none of ours. */
export const signatureKeyId = (headers: RequestHeaders): string | undefined =>
  INPUT.exec(only(headers, 'signature-input') ?? '')?.[3]

/** RFC 9421 section 2.5; "@path" by 2.2.6 and "@query" by 2.2.7, where an absent query is a lone `?`. */
function signatureBase({ method, path }: SignedRequest, digest: string, parameters: string): Buffer {
  const mark = path.indexOf('?')
  return Buffer.from(
    [
      `"@method": ${method}`,
      `"@path": ${(mark < 0 ? path : path.slice(0, mark)) || '/'}`,
      `"@query": ${mark < 0 ? '?' : path.slice(mark)}`,
      `"content-digest": ${digest}`,
      `"@signature-params": ${parameters}`,
    ].join('\n'),
  )
}

const contentDigest = (body: Buffer): string =>
  `sha-256=:${createHash('sha256').update(body).digest('base64')}:`

/** A field that occurs exactly once; of two, a proxy and this code might believe different ones. */
function only(headers: RequestHeaders, name: string): string | undefined {
  const value = headers[name]
  return typeof value === 'string' ? value : value?.length === 1 ? value[0] : undefined
}

const refusal = (why: string): DomainError =>
  new DomainError('node_unauthenticated', `the node's request is refused: ${why}`)
