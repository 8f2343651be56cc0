import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { LIMITS } from '../domain/limits.ts'

/**
 * Makes `app.close()` end soon: the signal given back aborts, for long polls; connections on which nothing was ever
 * sent are cut at once (Node does not count them as idle and would wait for their first request); requests under way
 * get some seconds, then their connections are cut, too.
 */
export function closeSoon(app: FastifyInstance): AbortSignal {
  const closing = new AbortController()
  const server: Server = app.server
  const open = new Set<Socket>()
  server.on('connection', (socket) => {
    open.add(socket)
    socket.once('close', () => open.delete(socket))
  })
  app.addHook('preClose', async () => {
    closing.abort()
    for (const socket of open) if (socket.bytesRead === 0) socket.destroy()
    const cut = setTimeout(() => server.closeAllConnections(), LIMITS.close_grace_ms)
    server.once('close', () => clearTimeout(cut))
  })
  return closing.signal
}
