import { z } from 'zod'
import { signRequest } from '../attest/http-signature.ts'
import type { PrivateKey } from '../attest/keys.ts'
import { offerNodeKey } from '../attest/node-key.ts'
import { DomainError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import { Desired, Enrolled } from '../domain/node.ts'
import { RevocationView } from '../domain/revocation.ts'
import type { KeyChanger, NodeRegistry } from '../ports/node-registry.ts'
import { callRegistry, parseRegistryUrl, readJson } from './http-call.ts'

/** Who a node is: its key, and the id that the registry gave it at enrolment. */
export interface NodeIdentity {
  readonly id?: string | undefined
  readonly key: PrivateKey
}

interface SignedCall {
  readonly method: string
  readonly path: string
  readonly body?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly maxBytes: number
  readonly timeout_s?: number
  readonly signal?: AbortSignal
  /** Another key to sign with than the node's. */
  readonly by?: PrivateKey
  /** What it is signed as; by default the node's id, or the key's fingerprint where there is none. */
  readonly keyId?: string
}

/**
 * The registry at `url` for one node, which signs every request with its key (RFC 9421). Without an id only `enrol`
 * works, which is signed as the key's fingerprint; from then on the id it gave is used. Throws `usage` for a bad address.
 */
export function nodeRegistry(url: string, identity: NodeIdentity): NodeRegistry & KeyChanger {
  const registry = parseRegistryUrl(url)
  let { id, key } = identity
  const nodePath = (rest: string): string => {
    if (id === undefined)
      throw new DomainError(
        'node_unauthenticated',
        'this node is not enrolled yet; start the agent with a join token',
      )
    return `/api/v1/nodes/${encodeURIComponent(id)}/${rest}`
  }
  const call = ({ body, by = key, keyId = id ?? by.fingerprint, ...request }: SignedCall) => {
    const bytes = Buffer.from(body ?? '')
    const signature = signRequest({ ...request, body: bytes, keyId }, by)
    return callRegistry(registry, {
      ...request,
      headers: {
        ...request.headers,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...signature,
      },
      ...(body === undefined ? {} : { body }),
    })
  }

  return {
    async enrol(enrolment, by = key) {
      const answer = await call({
        ...{ method: 'POST', path: '/api/v1/nodes', body: JSON.stringify(enrolment) },
        ...{ maxBytes: LIMITS.request_bytes, by, keyId: by.fingerprint },
      })
      const enrolled = readJson(answer, SafeEnrolled, 'the enrolment')
      ;[id, key] = [enrolled.id, by]
      return enrolled
    },
    async changeKey(next) {
      const path = nodePath('key')
      const offer = offerNodeKey(id ?? '', key.fingerprint, next)
      const request = { method: 'POST', path, body: JSON.stringify(offer), maxBytes: LIMITS.request_bytes }
      await call(request).catch((thrown: unknown) => {
        // an attempt before got through, but its answer did not
        if (!(thrown instanceof DomainError) || thrown.code !== 'node_key_retired') throw thrown
      })
      await call({ ...request, by: next })
      key = next
    },
    async desired(etag, wait_s, signal) {
      const answer = await call({
        method: 'GET',
        path: nodePath(`desired?wait=${wait_s}`),
        headers: etag === undefined ? {} : { 'if-none-match': etag },
        maxBytes: LIMITS.desired_bytes,
        timeout_s: wait_s + LIMITS.http_timeout_s,
        signal,
      })
      if (answer.status === 304) return undefined
      const tag = answer.headers.get('etag')
      if (tag === null || !ETAG.test(tag))
        // it is sent back: nothing that could spoil the next request
        throw new DomainError('registry_answer', 'the registry sent a desired state without a fitting ETag')
      const desired = readJson(answer, Desired, 'the desired state', LIMITS.desired_json_items)
      return { etag: tag, desired }
    },
    async blob(digest, maxBytes, signal) {
      nodePath('') // an unenrolled node has no name to sign with
      return (await call({ method: 'GET', path: `/api/v1/blobs/${digest}`, maxBytes, signal })).body
    },
    async logFile(log, path, maxBytes, signal) {
      return (await call({ method: 'GET', path: `/log/${log}/${path}`, maxBytes, signal })).body
    },
    async revocation(digest, signal) {
      const path = `/api/v1/revocations/${digest}`
      const answer = await call({ method: 'GET', path, maxBytes: LIMITS.request_bytes, signal })
      const { envelope, key } = readJson(answer, RevocationView, 'the revocation')
      return { envelope, ...(key === undefined ? {} : { key }) }
    },
    async report(observed) {
      await call({
        method: 'PUT',
        path: nodePath('observed'),
        body: JSON.stringify(observed),
        maxBytes: LIMITS.request_bytes,
      })
    },
  }
}

/** SHA-256 in hexadecimal, as the registry makes its tags. */
const ETAG = /^"[0-9a-f]{64}"$/

/** The id becomes part of a header and of paths: nothing that could end either. */
const SafeEnrolled = z.strictObject({ id: Enrolled.shape.id.regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/) })
