import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { parseRegistryUrl } from '../client/http-call.ts'
import type { LogClient } from '../client/log-client.ts'
import type { RegistryClient } from '../client/registry-client.ts'
import { DomainError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import type { ProgramId } from '../domain/names.ts'
import { parseStrictJson } from '../domain/strict-json.ts'
import { parseWith } from '../domain/yaml.ts'
import type { Context, Io } from './io.ts'
import { readLocalText } from './local-file.ts'
import { readSecret } from './secret.ts'
import { printable } from './terminal.ts'

/** Flags of every command that talks to a registry. */
export interface RegistryFlags {
  readonly url?: string | undefined
  readonly token?: string | undefined
  /** A file that holds the token. */
  readonly tokenFile?: string | undefined
}

/** Where the settings file of a user lies. */
export const settingsPath = (io: Pick<Io, 'home'>): string =>
  join(io.home, '.config', 'hookline', 'config.json')

/** The address of the registry: by flag, else by HOOKLINE_URL, else of the settings file. Throws `no_registry`. */
export async function registryUrl(io: Io, given: string | undefined): Promise<string> {
  const url = given ?? nonEmpty(io.env['HOOKLINE_URL']) ?? (await readSettings(settingsPath(io))).url
  if (url === undefined) throw new DomainError('no_registry', 'no registry is named')
  return url
}

const SettingsFile = z.strictObject({ url: z.string().optional(), token: z.string().optional() })

/**
 * The registry to talk to, by flag (the token's may name a file), else by HOOKLINE_URL and HOOKLINE_TOKEN, else by ~/.config/hookline/config.json. The
 * file's token is meant for the file's registry and goes to no other. Throws `no_registry`, `usage`, `invalid_json`,
 * `file_unreadable`.
 */
export async function connect(io: Io, flags: RegistryFlags): Promise<RegistryClient> {
  const { url, token } = await resolveSettings(io, flags)
  if (url === undefined) throw new DomainError('no_registry', 'no registry is named')
  const { registryClient } = await import('../client/registry-client.ts')
  return registryClient(url, token, (text) => io.note(`warning: ${printable(text)}\n`))
}

/** The logs of that registry. Throws likewise. */
export async function connectLog(io: Io, flags: RegistryFlags): Promise<LogClient> {
  const { url, token } = await resolveSettings(io, flags)
  if (url === undefined) throw new DomainError('no_registry', 'no registry is named')
  return (await import('../client/log-client.ts')).logClient(url, token)
}

/** The same as {@link connect}, for a command that cannot do without a token. Throws `no_token` as well. */
export async function connectWithToken(io: Io, flags: RegistryFlags): Promise<RegistryClient> {
  const { url, token } = await resolveSettings(io, flags)
  if (url !== undefined && token === undefined)
    throw new DomainError('no_token', `no token is given for ${url}`)
  return connect(io, { url, token })
}

/**
 * The same for publishing `program`: without a token, a job of a pipeline exchanges its identity token for one. `progress` is told
 * so. Throws `ci_token_failed` and what the registry refuses as well.
 */
export async function connectToPublish(
  { io, progress }: Context,
  flags: RegistryFlags,
  program: ProgramId,
): Promise<RegistryClient> {
  const { url, token } = await resolveSettings(io, flags)
  if (url === undefined || token !== undefined) return connect(io, { url, token })
  const { ciIdToken } = await import('../client/ci-identity.ts')
  const idToken = await ciIdToken(io.env, parseRegistryUrl(url).origin)
  if (idToken === undefined) return connectWithToken(io, { url })
  const { secret, expiresAt } = await (await connect(io, { url })).exchangeIdToken({ program, idToken })
  progress(`this job may publish ${program} until ${expiresAt}`)
  return connect(io, { url, token: secret })
}

async function resolveSettings(io: Io, flags: RegistryFlags): Promise<RegistryFlags> {
  const named = flags.url ?? nonEmpty(io.env['HOOKLINE_URL'])
  const token = await readSecret({
    ...{ flag: '--token', given: flags.token, file: flags.tokenFile },
    fromEnvironment: io.env['HOOKLINE_TOKEN'],
  })
  if (named !== undefined && token !== undefined) return { url: named, token }
  const file = await readSettings(settingsPath(io))
  const sameRegistry = named === undefined || (file.url !== undefined && sameUrl(named, file.url))
  return { url: named ?? file.url, token: token ?? (sameRegistry ? file.token : undefined) }
}

/** What a settings file holds; nothing when there is none. Throws `invalid_json`, `file_unreadable`. */
export async function readSettings(path: string): Promise<z.infer<typeof SettingsFile>> {
  if (!existsSync(path)) return {}
  const text = await readLocalText(path, LIMITS.settings_bytes, 'settings')
  return parseWith(SettingsFile, parseStrictJson(text, path), 'invalid_json', path)
}

const sameUrl = (a: string, b: string): boolean => URL.parse(a)?.href === URL.parse(b)?.href

const nonEmpty = (text: string | undefined): string | undefined => (text === '' ? undefined : text)
