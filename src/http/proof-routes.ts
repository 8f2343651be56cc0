import { z } from 'zod'
import { Name } from '../domain/names.ts'
import { NamespaceView } from '../domain/namespace.ts'
import { ChallengeView, challengeView, ProofRequest } from '../domain/proof.ts'
import { proveNamespace } from '../registry/proofs.ts'
import { type App, described } from './route.ts'
import type { Services } from './services.ts'

const NamespacePath = z.strictObject({ ns: Name })
const tags = ['namespaces']

/** Proving whose a namespace is. */
export function proofRoutes(app: App, services: Services): void {
  const { namespaces } = services
  app.get(
    '/api/v1/namespaces/:ns/challenge',
    described(
      'namespace-manage',
      { operationId: 'getChallenge', tags, summary: 'What to put into DNS or a repository, and where' },
      { params: NamespacePath, response: { 200: ChallengeView } },
    ),
    async ({ params }) => challengeView(await namespaces.challenge(params.ns)),
  )
  app.post(
    '/api/v1/namespaces/:ns/proofs',
    described(
      'namespace-manage',
      {
        operationId: 'proveNamespace',
        tags,
        summary: 'Look whether a domain or a repository says that the namespace is its own',
        errors: ['invalid_json', 'not_found', 'proof_missing', 'proof_unreachable', 'too_many'],
      },
      { params: NamespacePath, body: ProofRequest, response: { 200: NamespaceView } },
    ),
    async ({ params: { ns }, body, actor }) => {
      await proveNamespace(services, actor, ns, body)
      return namespaces.view(ns)
    },
  )
}
