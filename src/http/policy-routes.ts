import { z } from 'zod'
import { Name } from '../domain/names.ts'
import { PolicyList, PolicyUpload, PolicyView } from '../domain/policy-document.ts'
import { policyView, pushPolicy } from '../registry/policies.ts'
import { type App, described, holderOf } from './route.ts'
import type { Services } from './services.ts'

const tags = ['functions']

/** Policies that owners of nodes signed: passed on, never made or changed. */
export function policyRoutes(app: App, { policies }: Services): void {
  app.get(
    '/api/v1/policies',
    described(
      'fleet-read',
      { operationId: 'listPolicies', tags, summary: 'Policies of owners, the newest revision of each' },
      { response: { 200: PolicyList } },
    ),
    async () => ({ policies: (await policies.heads()).map(policyView) }),
  )
  app.put(
    '/api/v1/policies/:policy',
    described(
      'fleet-order',
      {
        operationId: 'putPolicy',
        tags,
        summary: 'Hand in a revision of a policy that an owner signed',
        errors: [
          ...(['invalid_json', 'invalid_key', 'policy_document_invalid', 'owner_not_allowed'] as const),
          ...(['signature_invalid', 'revision_conflict', 'too_many_policies', 'too_large'] as const),
          'policy_owner_changed',
        ],
      },
      { params: z.strictObject({ policy: Name }), body: PolicyUpload, response: { 200: PolicyView } },
    ),
    (request) => pushPolicy(policies, holderOf(request), request.params.policy, request.body),
  )
}
