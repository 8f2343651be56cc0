import { createServer } from 'node:http'
import { LIMITS } from '../domain/limits.ts'
import { type Listening, listen, sendText } from './plain-server.ts'

/**
 * Serves `GET /metrics`, and nothing else: what `metrics` gives, of content type `type`; 503 while that is undefined. Without
 * fastify, which an agent never loads. Throws `address_in_use`.
 */
export function serveMetrics(
  metrics: () => string | undefined,
  type: string,
  address: { host: string; port: number },
): Promise<Listening> {
  const server = createServer(
    { requestTimeout: LIMITS.metrics_request_ms, headersTimeout: LIMITS.metrics_request_ms },
    (request, response) => {
      if ((request.url ?? '').split('?', 1)[0] !== '/metrics')
        return sendText(response, 404, 'metrics are at /metrics\n')
      if (request.method !== 'GET' && request.method !== 'HEAD') {
        response.setHeader('allow', 'GET, HEAD')
        return sendText(response, 405, 'GET /metrics\n')
      }
      const text = metrics()
      if (text === undefined) return sendText(response, 503, 'the agent has not looked at the node yet\n')
      sendText(response, 200, text, type)
    },
  )
  server.maxConnections = LIMITS.metrics_connections
  return listen(server, address)
}
