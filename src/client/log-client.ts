import { asDomainError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import {
  LogList,
  type LogName,
  type LogOpening,
  LogOpenings,
  LogProof,
  type LogRecoveryUpload,
  type LogView,
} from '../domain/log.ts'
import type { Digest, ProgramId } from '../domain/names.ts'
import type { ReadTile } from '../tlog/tile-reader.ts'
import { callRegistry, type HttpAnswer, parseRegistryUrl, readJson } from './http-call.ts'

/** The logs of a registry as it serves them; nothing is checked yet. Every method throws what {@link callRegistry} does. */
export interface LogClient {
  /** Address of the registry. */
  readonly registry: string
  logs(): Promise<LogView[]>
  /** The newest checkpoint, a signed note. */
  checkpoint(log: LogName): Promise<Buffer>
  tiles(log: LogName): ReadTile
  /** The statement by which an epoch began, a signed note; undefined for one that did not. */
  recovery(log: LogName, epoch: number): Promise<Buffer | undefined>
  /** Begins both logs anew by signed statements. Needs an administrator's token. */
  recover(statements: LogRecoveryUpload): Promise<LogView[]>
  /** What hidden entries about a namespace stand for, those behind `after`. */
  openings(log: LogName, namespace: string, after: number): Promise<LogOpening[]>
  /** Throws `not_found` for a release that was never logged, and for one that may not be read. */
  releaseProof(program: ProgramId, version: string): Promise<LogProof>
  /** Of a revocation by the digest of its envelope. Throws `not_found` likewise. */
  revocationProof(digest: Digest, log: LogName): Promise<LogProof>
}

/** A client of the logs of the registry at `url`; a token is needed for what is private only. Throws `usage`. */
export function logClient(url: string, token: string | undefined): LogClient {
  const registry = parseRegistryUrl(url)
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` }
  const get = (path: string, maxBytes: number): Promise<HttpAnswer> =>
    callRegistry(registry, { method: 'GET', path, headers, maxBytes })
  return {
    registry: registry.origin,
    logs: async () => readJson(await get('/api/v1/logs', LIMITS.answer_bytes), LogList, 'the logs').logs,
    checkpoint: async (log) => (await get(`/log/${log}/checkpoint`, LIMITS.note_bytes)).body,
    tiles: (log) => async (path) => (await get(`/log/${log}/${path}`, LIMITS.log_tile_bytes)).body,
    recovery: async (log, epoch) => {
      try {
        return (await get(`/log/${log}/recovery/${epoch}`, LIMITS.note_bytes)).body
      } catch (thrown) {
        if (asDomainError(thrown).code === 'not_found') return undefined
        throw thrown
      }
    },
    recover: async (statements) => {
      const answer = await callRegistry(registry, {
        ...{ method: 'POST', path: '/api/v1/logs/recovery', maxBytes: LIMITS.answer_bytes },
        headers: { ...headers, 'content-type': 'application/json' },
        body: JSON.stringify(statements),
      })
      return readJson(answer, LogList, 'the logs').logs
    },
    openings: async (log, namespace, after) => {
      const path = `/api/v1/namespaces/${namespace}/log-openings/${log}?after=${after}`
      return readJson(await get(path, LIMITS.answer_bytes), LogOpenings, 'the openings').openings
    },
    releaseProof: async (program, version) => {
      const path = `/api/v1/programs/${program}/versions/${encodeURIComponent(version)}/log-proof`
      return readJson(await get(path, LIMITS.answer_bytes), LogProof, 'the proof')
    },
    revocationProof: async (digest, log) => {
      const path = `/api/v1/revocations/${digest}/log-proof/${log}`
      return readJson(await get(path, LIMITS.answer_bytes), LogProof, 'the proof')
    },
  }
}
