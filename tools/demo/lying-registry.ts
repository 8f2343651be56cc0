import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import { Desired } from '../../src/domain/node.ts'

/** What a taken-over registry tells its nodes. */
export interface Lie {
  /** Changes the desired state on its way to the node. */
  desired(honest: Desired): Desired
  /** Files that the liar hands out itself, by digest. */
  readonly blobs: ReadonlyMap<string, Buffer>
}

/** A registry double that stands between a node and the real registry, and lies when told to. */
export interface LyingRegistry {
  readonly url: string
  /** From now on nodes hear this; undefined is the truth. */
  tell(lie: Lie | undefined): void
  close(): Promise<void>
}

/** A signed request can be passed on once, so what changes upstream is seen at the node's next: it is let go soon. */
const MOST_HOLD_MS = 250

/** Starts a double on loopback that passes requests on to `upstream` as they are: signed ones stay valid. */
export async function startLyingRegistry(upstream: string): Promise<LyingRegistry> {
  let lie: Lie | undefined
  const changed = new Set<() => void>()
  const server = createServer((incoming, outgoing) => {
    handle(incoming, outgoing).catch(() => outgoing.destroy())
  })

  async function handle(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const blob = lie?.blobs.get(incoming.url?.replace('/api/v1/blobs/', '') ?? '')
    if (blob !== undefined) {
      outgoing
        .writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': blob.length })
        .end(blob)
      return
    }
    const isDesired = /^\/api\/v1\/nodes\/[^/]+\/desired/.test(incoming.url ?? '')
    const { 'if-none-match': known, ...headers } = incoming.headers
    const answer = await passOn(upstream, incoming, isDesired ? headers : incoming.headers)
    if (!isDesired || answer.status !== 200) {
      outgoing.writeHead(answer.status, answer.headers).end(answer.body)
      return
    }
    const honest = Desired.parse(JSON.parse(answer.body.toString('utf8')))
    const wait_s = Number(new URL(incoming.url ?? '', upstream).searchParams.get('wait'))
    const until = performance.now() + Math.min(wait_s * 1000, MOST_HOLD_MS)
    for (;;) {
      const body = JSON.stringify(lie === undefined ? honest : lie.desired(structuredClone(honest)))
      const etag = `"${createHash('sha256').update(body).digest('hex')}"`
      const left_ms = until - performance.now()
      if (etag !== known) {
        outgoing.writeHead(200, { 'content-type': 'application/json', etag }).end(body)
        return
      }
      if (left_ms <= 0) {
        outgoing.writeHead(304, { etag }).end()
        return
      }
      await nextChange(changed, left_ms)
    }
  }

  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return {
    url: `http://127.0.0.1:${address.port}`,
    tell: (next) => {
      lie = next
      for (const wake of changed) wake()
    },
    close: () =>
      new Promise((closed) => {
        server.close(() => closed())
        server.closeAllConnections()
        for (const wake of changed) wake()
      }),
  }
}

function nextChange(changed: Set<() => void>, most_ms: number): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      changed.delete(done)
      clearTimeout(timer)
      resolve()
    }
    const timer = setTimeout(done, most_ms)
    changed.add(done)
  })
}

interface Answer {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly body: Buffer
}

function passOn(
  upstream: string,
  incoming: IncomingMessage,
  headers: IncomingMessage['headers'],
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const onward = request(
      new URL(incoming.url ?? '/', upstream),
      { method: incoming.method, headers },
      (answer) => {
        const parts: Buffer[] = []
        answer.on('data', (part: Buffer) => parts.push(part))
        answer.on('error', reject)
        answer.on('end', () =>
          resolve({ status: answer.statusCode ?? 502, headers: answer.headers, body: Buffer.concat(parts) }),
        )
      },
    )
    onward.on('error', reject)
    incoming.pipe(onward)
  })
}
