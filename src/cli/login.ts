import { createHash, randomBytes } from 'node:crypto'
import { chmod, mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import { dirname } from 'node:path'
import { callRegistry, parseRegistryUrl } from '../client/http-call.ts'
import { registryClient } from '../client/registry-client.ts'
import { SCOPES, type Scope } from '../domain/account.ts'
import { DomainError, isErrorCode } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import type { Context, Outcome } from './io.ts'
import { readSettings, registryUrl, settingsPath } from './settings.ts'

/** Flags of `hookline login`. */
export interface LoginFlags {
  readonly url?: string | undefined
  readonly scope?: readonly Scope[] | undefined
  readonly name?: string | undefined
  readonly withToken: boolean
}

const random = (): string => randomBytes(32).toString('base64url')

/**
 * Logs in by way of a browser (RFC 8252), or takes a token from standard input, and writes address and token to the settings file,
 * which its owner alone can read. Throws `no_registry`, `login_failed`, and what the registry refuses.
 */
export async function login(flags: LoginFlags, context: Context): Promise<Outcome> {
  const { io } = context
  const url = await registryUrl(io, flags.url)
  const token = flags.withToken ? await tokenFromInput() : (await byBrowser(url, flags, context)).secret
  const me = await registryClient(url, token).whoAmI()
  const path = settingsPath(io)
  await writeSettings(path, { url: parseRegistryUrl(url).origin, token })
  return {
    json: { account: me.account, url, expiresAt: me.token.expiresAt },
    text: `logged in to ${url} as ${me.account}, until ${me.token.expiresAt}; kept in ${path}`,
  }
}

/** Ends the token of the settings file at its registry, and removes it. Throws `usage` when there is none. */
export async function logout(_: object, { io }: Context): Promise<Outcome> {
  const path = settingsPath(io)
  const { url, token } = await readSettings(path)
  if (url === undefined || token === undefined) throw new DomainError('usage', `${path} holds no login`)
  const client = registryClient(url, token)
  try {
    await client.revokeToken((await client.whoAmI()).token.id)
  } catch (thrown) {
    // one that is no longer good needs no end
    if (!(thrown instanceof DomainError) || thrown.kind !== 'unauthenticated') throw thrown
  }
  await writeSettings(path, { url })
  return { json: { url }, text: `logged out of ${url}` }
}

async function byBrowser(
  url: string,
  { name, scope }: LoginFlags,
  { io }: Context,
): Promise<{ secret: string }> {
  const [verifier, state] = [random(), random()]
  const { server, port, answer } = await listenForBrowser(state)
  try {
    const address = new URL('/auth/login', parseRegistryUrl(url))
    address.searchParams.set('port', String(port))
    address.searchParams.set('challenge', createHash('sha256').update(verifier).digest('base64url'))
    address.searchParams.set('state', state)
    if (name !== undefined) address.searchParams.set('name', name)
    await requireProvider(address)
    io.note(`open this address in a browser on this machine:\n\n  ${address.href}\n\nwaiting...\n`)
    const code = await answer
    const scopes = scope ?? SCOPES.filter((one) => one !== 'admin')
    return await registryClient(url).exchangeLogin({ code, verifier, scopes: [...scopes] })
  } finally {
    server.closeAllConnections()
    server.close()
  }
}

/**
 * Asks for what the browser will ask for, so that nobody waits at a registry that has nowhere to send it. Throws what it refuses,
 * such as `login_unavailable`.
 */
async function requireProvider(address: URL): Promise<void> {
  try {
    const path = address.pathname + address.search
    await callRegistry(new URL(address.origin), { method: 'GET', path, maxBytes: LIMITS.problem_bytes })
  } catch (thrown) {
    // the way on to the provider, which is for the browser
    if (!(thrown instanceof DomainError) || thrown.code !== 'registry_answer') throw thrown
  }
}

/** Waits on a loopback port for the browser to come back, with the code of the login that has this state. */
async function listenForBrowser(
  state: string,
): Promise<{ server: Server; port: number; answer: Promise<string> }> {
  let settle: { resolve: (code: string) => void; reject: (error: Error) => void } | undefined
  const answer = new Promise<string>((resolve, reject) => {
    settle = { resolve, reject }
  })
  answer.catch(() => {}) // it is waited for later
  const late = setTimeout(() => {
    settle?.reject(new DomainError('login_failed', `nobody logged in within ${LIMITS.login_s} s`))
  }, LIMITS.login_s * 1000)
  late.unref() // a login that was refused at once is over; until then the server keeps the process
  const server = createServer((request, reply) => {
    const { searchParams } = new URL(request.url ?? '/', 'http://127.0.0.1')
    reply.setHeader('content-type', 'text/plain; charset=utf-8').setHeader('connection', 'close')
    // whoever else is on this machine, or a page in the browser, does not know the state
    if (searchParams.get('state') !== state) {
      reply.statusCode = 404
      reply.end('this is not the address of a login\n')
      return
    }
    clearTimeout(late)
    const [code, error] = [searchParams.get('code'), searchParams.get('error')]
    if (code !== null) {
      reply.end('You are logged in. This window can be closed.\n')
      settle?.resolve(code)
      return
    }
    const message = searchParams.get('message') ?? 'the login failed'
    reply.end(`The login failed: ${message}\n`)
    settle?.reject(new DomainError(error !== null && isErrorCode(error) ? error : 'login_failed', message))
  })
  await new Promise<void>((listening, failed) => {
    server.once('error', failed)
    server.listen(0, '127.0.0.1', listening)
  })
  const address = server.address()
  return { server, port: typeof address === 'object' && address !== null ? address.port : 0, answer }
}

async function tokenFromInput(): Promise<string> {
  const parts: Buffer[] = []
  let size = 0
  for await (const part of process.stdin) {
    size += part.length
    if (size > LIMITS.secret_bytes) throw new DomainError('usage', 'standard input holds more than one token')
    parts.push(part)
  }
  const token = Buffer.concat(parts).toString('utf8').trim()
  if (!/^[!-~]+$/.test(token)) throw new DomainError('usage', 'standard input holds no token')
  return token
}

/** Replaces the settings file whole, for its owner only. */
async function writeSettings(path: string, settings: { url: string; token?: string }): Promise<void> {
  const next = `${path}.new`
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 })
    await rm(next, { force: true })
    await writeFile(next, `${JSON.stringify(settings, undefined, 2)}\n`, { mode: 0o600, flag: 'wx' })
    await chmod(next, 0o600)
    await rename(next, path)
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new DomainError('file_unwritable', `cannot write ${path}: ${why}`, { cause })
  }
}
