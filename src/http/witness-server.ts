import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { asDomainError, DomainError, type ErrorCode } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import { formatNoteKey } from '../tlog/note-key.ts'
import type { Witness } from '../witness/witness.ts'
import { type Listening, listen, sendText } from './plain-server.ts'

/** How a refusal is answered (C2SP tlog-witness); anything else is the witness's own failure. */
const STATUSES: Partial<Record<ErrorCode, number>> = {
  log_malformed: 400,
  too_large: 413,
  log_untrusted: 403,
  not_found: 404,
  log_fork: 422,
  log_proof_invalid: 422,
  log_recovery_invalid: 422,
}

/**
 * Serves a witness: `POST /add-checkpoint` by C2SP tlog-witness, `POST /add-recovery` with a statement by which a log goes on as
 * another, and its verifier key at `/` for people. `report` is told of its own failures. Throws `address_in_use`.
 */
export async function serveWitness(
  witness: Witness,
  key: string,
  { host, port, report }: { host: string; port: number; report: (error: unknown) => void },
): Promise<Listening> {
  const server = createServer(
    { requestTimeout: LIMITS.witness_request_ms, headersTimeout: LIMITS.witness_request_ms },
    (request, response) => {
      answer(witness, key, request, response).catch((thrown: unknown) => {
        const { code, message } = asDomainError(thrown)
        const status = STATUSES[code] ?? 500
        if (status === 500) report(thrown)
        sendText(response, status, status === 500 ? 'the witness failed\n' : `${message} [${code}]\n`)
      })
    },
  )
  server.maxConnections = LIMITS.witness_connections
  return listen(server, { host, port })
}

async function answer(
  witness: Witness,
  key: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const path = (request.url ?? '').split('?', 1)[0]
  if (path === '/' && request.method === 'GET') return sendText(response, 200, `${key}\n`)
  if (path !== '/add-checkpoint' && path !== '/add-recovery')
    throw new DomainError('not_found', 'a witness has /add-checkpoint and /add-recovery, and no more')
  if (request.method !== 'POST') {
    response.setHeader('allow', 'POST')
    return sendText(response, 405, 'POST a checkpoint, or a statement\n')
  }
  if (path === '/add-recovery') {
    const goesOn = await witness.addRecovery(await readBody(request))
    return sendText(response, 200, `${formatNoteKey(goesOn)}\n`)
  }
  const answered = await witness.addCheckpoint(await readBody(request))
  if (answered.kind === 'cosigned') return sendText(response, 200, answered.line)
  sendText(response, 409, `${answered.size}\n`, 'text/x.tlog.size')
}

/** The body as text. Throws `too_large`, `log_malformed`. */
async function readBody(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = []
  let size = 0
  // refused before it is read: who breaks off in the middle cannot be answered
  if (Number(request.headers['content-length'] ?? 0) > LIMITS.witness_request_bytes) throw tooLarge()
  for await (const part of request) {
    parts.push(part)
    size += part.length
    if (size > LIMITS.witness_request_bytes) throw tooLarge()
  }
  try {
    return UTF8.decode(Buffer.concat(parts))
  } catch (cause) {
    throw new DomainError('log_malformed', 'the request is not UTF-8', { cause })
  }
}
const tooLarge = (): DomainError =>
  new DomainError('too_large', `a request has at most ${LIMITS.witness_request_bytes} bytes`)
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
