import { DomainError } from '../domain/errors.ts'
import type { App } from './route.ts'

/** Methods that a client might try on a path (RFC 9110 section 9, RFC 5789). */
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const

/**
 * Remembers the methods of every route registered from now on. The function that it gives makes all other methods on the
 * same paths answer `method_not_allowed` and `Allow` (RFC 9110 section 15.5.6) instead of that there is no such thing.
 */
export function rememberMethods(app: App): () => void {
  const known = new Map<string, Set<string>>()
  app.addHook('onRoute', ({ url, method }) => {
    const methods = known.get(url) ?? new Set()
    for (const one of [method].flat()) methods.add(one)
    known.set(url, methods)
  })
  return () => {
    for (const [url, methods] of [...known]) {
      const allow = [...methods].sort().join(', ')
      const others = METHODS.filter((method) => !methods.has(method))
      if (others.length === 0) continue
      app.route({
        ...{ url, method: others, config: { access: 'anyone' }, schema: { hide: true } },
        // before the body is read, whatever its type
        onRequest: async ({ method }, reply) => {
          reply.header('allow', allow)
          throw new DomainError('method_not_allowed', `${url} does not take ${method}, but ${allow}`)
        },
        handler: () => {},
      })
    }
  }
}
