import { z } from 'zod'
import { DomainError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import { LogName, LogProof } from '../domain/log.ts'
import { Digest, ProgramId } from '../domain/names.ts'
import { RevocationList, RevocationUpload, RevocationView } from '../domain/revocation.ts'
import { readableBy } from '../registry/access.ts'
import { revocationProof } from '../registry/log-proof.ts'
import { revoke } from '../registry/revocations.ts'
import { type App, described } from './route.ts'
import type { Services } from './services.ts'

const tags = ['revocations']

/** Revocations: signed elsewhere, kept for ever, for everybody who may read the program to see. */
export function revocationRoutes(app: App, services: Services): void {
  const { revocations, logs } = services
  app.post(
    '/api/v1/revocations',
    described(
      'revoke',
      {
        operationId: 'revoke',
        tags,
        summary:
          'Put a signed revocation into force: ranges leave the release out, and nodes stop running it. What its signer revoked before is answered with that revocation',
        errors: [
          ...(['invalid_json', 'revocation_invalid', 'revocation_signature_invalid'] as const),
          ...(['revoker_not_allowed', 'not_found', 'version_not_found'] as const),
          'too_many_revocations',
        ],
      },
      { body: RevocationUpload, response: { 201: RevocationView } },
    ),
    async ({ body, actor }, reply) => reply.code(201).send(await revoke(services, actor, body.envelope)),
  )
  app.get(
    '/api/v1/revocations',
    described(
      'anyone',
      {
        operationId: 'listRevocations',
        tags,
        summary: `Revocations, the newest ${LIMITS.revocation_items}, of one program or of all`,
      },
      { querystring: z.strictObject({ program: ProgramId.optional() }), response: { 200: RevocationList } },
    ),
    async ({ query, actor }) => ({
      revocations: await revocations.list(query.program, readableBy(actor), LIMITS.revocation_items),
    }),
  )
  app.get(
    '/api/v1/revocations/:digest',
    described(
      'anyone',
      {
        operationId: 'getRevocation',
        tags,
        summary: 'A revocation by the digest of its envelope, as the log has it',
        errors: ['not_found'],
      },
      { params: z.strictObject({ digest: Digest }), response: { 200: RevocationView } },
    ),
    async ({ params: { digest }, actor }) => {
      const found = await revocations.find(digest, readableBy(actor))
      if (found === undefined) throw absent(digest)
      return found
    },
  )
  app.get(
    '/api/v1/revocations/:digest/log-proof/:log',
    described(
      'anyone',
      {
        operationId: 'getRevocationProof',
        tags,
        summary:
          'The proof that a revocation is in a log: that of the catalog and that of revocations have it',
        errors: ['not_found'],
      },
      { params: z.strictObject({ digest: Digest, log: LogName }), response: { 200: LogProof } },
    ),
    async ({ params: { digest, log }, actor }) => {
      // who may not read the revocation learns nothing of its place either
      if ((await revocations.find(digest, readableBy(actor))) === undefined) throw absent(digest)
      return revocationProof(logs, log, digest)
    },
  )
}

const absent = (digest: string): DomainError =>
  new DomainError('not_found', `there is no revocation ${digest}`)
