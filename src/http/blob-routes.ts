import { z } from 'zod'
import { DomainError } from '../domain/errors.ts'
import { Digest } from '../domain/names.ts'
import type { ByteRange } from '../ports/blob-store.ts'
import { readableBy } from '../registry/access.ts'
import { type App, bytes, described, empty } from './route.ts'
import type { Services } from './services.ts'

const TYPE = 'application/octet-stream'

/**
 * The one range that `Range` asks for (RFC 9110 section 14.1.2), within `size` bytes. Undefined means the whole: no
 * field, another unit, several ranges, or a form that is not understood. `unsatisfiable` lies beyond the end.
 */
export function parseRange(field: string | undefined, size: number): ByteRange | 'unsatisfiable' | undefined {
  const [, first, last] = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(field ?? '') ?? []
  if (first === undefined || last === undefined || (first === '' && last === '')) return undefined
  if (first === '') {
    const length = Math.min(Number(last), size)
    return length === 0 ? 'unsatisfiable' : { start: size - length, end: size - 1 }
  }
  if (last !== '' && Number(last) < Number(first)) return undefined
  if (Number(first) >= size) return 'unsatisfiable'
  return { start: Number(first), end: last === '' ? size - 1 : Math.min(Number(last), size - 1) }
}

/** Whether `If-None-Match` names `etag` (RFC 9110 section 13.1.2, weak comparison). */
export const noneMatch = (field: string | undefined, etag: string): boolean =>
  field !== undefined &&
  (field.trim() === '*' || field.split(',').some((tag) => tag.trim().replace(/^W\//, '') === etag))

/** Bytes by digest. */
export function blobRoutes(app: App, { catalog, blobs, downloads }: Services): void {
  app.get(
    '/api/v1/blobs/:digest',
    described(
      'anyone',
      {
        operationId: 'getBlob',
        tags: ['catalog'],
        summary: 'Bytes of a file of a release that one may read; ETag is the digest, one Range is served',
        errors: ['not_found'],
      },
      {
        params: z.strictObject({ digest: Digest }),
        response: {
          200: bytes('the bytes', TYPE),
          206: bytes('the part asked for', TYPE),
          304: empty('unchanged'),
          416: empty('the range lies beyond the end'),
        },
      },
    ),
    async ({ params: { digest }, headers, actor }, reply) => {
      const blob = await catalog.readableBlob(digest, readableBy(actor))
      if (blob === undefined) throw new DomainError('not_found', `there is no blob ${digest}`)
      const { size } = blob
      const etag = `"${digest}"`
      // the bytes of a digest never change: whoever has them need not ask again
      reply.headers({
        etag,
        // what is for some only must not lie in a cache that serves all
        'cache-control': `${blob.open ? 'public' : 'private'}, max-age=31536000, immutable`,
        'accept-ranges': 'bytes',
      })
      if (noneMatch(headers['if-none-match'], etag)) return reply.code(304).send()
      // a range of other bytes than those the reader holds would be put together wrongly
      const ifRange = headers['if-range']
      const asked = ifRange === undefined || ifRange === etag ? headers.range : undefined
      const range = parseRange(asked, size)
      if (range === 'unsatisfiable') return reply.code(416).header('content-range', `bytes */${size}`).send()
      // whoever goes on in the middle was counted at the beginning
      if (blob.countedFor !== undefined && (range === undefined || range.start === 0))
        downloads.count(blob.countedFor)
      reply.type(TYPE)
      if (range === undefined) return reply.header('content-length', size).send(await blobs.open(digest))
      reply.headers({
        'content-length': range.end - range.start + 1,
        'content-range': `bytes ${range.start}-${range.end}/${size}`,
      })
      return reply.code(206).send(await blobs.open(digest, range))
    },
  )
}
