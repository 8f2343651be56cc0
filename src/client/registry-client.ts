import type { PublicKey } from '../attest/keys.ts'
import { KeyList, KeyView, NewJoinToken, NewToken, type TokenRequest } from '../domain/access.ts'
import { DomainError } from '../domain/errors.ts'
import { FunctionHistory, FunctionList, type FunctionStep, FunctionView } from '../domain/fleet-function.ts'
import { LIMITS } from '../domain/limits.ts'
import { type Digest, MANIFEST_FILE, type ProgramId, releaseRef } from '../domain/names.ts'
import { NodeList, type NodeView } from '../domain/node.ts'
import { ProgramPage, ProgramView, ReleaseView } from '../domain/release.ts'
import { callRegistry, type HttpAnswer, parseRegistryUrl, readJson } from './http-call.ts'

/** The registry as people use it. Every method also throws what {@link callRegistry} does. */
export interface RegistryClient {
  /** Uploads a release, hookline.yaml among `files`; an absent bundle is for the registry to refuse. */
  publish(release: { files: ReadonlyMap<string, Buffer>; bundle?: string | undefined }): Promise<ReleaseView>
  programs(page: { cursor?: string | undefined; limit?: number }): Promise<ProgramPage>
  program(program: ProgramId): Promise<ProgramView>
  release(program: ProgramId, version: string): Promise<ReleaseView>
  /** A file's bytes; the caller checks the digest. */
  blob(digest: Digest, maxBytes: number): Promise<Buffer>
  createNamespace(name: string): Promise<void>
  /** The keys that may sign a namespace's releases. */
  keys(namespace: string): Promise<KeyView[]>
  putKey(namespace: string, key: PublicKey): Promise<KeyView>
  /** The keys that may sign orders. */
  operatorKeys(): Promise<KeyView[]>
  putOperatorKey(key: PublicKey): Promise<KeyView>
  createToken(request: TokenRequest): Promise<NewToken>
  createJoinToken(request: { ttl_s?: number; maxUses?: number }): Promise<NewJoinToken>
  nodes(): Promise<NodeView[]>
  functions(): Promise<FunctionView[]>
  /** Throws `not_found`. */
  function(name: string): Promise<FunctionView>
  /** Every step of a function's past. Throws `not_found`. */
  history(name: string): Promise<FunctionStep[]>
  /** Hands in a signed order: a revision, or a removal. */
  putFunction(name: string, envelope: string): Promise<FunctionView>
  removeFunction(name: string, envelope: string): Promise<FunctionView>
}

/** A client of the registry at `url`, with a person's token where one is needed. Throws `usage` for a bad address. */
export function registryClient(url: string, token?: string): RegistryClient {
  const registry = parseRegistryUrl(url)
  const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` }
  const get = (path: string, maxBytes: number = LIMITS.answer_bytes): Promise<HttpAnswer> =>
    callRegistry(registry, { method: 'GET', path, headers: authorization, maxBytes })
  const send = (method: string, path: string, body: unknown): Promise<HttpAnswer> =>
    callRegistry(registry, {
      method,
      path,
      headers: { ...authorization, 'content-type': 'application/json' },
      body: JSON.stringify(body),
      maxBytes: LIMITS.answer_bytes,
    })
  const versionPath = (program: ProgramId, version: string): string =>
    `/api/v1/programs/${program}/versions/${encodeURIComponent(version)}`
  const putKeyAt = async (path: string, key: PublicKey): Promise<KeyView> =>
    readJson(
      await send('PUT', `${path}/${key.fingerprint}`, { publicKey: key.spki.toString('base64') }),
      KeyView,
      'the key',
    )

  return {
    async publish(release) {
      const answer = await callRegistry(registry, {
        method: 'POST',
        path: '/api/v1/releases',
        headers: authorization,
        body: releaseForm(release),
        maxBytes: LIMITS.answer_bytes,
        timeout_s: LIMITS.upload_timeout_s,
      })
      return readJson(answer, ReleaseView, 'the release')
    },
    async programs({ cursor, limit }) {
      const query = new URLSearchParams()
      if (cursor !== undefined) query.set('cursor', cursor)
      if (limit !== undefined) query.set('limit', String(limit))
      return readJson(await get(`/api/v1/programs?${query}`), ProgramPage, 'the catalog')
    },
    async program(program) {
      const view = readJson(await get(`/api/v1/programs/${program}`), ProgramView, program)
      return requireAsked(view, view.program, program)
    },
    async release(program, version) {
      const ref = releaseRef(program, version)
      const view = readJson(await get(versionPath(program, version)), ReleaseView, ref)
      return requireAsked(view, releaseRef(view.program, view.version), ref)
    },
    async blob(digest, maxBytes) {
      return (await get(`/api/v1/blobs/${digest}`, maxBytes)).body
    },
    async createNamespace(name) {
      await send('POST', '/api/v1/namespaces', { name })
    },
    async keys(namespace) {
      return readJson(await get(`/api/v1/namespaces/${namespace}/keys`), KeyList, 'the keys').keys
    },
    putKey: (namespace, key) => putKeyAt(`/api/v1/namespaces/${namespace}/keys`, key),
    async operatorKeys() {
      return readJson(await get('/api/v1/operators/keys'), KeyList, 'the operators').keys
    },
    putOperatorKey: (key) => putKeyAt('/api/v1/operators/keys', key),
    async createToken(request) {
      return readJson(await send('POST', '/api/v1/tokens', request), NewToken, 'the token')
    },
    async createJoinToken(request) {
      return readJson(await send('POST', '/api/v1/join-tokens', request), NewJoinToken, 'the join token')
    },
    async nodes() {
      return readJson(await get('/api/v1/nodes'), NodeList, 'the nodes').nodes
    },
    async functions() {
      return readJson(await get('/api/v1/functions'), FunctionList, 'the functions').functions
    },
    async function(name) {
      const view = readJson(await get(`/api/v1/functions/${name}`), FunctionView, name)
      return requireAsked(view, view.name, name)
    },
    async history(name) {
      return readJson(await get(`/api/v1/functions/${name}/history`), FunctionHistory, `the past of ${name}`)
        .steps
    },
    async putFunction(name, envelope) {
      return readJson(await send('PUT', `/api/v1/functions/${name}`, { envelope }), FunctionView, name)
    },
    async removeFunction(name, envelope) {
      return readJson(await send('DELETE', `/api/v1/functions/${name}`, { envelope }), FunctionView, name)
    },
  }
}

/** The multipart form of an upload (RFC 7578): `manifest`, `bundle` where there is one, and a `file` for each file. */
function releaseForm({
  files,
  bundle,
}: {
  files: ReadonlyMap<string, Buffer>
  bundle?: string | undefined
}): FormData {
  const form = new FormData()
  for (const [name, bytes] of files)
    form.append(name === MANIFEST_FILE ? 'manifest' : 'file', new Blob([Uint8Array.from(bytes)]), name)
  if (bundle !== undefined) form.append('bundle', new Blob([bundle]), 'bundle.json')
  return form
}

/** An answer about something else than was asked for would be shown, or pinned, under the wrong name. */
function requireAsked<T>(view: T, answered: string, asked: string): T {
  if (answered !== asked)
    throw new DomainError(
      'registry_answer',
      `the registry was asked for ${asked} and answered about ${answered}`,
    )
  return view
}
