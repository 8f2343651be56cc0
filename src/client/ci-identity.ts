import { z } from 'zod'
import { DomainError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import { callRegistry, readJson } from './http-call.ts'

/** The variables by which a pipeline's job comes by an identity token. */
type Env = Readonly<Record<string, string | undefined>>

/**
 * An identity token of the job that this runs in, for `audience`: on GitHub Actions asked for, elsewhere handed over in
 * `HOOKLINE_ID_TOKEN`. Undefined where no job is. Throws `ci_token_failed`.
 */
export async function ciIdToken(
  env: Env,
  audience: string,
  handedOver = 'HOOKLINE_ID_TOKEN',
): Promise<string | undefined> {
  const given = env[handedOver]
  if (given) return given
  const [address, secret] = [env['ACTIONS_ID_TOKEN_REQUEST_URL'], env['ACTIONS_ID_TOKEN_REQUEST_TOKEN']]
  if (!address || !secret) return undefined
  const url = URL.parse(address)
  if (url === null) throw new DomainError('ci_token_failed', 'ACTIONS_ID_TOKEN_REQUEST_URL is no address')
  url.searchParams.set('audience', audience)
  try {
    const answer = await callRegistry(new URL(url.origin), {
      method: 'GET',
      path: `${url.pathname}${url.search}`,
      headers: { authorization: `bearer ${secret}` },
      maxBytes: LIMITS.id_token_chars * 2,
    })
    return readJson(answer, z.object({ value: z.string().min(1) }), 'an identity token').value
  } catch (cause) {
    throw new DomainError('ci_token_failed', `${url.origin} gave no identity token`, { cause })
  }
}
