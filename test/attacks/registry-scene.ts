import type { PrivateKey } from '../../src/attest/keys.ts'
import { sha256Digest } from '../../src/attest/keys.ts'
import { signRevocation } from '../../src/attest/revocation.ts'
import { NO_IDENTITIES } from '../../src/bin/identity-settings.ts'
import { nodeRegistry } from '../../src/client/node-registry.ts'
import type { Revoked } from '../../src/domain/log-entry.ts'
import { PATIENT } from '../../src/http/protection.ts'
import {
  applyOrder,
  type EnrolledNode,
  enrol,
  enrolledNode,
  factsOf,
  joinToken,
  putFunction,
} from '../http/enrolled-node.ts'
import {
  addKey,
  type BuiltRelease,
  buildRelease,
  newKey,
  openNamespace,
  publishAt,
  releaseForm,
} from '../http/release-builder.ts'
import { type Answer, type RunningRegistry, startRegistry } from '../http/running-registry.ts'
import { type CiIssuerDouble, githubClaims, startCiIssuer } from '../support/ci-issuer.ts'

/** A registry with something to steal, and what attackers hold. */
export interface RegistryScene {
  readonly registry: RunningRegistry
  readonly node: EnrolledNode
  /** A node that has another key by now; `call` signs with the one before. */
  readonly turned: EnrolledNode
  /** Good once, and good no more. */
  readonly joinTokens: Readonly<Record<'used' | 'expired', string>>
  /** Keys: acme's, another namespace's, one of acme whose time is over, an operator's, and one that nobody accepts. */
  readonly keys: Readonly<Record<'acme' | 'neighbour' | 'expired' | 'operator' | 'stranger', PrivateKey>>
  /** Token of an account that has no part in acme. */
  readonly outsider: string
  /** Signed by acme and not published: 1.2.0, and another program's. */
  readonly next: BuiltRelease
  readonly other: BuiltRelease
  /** Signed orders of function edge; the second is in force. */
  readonly orders: readonly [string, string]
  /** A pipeline's identity token that was exchanged already. */
  readonly usedIdToken: string
  /** A file that an operator revoked. */
  readonly revokedFile: Buffer
  /** Digest of a file of the private program acme/secret. */
  readonly secret: string
  /** The revocation of a release, signed by a key. */
  revocation(by: PrivateKey, program?: string): string
  /** Publishes with the administrator's token, which has every right: what refuses is no lack of one. */
  publish(release: Omit<BuiltRelease, 'bundle'> & { readonly bundle?: string }): Promise<Answer>
  close(): Promise<void>
}

const INSTANCES = ['one', 'two'].map((name) => ({ use: 'acme/knob@^1.0', name }))

/** Starts the registry, and does all that came before the attacks. */
export async function startRegistryScene(): Promise<RegistryScene> {
  const issuer = await startCiIssuer()
  const ciIssuers = [{ provider: 'github', issuer: issuer.url } as const]
  const registry = await startRegistry(PATIENT, { ...NO_IDENTITIES, ciIssuers })
  const [acme, neighbour, expired, stranger] = [newKey(), newKey(), newKey(), newKey()]
  const operator = newKey('ed25519')
  await openNamespace(registry, 'acme', acme)
  await openNamespace(registry, 'other', neighbour)
  await done(
    registry.call('PUT', `/api/v1/namespaces/acme/keys/${expired.fingerprint}`, {
      token: registry.admin,
      body: { publicKey: expired.publicKey.spki.toString('base64'), validUntil: '2026-01-01T00:00:00Z' },
    }),
  )
  await done(addKey(registry, '/api/v1/operators/keys', operator))
  for (const version of ['1.0.0', '1.1.0'])
    await done(publishAt(registry, await buildRelease('acme/knob', version, acme)))
  const orders = [1, 2].map((revision) => applyOrder('edge', revision, operator, { instances: INSTANCES }))
  for (const order of orders) await done(putFunction(registry, 'edge', order))
  const revokedFile = Buffer.from('what an operator found out about')
  await done(revoke(registry, signed({ kind: 'file', digest: sha256Digest(revokedFile) }, operator)))
  const [first = '', second = ''] = orders
  return {
    registry,
    joinTokens: { expired: await expiredToken(registry), used: await usedToken(registry) },
    node: await enrolledNode(registry, 'node-1'),
    turned: await turnedNode(registry),
    keys: { acme, neighbour, expired, operator, stranger },
    outsider: await registry.account('outsider'),
    next: await buildRelease('acme/knob', '1.2.0', acme),
    other: await buildRelease('acme/other', '1.2.0', acme, { files: [['NOTES', Buffer.from('of another')]] }),
    orders: [first, second],
    usedIdToken: await exchanged(registry, issuer),
    revokedFile,
    secret: await publishSecret(registry, acme),
    revocation: (by, program = 'acme/knob') => signed({ kind: 'release', program, version: '1.1.0' }, by),
    publish: (release) => publishAt(registry, release),
    close: async () => {
      await registry.close()
      await issuer.close()
    },
  }
}

/** Hands a revocation in with the administrator's token. */
export const revoke = (registry: RunningRegistry, envelope: string): Promise<Answer> =>
  registry.call('POST', '/api/v1/revocations', { token: registry.admin, body: { envelope } })

/** Exchanges a pipeline's identity token for a token that publishes acme/knob. */
export const exchange = (registry: RunningRegistry, idToken: string): Promise<Answer> =>
  registry.call('POST', '/api/v1/trusted-publishing/token', { body: { program: 'acme/knob', idToken } })

const signed = (revoked: Revoked, by: PrivateKey): string =>
  signRevocation({ revoked, reason: 'malicious', message: 'steals', at: '2026-05-01T12:00:00.000Z' }, by)

async function exchanged(registry: RunningRegistry, issuer: CiIssuerDouble): Promise<string> {
  const body = { program: 'knob', provider: 'github', repository: 'acme/app', workflow: 'release.yml' }
  const path = '/api/v1/namespaces/acme/trusted-publishers'
  await done(registry.call('POST', path, { token: registry.admin, body }))
  const idToken = await issuer.token(registry.url, githubClaims())
  await done(exchange(registry, idToken))
  return idToken
}

async function publishSecret(registry: RunningRegistry, key: PrivateKey): Promise<string> {
  const note = Buffer.from('for members only')
  const form = releaseForm(await buildRelease('acme/secret', '1.0.0', key, { files: [['NOTES', note]] }))
  await done(registry.call('POST', '/api/v1/releases?visibility=private', { token: registry.admin, form }))
  return sha256Digest(note)
}

/** Ends every join token that there is. */
async function expiredToken(registry: RunningRegistry): Promise<string> {
  const token = await joinToken(registry)
  await registry.database.prisma.joinToken.updateMany({ data: { expiresAt: new Date() } })
  return token
}

async function usedToken(registry: RunningRegistry): Promise<string> {
  const token = await joinToken(registry, { maxUses: 1 })
  await done(enrol(registry, token, newKey('ed25519'), factsOf('node-2')))
  return token
}

async function turnedNode(registry: RunningRegistry): Promise<EnrolledNode> {
  const node = await enrolledNode(registry, 'node-3')
  await nodeRegistry(registry.url, node).changeKey(newKey('ed25519'))
  return node
}

/** Throws when what prepares an attack was refused. */
export async function done(asked: Promise<Answer>): Promise<void> {
  const { status, code, bytes } = await asked
  if (status >= 300) throw new Error(`refused with ${status} ${code}: ${bytes}`)
}
