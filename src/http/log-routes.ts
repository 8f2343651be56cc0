import { z } from 'zod'
import { DomainError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import {
  LogList,
  LogName,
  LogOpenings,
  LogProof,
  LogRecoveryUpload,
  logPlace,
  PlacedEntryView,
} from '../domain/log.ts'
import { Name, Version } from '../domain/names.ts'
import { readableBy } from '../registry/access.ts'
import { logView, releaseProof } from '../registry/log-proof.ts'
import { sharingReads } from '../registry/share-reads.ts'
import { parseTilePath, TILE_WIDTH, tilePath } from '../tlog/tile.ts'
import { type App, bytes, described } from './route.ts'
import type { Services } from './services.ts'

const LogPath = z.strictObject({ log: LogName })
const tags = ['log']

/**
 * The logs of the registry, for everybody: checkpoints and tiles as C2SP tlog-tiles has them, and single entries and proofs for
 * who has no client for that. What is private is in them as a commitment.
 */
export function logRoutes(app: App, { logs, catalog, logWitnesses }: Services): void {
  // after a change all nodes ask for the same, at the same time
  const [checkpoints, tiles] = [sharingReads<string>(), sharingReads<Buffer | undefined>()]
  const witnessed = sharingReads<string | undefined>()
  const list = async () => ({
    logs: await Promise.all(LogName.options.map((log) => logView(logs, log, logWitnesses))),
  })
  app.get(
    '/log/:log/checkpoint',
    described(
      'anyone',
      { operationId: 'getCheckpoint', tags, summary: 'The newest checkpoint of a log, a signed note' },
      { params: LogPath, response: { 200: bytes('the checkpoint', 'text/plain') } },
    ),
    async ({ params: { log } }, reply) =>
      reply
        .header('cache-control', 'no-cache')
        .type('text/plain; charset=utf-8')
        .send(Buffer.from(await checkpoints(log, () => logs.checkpoint(log)))),
  )
  app.get(
    '/log/:log/witnessed',
    described(
      'anyone',
      {
        ...{ operationId: 'getWitnessedCheckpoint', tags, errors: ['not_found'] },
        summary: 'The newest checkpoint that so many of these witnesses signed: for who asks for witnesses',
      },
      {
        params: LogPath,
        querystring: z.strictObject({
          threshold: z.coerce.number().int().min(1).max(LIMITS.witnesses),
          /** Ids of the keys, in hexadecimal, between commas. */
          keys: z.string().regex(/^[0-9a-f]{8}(,[0-9a-f]{8}){0,63}$/),
        }),
        response: { 200: bytes('the checkpoint', 'text/plain') },
      },
    ),
    async ({ params: { log }, query: { threshold, keys } }, reply) => {
      const read = () => logs.witnessed(log, keys.split(','), threshold)
      const note = await witnessed(`${log} ${threshold} ${keys}`, read)
      if (note === undefined)
        throw new DomainError('not_found', 'no checkpoint was signed by so many of these')
      return reply
        .header('cache-control', 'no-cache')
        .type('text/plain; charset=utf-8')
        .send(Buffer.from(note))
    },
  )
  app.get(
    '/log/:log/tile/*',
    described(
      'anyone',
      {
        operationId: 'getTile',
        tags,
        summary: 'Hashes or entries of a log, up to 256 at a time; a full tile never changes',
        errors: ['not_found'],
      },
      {
        params: z.strictObject({ log: LogName, '*': z.string().max(60) }),
        response: { 200: bytes('hashes, or entries behind their lengths', 'application/octet-stream') },
      },
    ),
    async ({ params }, reply) => {
      const tile = parseTilePath(`tile/${params['*']}`)
      const { log } = params
      const found =
        tile === undefined ? undefined : await tiles(`${log} ${tilePath(tile)}`, () => logs.tile(log, tile))
      if (tile === undefined || found === undefined)
        throw new DomainError('not_found', `the log has no tile ${params['*']}`)
      const age = tile.width === TILE_WIDTH ? 'max-age=31536000, immutable' : 'max-age=60'
      return reply.header('cache-control', `public, ${age}`).type('application/octet-stream').send(found)
    },
  )
  app.get(
    '/log/:log/recovery/:epoch',
    described(
      'anyone',
      {
        ...{ operationId: 'getLogRecovery', tags, errors: ['not_found'] },
        summary: 'The signed statement by which an epoch of a log began, after it lost entries',
      },
      {
        params: z.strictObject({
          log: LogName,
          epoch: z.coerce.number().int().min(1).max(LIMITS.log_epochs),
        }),
        response: { 200: bytes('the statement', 'text/plain') },
      },
    ),
    async ({ params: { log, epoch } }, reply) => {
      const note = await logs.recovery(log, epoch)
      if (note === undefined) throw new DomainError('not_found', `the log of ${log} has no epoch ${epoch}`)
      return reply
        .header('cache-control', 'no-cache')
        .type('text/plain; charset=utf-8')
        .send(Buffer.from(note))
    },
  )
  app.post(
    '/api/v1/logs/recovery',
    described(
      'admin',
      {
        ...{ operationId: 'recoverLogs', tags },
        summary: 'Begin both logs anew after a restore, by statements that the recovery key signed',
        errors: [
          'log_malformed',
          'log_untrusted',
          'log_recovery_invalid',
          'log_fork',
          'log_proof_invalid',
          'too_large',
        ],
      },
      { body: LogRecoveryUpload, response: { 200: LogList } },
    ),
    async ({ body, actor }) => {
      await logs.beginAnew(body, actor)
      return list()
    },
  )
  app.get(
    '/api/v1/logs',
    described(
      'anyone',
      { operationId: 'listLogs', tags, summary: 'The logs, with the keys that sign them' },
      { response: { 200: LogList } },
    ),
    list,
  )
  app.get(
    '/api/v1/logs/:log/entries/:index',
    described(
      'anyone',
      { operationId: 'getLogEntry', tags, summary: 'An entry of a log', errors: ['not_found'] },
      {
        params: z.strictObject({ log: LogName, index: z.coerce.number().int().min(0).max(LIMITS.log_size) }),
        response: { 200: PlacedEntryView },
      },
    ),
    async ({ params: { log, index } }) => {
      const found = await logs.entry(log, index)
      if (found === undefined) throw new DomainError('not_found', `the log has no entry ${index}`)
      return { index, entry: logPlace(found).entry }
    },
  )
  app.get(
    '/api/v1/namespaces/:ns/log-openings/:log',
    described(
      'anyone',
      {
        ...{ operationId: 'listLogOpenings', tags },
        summary:
          'What hidden entries about a namespace and its programs stand for, as far as these may be read',
      },
      {
        params: z.strictObject({ ns: Name, log: LogName }),
        querystring: z.strictObject({
          /** Index of the last one seen. */
          after: z.coerce.number().int().min(-1).max(LIMITS.log_size).default(-1),
        }),
        response: { 200: LogOpenings },
      },
    ),
    async ({ params: { ns, log }, query: { after }, actor }) => {
      const places = (await logs.openings(log, ns, readableBy(actor), after)).map(logPlace)
      const openings = places.map(({ index, hidden = '', salt = '' }) => ({ index, hidden, salt }))
      return { openings }
    },
  )
  app.get(
    '/api/v1/programs/:ns/:name/versions/:version/log-proof',
    described(
      'anyone',
      {
        operationId: 'getLogProof',
        tags,
        summary: 'The proof that a release’s publication is in the log of the catalog',
        errors: ['not_found', 'version_not_found'],
      },
      {
        params: z.strictObject({ ns: Name, name: Name, version: Version }),
        response: { 200: LogProof },
      },
    ),
    async ({ params: { ns, name, version }, actor }) => {
      // who may not read the release learns nothing of its place either
      const { program } = await catalog.release(`${ns}/${name}`, version, readableBy(actor))
      return releaseProof(logs, program, version)
    },
  )
}
