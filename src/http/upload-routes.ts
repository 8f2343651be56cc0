import { z } from 'zod'
import { LIMITS } from '../domain/limits.ts'
import { Digest } from '../domain/names.ts'
import { StagedFile, StagedList } from '../domain/upload.ts'
import { stageFile } from '../registry/uploads.ts'
import { type App, described, holderOf } from './route.ts'
import type { Services } from './services.ts'

const tags = ['catalog']

/** Files that are sent ahead of their release, so that an interrupted publish goes on where it was. */
export function uploadRoutes(app: App, services: Services): void {
  app.get(
    '/api/v1/uploads',
    described(
      'publish',
      { operationId: 'listUploads', tags, summary: 'One’s own files that were sent ahead' },
      { response: { 200: StagedList } },
    ),
    async (request) => ({
      files: await services.uploads.list(holderOf(request).account.id, services.clock()),
    }),
  )
  const staging = described(
    'publish',
    {
      operationId: 'stageFile',
      tags,
      summary: 'Send a file ahead of its release; it is kept for a day',
      errors: [
        'digest_mismatch',
        'quota_exceeded',
        'too_large',
        'unsupported_media_type',
        'blob_being_removed',
      ],
    },
    { params: z.strictObject({ digest: Digest }), response: { 200: StagedFile } },
  )
  app.put(
    '/api/v1/uploads/:digest',
    {
      ...staging,
      schema: { ...staging.schema, consumes: ['application/octet-stream'] },
      bodyLimit: LIMITS.file_bytes,
    },
    (request) => stageFile(services, holderOf(request), request.params.digest, request.bytes),
  )
}
