import { createHash } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import type { z } from 'zod'
import type { PublicKey } from '../attest/keys.ts'
import {
  type AccountChange,
  AccountPage,
  type AccountRequest,
  AccountView,
  type Membership,
  type Role,
  WhoAmI,
} from '../domain/account.ts'
import { AuditPage, type AuditRequest } from '../domain/audit.ts'
import { CheckList } from '../domain/check.ts'
import { DomainError } from '../domain/errors.ts'
import { FunctionHistory, FunctionList, type FunctionStep, FunctionView } from '../domain/fleet-function.ts'
import { LIMITS } from '../domain/limits.ts'
import { LoggedIn, type LoginExchange } from '../domain/login.ts'
import { type Digest, MANIFEST_FILE, type ProgramId, releaseRef } from '../domain/names.ts'
import {
  IdentityList,
  IdentityView,
  InvitationList,
  type InvitationView,
  KeyList,
  KeyView,
  MemberList,
  MemberView,
  type NamespaceKeyUpload,
  NamespaceList,
  NamespaceView,
  type RobotRequest,
} from '../domain/namespace.ts'
import { NodeList, type NodeView } from '../domain/node.ts'
import { PolicyList, type PolicyUpload, PolicyView } from '../domain/policy-document.ts'
import { ChallengeView, type ProofRequest } from '../domain/proof.ts'
import {
  ProgramPage,
  ProgramView,
  ReleaseView,
  ReportList,
  type ReportRequest,
  ReportView,
  type Visibility,
} from '../domain/release.ts'
import { RevocationList, RevocationView } from '../domain/revocation.ts'
import { DownloadHistory, SearchPage, type SearchRequest } from '../domain/search.ts'
import type { IdentityRule } from '../domain/signer.ts'
import {
  JoinTokenList,
  type JoinTokenRequest,
  type JoinTokenView,
  NewJoinToken,
  NewToken,
  TokenList,
  type TokenRequest,
  type TokenView,
} from '../domain/token.ts'
import {
  type IdTokenExchange,
  TrustedPublisherList,
  type TrustedPublisherRequest,
  TrustedPublisherView,
} from '../domain/trusted-publisher.ts'
import { StagedList, type StagedNames } from '../domain/upload.ts'
import {
  DeliveryList,
  DeliveryView,
  NewWebhook,
  WebhookList,
  type WebhookRequest,
  type WebhookView,
} from '../domain/webhook.ts'
import { callRegistry, type HttpAnswer, parseRegistryUrl, readJson } from './http-call.ts'

/** A release to publish, hookline.yaml among `files`; `visibility` counts for the first release of a program, and a public one takes no private release. */
interface OutgoingRelease {
  readonly files: ReadonlyMap<string, Buffer>
  readonly bundle?: string | undefined
  /** Those of further signers. */
  readonly bundles?: readonly string[] | undefined
  readonly provenance?: string | undefined
  readonly visibility?: Visibility | undefined
}

/** A program, or one release of it. */
interface NotedSubject {
  readonly program: ProgramId
  readonly version?: string | undefined
}

/** Whose token: of an account, for administrators, or of a namespace's robot, for its owners. */
export type TokenOwner = { readonly account: string } | { readonly namespace: string; readonly robot: string }

function tokensPath(owner: TokenOwner | undefined): string {
  if (owner === undefined) return '/api/v1/tokens'
  if ('account' in owner) return `/api/v1/accounts/${owner.account}/tokens`
  return `/api/v1/namespaces/${owner.namespace}/robots/${owner.robot}/tokens`
}

const webhooksPath = (namespace: string | undefined, id?: string): string =>
  `/api/v1/${namespace === undefined ? '' : `namespaces/${namespace}/`}webhooks${id === undefined ? '' : `/${id}`}`

/** Told of bytes as they pass. */
type OnBytes = (bytes: number) => void

/** The registry as people use it. Every method also throws what {@link callRegistry} does. */
export interface RegistryClient {
  /**
   * Uploads a release, hookline.yaml among `files`; an absent bundle is for the registry to refuse. Large files are sent ahead,
   * each tried again when the connection breaks; those that the registry has from an earlier try are not sent again.
   */
  publish(release: OutgoingRelease, onBytes?: OnBytes): Promise<ReleaseView>
  /** Checks a release as a publish would. */
  check(release: OutgoingRelease): Promise<CheckList>
  programs(page: { cursor?: string | undefined; limit?: number }): Promise<ProgramPage>
  program(program: ProgramId): Promise<ProgramView>
  release(program: ProgramId, version: string): Promise<ReleaseView>
  /** Adds the signature of a further signer. */
  cosign(program: ProgramId, version: string, bundle: string): Promise<ReleaseView>
  /** The bundle with a release's provenance. Throws `not_found`. */
  provenance(program: ProgramId, version: string): Promise<string>
  /** A file's bytes; the caller checks the digest. Where the connection breaks it goes on. */
  blob(digest: Digest, maxBytes: number, onBytes?: OnBytes): Promise<Buffer>
  setVisibility(program: ProgramId, visibility: Visibility): Promise<void>
  /** Leaves a release out where another one fits; without a message, no longer. */
  yank(program: ProgramId, version: string, message: string | undefined): Promise<void>
  /** Notes on a program or a release, or takes the note back. */
  note(subject: NotedSubject, note: 'deprecation' | 'quarantine', message: string | undefined): Promise<void>
  setChannel(program: ProgramId, channel: string, version: string): Promise<void>
  removeChannel(program: ProgramId, channel: string): Promise<void>
  /** Deletes a release; `takedown` is for administrators, who may at any time. */
  deleteRelease(program: ProgramId, version: string, takedown: boolean): Promise<void>
  /** Puts a signed revocation into force. */
  revoke(envelope: string): Promise<RevocationView>
  /** Revocations, the newest first, of one program or of all. */
  revocations(program: ProgramId | undefined): Promise<RevocationView[]>
  report(request: ReportRequest): Promise<ReportView>
  reports(state: 'open' | 'resolved'): Promise<ReportView[]>
  resolveReport(id: string, message: string): Promise<ReportView>
  /** Records of all, or of a namespace, the newest first. */
  audit(request: Partial<AuditRequest>, namespace?: string): Promise<AuditPage>
  search(request: Partial<SearchRequest>): Promise<SearchPage>
  downloads(program: ProgramId, days: number): Promise<DownloadHistory>
  whoAmI(): Promise<WhoAmI>
  createNamespace(name: string): Promise<void>
  /** The namespaces that the caller is a member of. */
  namespaces(): Promise<Membership[]>
  members(namespace: string): Promise<MemberView[]>
  /** Invites, or changes a role. */
  putMember(namespace: string, account: string, role: Role): Promise<MemberView>
  removeMember(namespace: string, account: string): Promise<void>
  invitations(): Promise<InvitationView[]>
  acceptInvitation(namespace: string): Promise<MemberView>
  /** Declines an invitation, or ends the caller's own membership. */
  leave(namespace: string): Promise<void>
  createRobot(namespace: string, request: RobotRequest): Promise<MemberView>
  accounts(cursor?: string): Promise<AccountPage>
  createAccount(request: AccountRequest): Promise<AccountView>
  changeAccount(name: string, change: AccountChange): Promise<AccountView>
  /** The caller's own tokens. */
  tokens(): Promise<TokenView[]>
  revokeToken(id: string): Promise<void>
  /** The keys that may sign a namespace's releases. */
  keys(namespace: string): Promise<KeyView[]>
  /** Lets a key sign, within `validity` where that is given. */
  putKey(namespace: string, key: PublicKey, validity?: Partial<NamespaceKeyUpload>): Promise<KeyView>
  removeKey(namespace: string, fingerprint: Digest): Promise<void>
  /** The identities that may sign a namespace's releases. */
  identities(namespace: string): Promise<IdentityView[]>
  addIdentity(namespace: string, rule: IdentityRule): Promise<IdentityView>
  removeIdentity(namespace: string, id: string): Promise<void>
  /** The keys that may sign orders. */
  operatorKeys(): Promise<KeyView[]>
  putOperatorKey(key: PublicKey): Promise<KeyView>
  /** Makes a token for the caller, or for the account or robot (namespace.name) that is named. */
  createToken(request: z.input<typeof TokenRequest>, owner?: TokenOwner): Promise<NewToken>
  createJoinToken(request: z.input<typeof JoinTokenRequest>): Promise<NewJoinToken>
  joinTokens(): Promise<JoinTokenView[]>
  revokeJoinToken(id: string): Promise<void>
  /** The pipelines that may publish in a namespace. */
  trustedPublishers(namespace: string): Promise<TrustedPublisherView[]>
  addTrustedPublisher(namespace: string, request: TrustedPublisherRequest): Promise<TrustedPublisherView>
  removeTrustedPublisher(namespace: string, id: string): Promise<void>
  /** Exchanges a pipeline's identity token, which is then used up. */
  exchangeIdToken(exchange: IdTokenExchange): Promise<NewToken>
  /** Exchanges the code of a login, which is then used up. */
  exchangeLogin(exchange: LoginExchange): Promise<LoggedIn>
  /** Says who logs in as an account. */
  linkLogin(account: string, subject: string): Promise<void>
  /** Webhooks of a namespace, or of the registry. */
  webhooks(namespace: string | undefined): Promise<WebhookView[]>
  addWebhook(namespace: string | undefined, request: WebhookRequest): Promise<NewWebhook>
  removeWebhook(namespace: string | undefined, id: string): Promise<void>
  deliveries(namespace: string | undefined, id: string, limit: number): Promise<DeliveryView[]>
  redeliver(namespace: string | undefined, id: string, delivery: string): Promise<DeliveryView>
  testWebhook(namespace: string | undefined, id: string): Promise<DeliveryView>
  nodes(): Promise<NodeView[]>
  removeNode(id: string): Promise<void>
  removeOperatorKey(fingerprint: Digest): Promise<void>
  namespace(name: string): Promise<NamespaceView>
  /** What to put where to prove whose a namespace is. */
  challenge(namespace: string): Promise<ChallengeView>
  /** Has a proof looked for. */
  prove(namespace: string, proof: ProofRequest): Promise<NamespaceView>
  /** Policies that owners of nodes signed, by name. */
  policies(): Promise<PolicyView[]>
  putPolicy(name: string, upload: PolicyUpload): Promise<PolicyView>
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
export function registryClient(
  url: string,
  token?: string,
  onWarning?: (text: string) => void,
): RegistryClient {
  const registry = parseRegistryUrl(url)
  const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` }
  const get = (path: string, maxBytes: number = LIMITS.answer_bytes): Promise<HttpAnswer> =>
    callRegistry(registry, { method: 'GET', path, headers: authorization, maxBytes, onWarning })
  const send = (method: string, path: string, body: unknown): Promise<HttpAnswer> =>
    callRegistry(registry, {
      method,
      path,
      headers: { ...authorization, 'content-type': 'application/json' },
      body: JSON.stringify(body),
      maxBytes: LIMITS.answer_bytes,
    })
  const bare = (method: string, path: string): Promise<HttpAnswer> =>
    callRegistry(registry, { method, path, headers: authorization, maxBytes: LIMITS.answer_bytes })
  const remove = (path: string): Promise<HttpAnswer> => bare('DELETE', path)
  const versionPath = (program: ProgramId, version: string): string =>
    `/api/v1/programs/${program}/versions/${encodeURIComponent(version)}`
  const putOrRemove = (path: string, message: string | undefined): Promise<HttpAnswer> =>
    message === undefined ? remove(path) : send('PUT', path, { message })
  /** Tries again where the connection broke and `worth` says that it helps. */
  const again = async <T>(work: () => Promise<T>, worth: (tries: number) => boolean): Promise<T> => {
    for (let tries = 1; ; tries++)
      try {
        return await work()
      } catch (thrown) {
        const broken = thrown instanceof DomainError && thrown.code === 'registry_unavailable'
        if (!broken || tries >= LIMITS.transfer_tries || !worth(tries)) throw thrown
        await pause(LIMITS.transfer_pause_ms * tries)
      }
  }
  /** Sends files ahead that the registry does not have yet of this sender; gives them as a release names them. */
  const sendAhead = async (files: readonly [string, Buffer][], onBytes?: OnBytes): Promise<StagedNames> => {
    if (files.length === 0) return []
    const known = readJson(await get('/api/v1/uploads'), StagedList, 'what was sent ahead').files
    const staged: StagedNames = []
    for (const [name, bytes] of files) {
      const digest: Digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`
      staged.push({ name, digest })
      const body = Uint8Array.from(bytes)
      if (!known.some((one) => one.digest === digest))
        await again(
          () =>
            callRegistry(registry, {
              method: 'PUT',
              path: `/api/v1/uploads/${digest}`,
              headers: { ...authorization, 'content-type': 'application/octet-stream' },
              body,
              maxBytes: LIMITS.answer_bytes,
              timeout_s: LIMITS.upload_timeout_s,
            }),
          () => true,
        )
      onBytes?.(bytes.length)
    }
    return staged
  }
  const putKeyAt = async (path: string, key: PublicKey, validity: object = {}): Promise<KeyView> => {
    const upload = { ...validity, publicKey: key.spki.toString('base64') }
    return readJson(await send('PUT', `${path}/${key.fingerprint}`, upload), KeyView, 'the key')
  }

  return {
    async publish({ visibility, ...release }, onBytes) {
      const { files } = release
      const large = [...files].filter(
        ([name, bytes]) => name !== MANIFEST_FILE && bytes.length >= LIMITS.stage_from_bytes,
      )
      const staged = await sendAhead(large, onBytes)
      const rest = new Map([...files].filter(([name]) => !staged.some((one) => one.name === name)))
      const answer = await callRegistry(registry, {
        method: 'POST',
        path: `/api/v1/releases${visibility === undefined ? '' : `?visibility=${visibility}`}`,
        headers: authorization,
        body: releaseForm({ ...release, files: rest }, staged),
        maxBytes: LIMITS.answer_bytes,
        timeout_s: LIMITS.upload_timeout_s,
      })
      onBytes?.([...rest.values()].reduce((sum, { length }) => sum + length, 0))
      return readJson(answer, ReleaseView, 'the release')
    },
    async check(release) {
      const answer = await callRegistry(registry, {
        method: 'POST',
        path: '/api/v1/checks',
        headers: authorization,
        body: releaseForm(release),
        maxBytes: LIMITS.answer_bytes,
        timeout_s: LIMITS.upload_timeout_s,
      })
      return readJson(answer, CheckList, 'the checks')
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
    async cosign(program, version, bundle) {
      const answer = await send('POST', `${versionPath(program, version)}/bundles`, { bundle })
      return readJson(answer, ReleaseView, releaseRef(program, version))
    },
    async provenance(program, version) {
      return (await get(`${versionPath(program, version)}/provenance`)).body.toString('utf8')
    },
    async blob(digest, maxBytes, onBytes) {
      const parts: Uint8Array[] = []
      let have = 0
      return again(
        async () => {
          const from = have
          const onChunk = (chunk: Uint8Array): void => {
            parts.push(chunk)
            have += chunk.length
            onBytes?.(chunk.length)
          }
          const rest = from === 0 ? {} : { range: `bytes=${from}-`, 'if-range': `"${digest}"` }
          const path = `/api/v1/blobs/${digest}`
          const headers = { ...authorization, ...rest }
          const most = maxBytes - from
          const answer = await callRegistry(registry, {
            method: 'GET',
            path,
            headers,
            maxBytes: most,
            onChunk,
          })
          // one that does not know ranges begins anew
          return from > 0 && answer.status !== 206 ? answer.body : Buffer.concat(parts)
        },
        (tries) => have < maxBytes && (have > 0 || tries === 1),
      )
    },
    async createNamespace(name) {
      await send('POST', '/api/v1/namespaces', { name })
    },
    async keys(namespace) {
      return readJson(await get(`/api/v1/namespaces/${namespace}/keys`), KeyList, 'the keys').keys
    },
    putKey: (namespace, key, validity) => putKeyAt(`/api/v1/namespaces/${namespace}/keys`, key, validity),
    async removeKey(namespace, fingerprint) {
      await remove(`/api/v1/namespaces/${namespace}/keys/${fingerprint}`)
    },
    async identities(namespace) {
      const answer = await get(`/api/v1/namespaces/${namespace}/identities`)
      return readJson(answer, IdentityList, 'the identities').identities
    },
    async addIdentity(namespace, rule) {
      const answer = await send('POST', `/api/v1/namespaces/${namespace}/identities`, rule)
      return readJson(answer, IdentityView, 'the identity')
    },
    async removeIdentity(namespace, id) {
      await remove(`/api/v1/namespaces/${namespace}/identities/${encodeURIComponent(id)}`)
    },
    async operatorKeys() {
      return readJson(await get('/api/v1/operators/keys'), KeyList, 'the operators').keys
    },
    putOperatorKey: (key) => putKeyAt('/api/v1/operators/keys', key),
    async setVisibility(program, visibility) {
      await send('PUT', `/api/v1/programs/${program}/visibility`, { visibility })
    },
    async yank(program, version, message) {
      await putOrRemove(`${versionPath(program, version)}/yank`, message)
    },
    async note({ program, version }, note, message) {
      const path = version === undefined ? `/api/v1/programs/${program}` : versionPath(program, version)
      await putOrRemove(`${path}/${note}`, message)
    },
    async setChannel(program, channel, version) {
      await send('PUT', `/api/v1/programs/${program}/channels/${channel}`, { version })
    },
    async removeChannel(program, channel) {
      await remove(`/api/v1/programs/${program}/channels/${channel}`)
    },
    async deleteRelease(program, version, takedown) {
      if (takedown) await bare('POST', `${versionPath(program, version)}/takedown`)
      else await remove(versionPath(program, version))
    },
    async report(request) {
      return readJson(await send('POST', '/api/v1/reports', request), ReportView, 'the report')
    },
    async reports(state) {
      return readJson(await get(`/api/v1/reports?state=${state}`), ReportList, 'the reports').reports
    },
    async resolveReport(id, message) {
      const path = `/api/v1/reports/${encodeURIComponent(id)}/resolution`
      return readJson(await send('PUT', path, { message }), ReportView, 'the report')
    },
    async audit(request, namespace) {
      const query = new URLSearchParams()
      for (const [name, value] of Object.entries(request))
        if (value !== undefined) query.set(name, String(value))
      const path = namespace === undefined ? '/api/v1/audit' : `/api/v1/namespaces/${namespace}/audit`
      return readJson(await get(`${path}?${query}`), AuditPage, 'the audit')
    },
    async search(request) {
      const query = new URLSearchParams()
      for (const [name, value] of Object.entries(request))
        for (const one of Array.isArray(value) ? value : [value])
          if (one !== undefined) query.append(name, String(one))
      return readJson(await get(`/api/v1/search?${query}`), SearchPage, 'what was found')
    },
    async downloads(program, days) {
      return readJson(
        await get(`/api/v1/programs/${program}/downloads?days=${days}`),
        DownloadHistory,
        'the downloads',
      )
    },
    async whoAmI() {
      return readJson(await get('/api/v1/whoami'), WhoAmI, 'who you are')
    },
    async namespaces() {
      return readJson(await get('/api/v1/namespaces'), NamespaceList, 'the namespaces').namespaces
    },
    async members(namespace) {
      return readJson(await get(`/api/v1/namespaces/${namespace}/members`), MemberList, 'the members').members
    },
    async putMember(namespace, account, role) {
      const path = `/api/v1/namespaces/${namespace}/members/${account}`
      return readJson(await send('PUT', path, { role }), MemberView, 'the member')
    },
    async removeMember(namespace, account) {
      await remove(`/api/v1/namespaces/${namespace}/members/${account}`)
    },
    async invitations() {
      return readJson(await get('/api/v1/invitations'), InvitationList, 'the invitations').invitations
    },
    async acceptInvitation(namespace) {
      const path = `/api/v1/invitations/${namespace}/accept`
      return readJson(await bare('POST', path), MemberView, 'the membership')
    },
    async leave(namespace) {
      await remove(`/api/v1/invitations/${namespace}`)
    },
    async createRobot(namespace, request) {
      const path = `/api/v1/namespaces/${namespace}/robots`
      return readJson(await send('POST', path, request), MemberView, 'the robot')
    },
    async accounts(cursor) {
      const query = cursor === undefined ? '' : `?cursor=${encodeURIComponent(cursor)}`
      return readJson(await get(`/api/v1/accounts${query}`), AccountPage, 'the accounts')
    },
    async createAccount(request) {
      return readJson(await send('POST', '/api/v1/accounts', request), AccountView, 'the account')
    },
    async changeAccount(name, change) {
      return readJson(await send('PATCH', `/api/v1/accounts/${name}`, change), AccountView, 'the account')
    },
    async tokens() {
      return readJson(await get('/api/v1/tokens'), TokenList, 'the tokens').tokens
    },
    async revokeToken(id) {
      await remove(`/api/v1/tokens/${encodeURIComponent(id)}`)
    },
    async createToken(request, owner) {
      return readJson(await send('POST', tokensPath(owner), request), NewToken, 'the token')
    },
    async createJoinToken(request) {
      return readJson(await send('POST', '/api/v1/join-tokens', request), NewJoinToken, 'the join token')
    },
    async joinTokens() {
      return readJson(await get('/api/v1/join-tokens'), JoinTokenList, 'the join tokens').joinTokens
    },
    async revokeJoinToken(id) {
      await remove(`/api/v1/join-tokens/${encodeURIComponent(id)}`)
    },
    async trustedPublishers(namespace) {
      const answer = await get(`/api/v1/namespaces/${namespace}/trusted-publishers`)
      return readJson(answer, TrustedPublisherList, 'the trusted publishers').publishers
    },
    async addTrustedPublisher(namespace, request) {
      const answer = await send('POST', `/api/v1/namespaces/${namespace}/trusted-publishers`, request)
      return readJson(answer, TrustedPublisherView, 'the trusted publisher')
    },
    async removeTrustedPublisher(namespace, id) {
      await remove(`/api/v1/namespaces/${namespace}/trusted-publishers/${encodeURIComponent(id)}`)
    },
    async exchangeIdToken(exchange) {
      return readJson(await send('POST', '/api/v1/trusted-publishing/token', exchange), NewToken, 'the token')
    },
    async exchangeLogin(exchange) {
      return readJson(await send('POST', '/api/v1/login/token', exchange), LoggedIn, 'the token')
    },
    async linkLogin(account, subject) {
      await send('PUT', `/api/v1/accounts/${account}/login`, { subject })
    },
    async webhooks(namespace) {
      return readJson(await get(webhooksPath(namespace)), WebhookList, 'the webhooks').webhooks
    },
    async addWebhook(namespace, request) {
      return readJson(await send('POST', webhooksPath(namespace), request), NewWebhook, 'the webhook')
    },
    async removeWebhook(namespace, id) {
      await remove(webhooksPath(namespace, id))
    },
    async deliveries(namespace, id, limit) {
      const answer = await get(`${webhooksPath(namespace, id)}/deliveries?limit=${limit}`)
      return readJson(answer, DeliveryList, 'the deliveries').deliveries
    },
    async redeliver(namespace, id, delivery) {
      const path = `${webhooksPath(namespace, id)}/deliveries/${delivery}/redeliver`
      return readJson(await bare('POST', path), DeliveryView, 'the delivery')
    },
    async testWebhook(namespace, id) {
      return readJson(await bare('POST', `${webhooksPath(namespace, id)}/test`), DeliveryView, 'the delivery')
    },
    async nodes() {
      return readJson(await get('/api/v1/nodes'), NodeList, 'the nodes').nodes
    },
    async removeNode(id) {
      await remove(`/api/v1/nodes/${encodeURIComponent(id)}`)
    },
    async removeOperatorKey(fingerprint) {
      await remove(`/api/v1/operators/keys/${fingerprint}`)
    },
    async namespace(name) {
      return readJson(await get(`/api/v1/namespaces/${name}`), NamespaceView, name)
    },
    async challenge(namespace) {
      return readJson(await get(`/api/v1/namespaces/${namespace}/challenge`), ChallengeView, 'the challenge')
    },
    async prove(namespace, proof) {
      const answer = await send('POST', `/api/v1/namespaces/${namespace}/proofs`, proof)
      return readJson(answer, NamespaceView, namespace)
    },
    async revoke(envelope) {
      return readJson(
        await send('POST', '/api/v1/revocations', { envelope }),
        RevocationView,
        'the revocation',
      )
    },
    async revocations(program) {
      const query = program === undefined ? '' : `?program=${encodeURIComponent(program)}`
      return readJson(await get(`/api/v1/revocations${query}`), RevocationList, 'the revocations').revocations
    },
    async policies() {
      return readJson(await get('/api/v1/policies'), PolicyList, 'the policies').policies
    },
    async putPolicy(name, upload) {
      return readJson(await send('PUT', `/api/v1/policies/${name}`, upload), PolicyView, 'the policy')
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
function releaseForm(release: OutgoingRelease, staged: StagedNames = []): FormData {
  const { files, bundle, bundles = [], provenance } = release
  const form = new FormData()
  for (const [name, bytes] of files)
    form.append(name === MANIFEST_FILE ? 'manifest' : 'file', new Blob([Uint8Array.from(bytes)]), name)
  for (const one of bundle === undefined ? [] : [bundle, ...bundles])
    form.append('bundle', new Blob([one]), 'bundle.json')
  if (provenance !== undefined) form.append('provenance', new Blob([provenance]), 'provenance.json')
  if (staged.length > 0) form.append('staged', new Blob([JSON.stringify(staged)]), 'staged.json')
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
