import { z } from 'zod'
import { AccountName } from '../domain/account.ts'
import { LIMITS } from '../domain/limits.ts'
import { LoggedIn, LoginExchange, LoginLink, LoginRequest } from '../domain/login.ts'
import { type App, described, empty } from './route.ts'
import type { Services } from './services.ts'

const COOKIE = 'hookline-login'
const tags = ['login']

/** Logging in at an identity provider, by way of a browser. */
export function loginRoutes(app: App, services: Services): void {
  const { loginDesk, logins } = services
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
      const secure = base().startsWith('https:') ? '; Secure' : ''
      return reply
        .header(
          'set-cookie',
          `${COOKIE}=${cookie}; Path=/auth; HttpOnly; SameSite=Lax; Max-Age=${LIMITS.login_s}${secure}`,
        )
        .header('cache-control', 'no-store')
        .redirect(location, 303)
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
        errors: ['login_failed', 'login_unavailable'],
      },
      {
        querystring: z.record(z.string(), z.string().max(4000)),
        response: { 303: empty('to the command line that waits') },
      },
    ),
    async (request, reply) => {
      const at = request.url.indexOf('?')
      const cookie = new RegExp(`(?:^|; )${COOKIE}=([A-Za-z0-9_-]{43})(?:;|$)`).exec(
        request.headers.cookie ?? '',
      )?.[1]
      const location = await loginDesk.finish(
        at < 0 ? '' : request.url.slice(at),
        cookie,
        base(),
        request.actor,
      )
      return reply
        .header('set-cookie', `${COOKIE}=; Path=/auth; HttpOnly; SameSite=Lax; Max-Age=0`)
        .header('cache-control', 'no-store')
        .redirect(location, 303)
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
