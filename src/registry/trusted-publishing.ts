import { createHash } from 'node:crypto'
import type { Actor } from '../domain/account.ts'
import { DomainError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import type { NewToken } from '../domain/token.ts'
import type {
  IdTokenExchange,
  TrustedPublisherRequest,
  TrustedPublisherView,
} from '../domain/trusted-publisher.ts'
import type { Clock } from '../ports/clock.ts'
import type { TrustedPublishers } from '../ports/trusted-publishers.ts'
import type { IdTokens } from './id-token.ts'
import { hashSecret, newSecret } from './secrets.ts'

const DEFAULT_WORKFLOW = '.gitlab-ci.yml'

/** Lets a pipeline publish. Throws `invalid_request` for an issuer that is not taken here, and what the store does. */
export function addPublisher(
  {
    trustedPublishers,
    idTokens,
  }: { trustedPublishers: TrustedPublishers; idTokens: Pick<IdTokens, 'issuers'> },
  actor: Actor,
  namespace: string,
  { issuer: asked, workflow = DEFAULT_WORKFLOW, environment, ref, ...request }: TrustedPublisherRequest,
): Promise<TrustedPublisherView> {
  const ofProvider = idTokens.issuers.filter(({ provider }) => provider === request.provider)
  const found = asked === undefined ? ofProvider[0] : ofProvider.find(({ issuer }) => issuer === asked)
  if (found === undefined)
    throw new DomainError(
      'invalid_request',
      `issuer: identity tokens of ${request.provider} are taken from ${ofProvider.map(({ issuer }) => issuer).join(', ') || 'nobody'}`,
    )
  const publisher = { ...request, issuer: found.issuer, workflow, environment, ref }
  return trustedPublishers.add(namespace, publisher, actor)
}

/**
 * Gives a pipeline a token for its identity token: for one program, to publish, for a quarter of an hour. `audience` is this
 * registry's address. Throws `id_token_invalid`, `id_token_replayed`, `no_trusted_publisher`, `issuer_unavailable`.
 */
export async function exchangeIdToken(
  {
    trustedPublishers,
    idTokens,
    clock,
  }: { trustedPublishers: TrustedPublishers; idTokens: IdTokens; clock: Clock },
  { program, idToken }: IdTokenExchange,
  audience: string,
  address: string | undefined,
): Promise<NewToken> {
  const { run, identity, expiresAt } = await idTokens.verify(idToken, audience)
  const secret = newSecret('hlt_')
  const until = new Date(clock().getTime() + LIMITS.workload_token_s * 1000)
  const digest = createHash('sha256').update(identity).digest()
  const token = { hash: hashSecret(secret), expiresAt: until }
  const id = await trustedPublishers.exchange({ program, run, digest, expiresAt, token }, address)
  return { id, secret, expiresAt: until.toISOString() }
}
