import { once } from 'node:events'
import type { Server, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { DomainError } from '../domain/errors.ts'

/** A server that listens. */
export interface Listening {
  /** Its address, such as http://127.0.0.1:7075. */
  readonly url: string
  /** Ends: requests under way are answered. */
  close(): Promise<void>
}

/** Has a server of Node's own listen; port 0 is any. Throws `address_in_use`. */
export async function listen(
  server: Server,
  { host, port }: { host: string; port: number },
): Promise<Listening> {
  server.listen(port, host)
  await once(server, 'listening').catch((cause: Error) => {
    throw new DomainError('address_in_use', `cannot listen on ${host}:${port}: ${cause.message}`, { cause })
  })
  const bound = server.address() as AddressInfo
  return {
    url: `http://${bound.family === 'IPv6' ? `[${bound.address}]` : bound.address}:${bound.port}`,
    close: async () => {
      server.close()
      server.closeIdleConnections()
      await once(server, 'close')
    },
  }
}

/** Answers with text that nobody may keep. */
export function sendText(
  response: ServerResponse,
  status: number,
  body: string,
  type = 'text/plain; charset=utf-8',
): void {
  response.writeHead(status, {
    ...{ 'content-type': type, 'content-length': Buffer.byteLength(body), 'cache-control': 'no-store' },
    // a body that was not read to its end leaves a connection that nobody can go on with
    ...(status === 413 ? { connection: 'close' } : {}),
  })
  response.end(body)
}
