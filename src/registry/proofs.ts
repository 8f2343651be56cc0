import { Resolver } from 'node:dns/promises'
import type { Actor } from '../domain/account.ts'
import { asDomainError, DomainError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import { PROOF_FILE, PROOF_LABEL, type ProofRequest, proofText } from '../domain/proof.ts'
import type { Clock } from '../ports/clock.ts'
import type { Namespaces } from '../ports/namespaces.ts'
import { guardedFetch } from './guarded-fetch.ts'

/** Where proofs are looked for. */
export interface ProofPlaces {
  /** Name servers, as `address:port`; undefined: those of the machine. */
  readonly dnsServers: readonly string[] | undefined
  /** Where files of repositories are read, by host. */
  readonly github: string
  readonly gitlab: string
  /** Whether these may be private addresses. */
  readonly allowPrivate: boolean
}

/** Where the public services give files. */
export const PUBLIC_PLACES: ProofPlaces = {
  dnsServers: undefined,
  ...{ github: 'https://raw.githubusercontent.com', gitlab: 'https://gitlab.com', allowPrivate: false },
}

/** Looks whether a domain or a repository says that a namespace is its own. Throws `proof_missing`, `proof_unreachable`. */
async function requireProof(proof: ProofRequest, challenge: string, places: ProofPlaces): Promise<void> {
  const wanted = proofText(challenge)
  const found = proof.kind === 'dns' ? await textRecords(proof.of, places) : await fileLines(proof.of, places)
  if (!found.includes(wanted))
    throw new DomainError(
      'proof_missing',
      proof.kind === 'dns'
        ? `${PROOF_LABEL}.${proof.of} has no TXT record "${wanted}"`
        : `${proof.of} has no ${PROOF_FILE} with the line "${wanted}"`,
    )
}

/**
 * Looks for a proof of a namespace and notes that it was seen. What was proven once and is no longer there counts no longer.
 * Throws `proof_missing`, `proof_unreachable`, `not_found`, `too_many`.
 */
export async function proveNamespace(
  services: {
    namespaces: Pick<Namespaces, 'challenge' | 'setProof'>
    proofPlaces: ProofPlaces
    clock: Clock
  },
  actor: Actor,
  namespace: string,
  proof: ProofRequest,
): Promise<void> {
  const { namespaces, proofPlaces, clock } = services
  const challenge = await namespaces.challenge(namespace)
  try {
    await requireProof(proof, challenge, proofPlaces)
  } catch (thrown) {
    await namespaces.setProof(namespace, proof, undefined, actor)
    throw thrown
  }
  await namespaces.setProof(namespace, proof, clock(), actor)
}

async function textRecords(domain: string, { dnsServers }: ProofPlaces): Promise<string[]> {
  const resolver = new Resolver({ timeout: LIMITS.dns_ms, tries: 2 })
  if (dnsServers !== undefined) resolver.setServers([...dnsServers])
  try {
    const records = await resolver.resolveTxt(`${PROOF_LABEL}.${domain}`)
    return records.map((parts) => parts.join(''))
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : ''
    if (code === 'ENOTFOUND' || code === 'ENODATA') return []
    throw new DomainError('proof_unreachable', `${PROOF_LABEL}.${domain} cannot be looked up: ${code}`, {
      cause,
    })
  }
}

async function fileLines(
  repository: string,
  { github, gitlab, allowPrivate }: ProofPlaces,
): Promise<string[]> {
  const [host, ...path] = repository.split('/')
  const url =
    host === 'github.com'
      ? `${github}/${path.slice(0, 2).join('/')}/HEAD/${PROOF_FILE}`
      : `${gitlab}/${path.join('/')}/-/raw/HEAD/${PROOF_FILE}`
  try {
    const { status, body } = await guardedFetch(url, {
      ...{ method: 'GET', headers: { 'user-agent': 'Hookline' }, timeout_ms: LIMITS.webhook_timeout_ms },
      ...{ mostBytes: LIMITS.proof_bytes, allowPrivate },
    })
    return status === 200
      ? body
          .toString('utf8')
          .split('\n')
          .map((line) => line.trim())
      : []
  } catch (cause) {
    throw new DomainError('proof_unreachable', `${repository}: ${asDomainError(cause).message}`, { cause })
  }
}
