import { z } from 'zod'
import { AccountName } from '../domain/account.ts'
import { LoggedIn, LoginExchange, LoginLink, LoginRequest } from '../domain/login.ts'
import { endToken } from '../registry/tokens.ts'
import { endLogin, keepLogin, loginCookieOf } from './login-cookie.ts'
import { type App, described, empty } from './route.ts'
import type { Services } from './services.ts'
import { isSecure, keepSession, sessionOf } from './session-cookie.ts'

const tags = ['login']

/** Logging in at an identity provider, by way of a browser. */
export function loginRoutes(app: App, services: Services): void {
  const { accounts, loginDesk, logins } = services
  const base = (): string => services.publicUrl ?? app.listeningOrigin
  app.get(
    '/auth/login',
    described(
      'anyone',
      {
        operationId: 'beginLogin',
        tags,
        summary: 'Send a browser to the identity provider',
        errors: ['login_unavailable', 'issuer_unavailable'],
      },
      { querystring: LoginRequest, response: { 303: empty('to the identity provider') } },
    ),
    async ({ query }, reply) => {
      const { location, cookie } = await loginDesk.begin(query, base())
      keepLogin(reply, cookie, isSecure(base()))
      return reply.header('cache-control', 'no-store').redirect(location, 303)
    },
  )
  app.get(
    '/auth/callback',
    described(
      'anyone',
      {
        operationId: 'finishLogin',
        tags,
        summary: 'Where the identity provider sends the browser back to',
        errors: [
          ...(['login_failed', 'login_unavailable', 'login_unknown', 'account_exists'] as const),
          ...(['name_look_alike', 'name_reserved', 'issuer_unavailable', 'too_many'] as const),
        ],
      },
      {
        querystring: z.record(z.string(), z.string().max(4000)),
        response: { 303: empty('to the command line that waits, or, signed in, to the page') },
      },
    ),
    async (request, reply) => {
      const at = request.url.indexOf('?')
      const query = at < 0 ? '' : request.url.slice(at)
      const secure = isSecure(services.publicUrl)
      endLogin(reply)
      const { location, session } = await loginDesk.finish(
        ...([query, loginCookieOf(request), base(), request.actor] as const),
      )
      if (session !== undefined) {
        const before = sessionOf(request, secure)
        if (before?.kind === 'made') await endToken(accounts, before.secret, request.actor)
        keepSession(reply, { secret: session.secret, kind: 'made' }, session.expiresAt, secure)
      }
      return reply.header('cache-control', 'no-store').redirect(location, 303)
    },
  )
  app.post(
    '/api/v1/login/token',
    described(
      'anyone',
      {
        operationId: 'exchangeLogin',
        tags,
        summary: 'Exchange the code of a login for a token',
        errors: ['invalid_json', 'login_failed', 'too_many'],
      },
      { body: LoginExchange, response: { 201: LoggedIn } },
    ),
    async ({ body }, reply) =>
      reply
        .code(201)
        .header('cache-control', 'no-store')
        .send(await loginDesk.exchange(body)),
  )
  app.put(
    '/api/v1/accounts/:account/login',
    described(
      'admin',
      {
        operationId: 'linkLogin',
        tags,
        summary: 'Say who logs in as an account',
        errors: ['invalid_json', 'not_found', 'account_exists', 'login_unavailable'],
      },
      {
        params: z.strictObject({ account: AccountName }),
        body: LoginLink,
        response: { 204: empty('linked') },
      },
    ),
    async ({ params, body, actor }, reply) => {
      await logins.link(params.account, loginDesk.issuer(), body.subject, actor)
      return reply.code(204).send()
    },
  )
}
