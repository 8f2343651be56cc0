import { z } from 'zod'
import {
  AccountChange,
  AccountName,
  AccountPage,
  AccountRequest,
  AccountView,
  WhoAmI,
} from '../domain/account.ts'
import { LIMITS } from '../domain/limits.ts'
import { requireFreeName } from '../domain/name-rules.ts'
import { NewToken, TokenList, TokenRequest } from '../domain/token.ts'
import { createToken, whoAmI } from '../registry/tokens.ts'
import { type App, described, empty, holderOf } from './route.ts'
import type { Services } from './services.ts'

const AccountPath = z.strictObject({ account: AccountName })
const TokenPath = z.strictObject({ id: z.uuid() })
const Page = z.strictObject({
  cursor: AccountName.optional(),
  limit: z.coerce.number().int().min(1).max(LIMITS.page_items).default(LIMITS.page_items),
})
const tags = ['accounts']

/** Accounts and their tokens. */
export function accountRoutes(app: App, { accounts, clock }: Services): void {
  app.get(
    '/api/v1/whoami',
    described(
      'account',
      { operationId: 'whoAmI', tags, summary: 'Who the token is of, and what it may do' },
      { response: { 200: WhoAmI } },
    ),
    async (request) => whoAmI(holderOf(request)),
  )
  app.get(
    '/api/v1/tokens',
    described(
      'account',
      { operationId: 'listTokens', tags, summary: 'One’s own tokens that are good' },
      { response: { 200: TokenList } },
    ),
    async (request) => ({ tokens: await accounts.tokens(holderOf(request).account.name, clock()) }),
  )
  app.post(
    '/api/v1/tokens',
    described(
      'account-manage',
      {
        operationId: 'createToken',
        tags,
        summary: 'Make a token for oneself, which may do no more than the one that asks',
        errors: ['invalid_json', 'token_escalation', 'too_many'],
      },
      { body: TokenRequest, response: { 201: NewToken } },
    ),
    async (request, reply) => {
      const holder = holderOf(request)
      const made = await createToken(accounts, clock, holder, holder.account.name, request.body)
      return reply.code(201).send(made)
    },
  )
  app.delete(
    '/api/v1/tokens/:id',
    described(
      'account',
      { operationId: 'revokeToken', tags, summary: 'End a token of one’s own', errors: ['not_found'] },
      { params: TokenPath, response: { 204: empty('revoked') } },
    ),
    async (request, reply) => {
      const holder = holderOf(request)
      await accounts.revokeToken(holder.account.name, request.params.id, holder)
      return reply.code(204).send()
    },
  )
  app.get(
    '/api/v1/accounts',
    described(
      'admin',
      { operationId: 'listAccounts', tags, summary: 'Accounts by name' },
      { querystring: Page, response: { 200: AccountPage } },
    ),
    ({ query }) => accounts.page(query.cursor, query.limit),
  )
  app.post(
    '/api/v1/accounts',
    described(
      'admin',
      {
        operationId: 'createAccount',
        tags,
        summary: 'Make an account',
        errors: ['invalid_json', 'account_exists', 'name_reserved', 'name_look_alike'],
      },
      { body: AccountRequest, response: { 201: AccountView } },
    ),
    async ({ body, actor }, reply) => {
      requireFreeName(body.name)
      return reply.code(201).send(await accounts.add(body, actor))
    },
  )
  app.get(
    '/api/v1/accounts/:account',
    described(
      'admin',
      { operationId: 'getAccount', tags, summary: 'An account', errors: ['not_found'] },
      { params: AccountPath, response: { 200: AccountView } },
    ),
    ({ params }) => accounts.account(params.account),
  )
  app.patch(
    '/api/v1/accounts/:account',
    described(
      'admin',
      {
        operationId: 'changeAccount',
        tags,
        summary: 'Change what an account may do, or disable it with all its tokens',
        errors: ['invalid_json', 'not_found', 'last_admin'],
      },
      { params: AccountPath, body: AccountChange, response: { 200: AccountView } },
    ),
    ({ params, body, actor }) => accounts.change(params.account, body, actor),
  )
  app.post(
    '/api/v1/accounts/:account/tokens',
    described(
      'admin',
      {
        operationId: 'createAccountToken',
        tags,
        summary: 'Make a token for an account, such as somebody’s first',
        errors: ['invalid_json', 'not_found', 'token_escalation', 'too_many'],
      },
      { params: AccountPath, body: TokenRequest, response: { 201: NewToken } },
    ),
    async (request, reply) => {
      const { account } = request.params
      const made = await createToken(accounts, clock, holderOf(request), account, request.body)
      return reply.code(201).send(made)
    },
  )
}
