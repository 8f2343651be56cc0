import type { RunningRegistry } from '../http/running-registry.ts'

/** What a browser sees of an answer; redirects are not followed. */
interface Seen {
  readonly status: number
  readonly location: string | undefined
  readonly text: string
  readonly headers: Headers
}

/** A browser of a test: it keeps cookies of one registry, and says where its forms come from. */
export interface Visitor {
  readonly cookies: Map<string, string>
  get(path: string, headers?: Record<string, string>): Promise<Seen>
  post(
    path: string,
    form?: Record<string, string | string[]>,
    headers?: Record<string, string>,
  ): Promise<Seen>
}

/** Opens a browser, by default nobody's, else signed in by a pasted token. */
export function openBrowser({ url }: Pick<RunningRegistry, 'url'>, token?: string): Visitor {
  const cookies = new Map<string, string>()
  if (token !== undefined) cookies.set('hookline', `given.${token}`)
  const ask = async (path: string, options: RequestInit): Promise<Seen> => {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const headers = { accept: 'text/html', ...(cookie === '' ? {} : { cookie }), ...options.headers }
    const answer = await fetch(url + path, { ...options, redirect: 'manual', headers })
    for (const set of answer.headers.getSetCookie()) {
      const [name = '', value = ''] = set.split(';')[0]?.split('=') ?? []
      if (value === '') cookies.delete(name)
      else cookies.set(name, value)
    }
    const location = answer.headers.get('location') ?? undefined
    return { status: answer.status, location, text: await answer.text(), headers: answer.headers }
  }
  return {
    cookies,
    get: (path, headers = {}) => ask(path, { headers }),
    post: (path, form = {}, headers = { 'sec-fetch-site': 'same-origin' }) => {
      const body = new URLSearchParams()
      for (const [name, value] of Object.entries(form))
        for (const one of [value].flat()) body.append(name, one)
      const type = { 'content-type': 'application/x-www-form-urlencoded' }
      return ask(path, { method: 'POST', body: body.toString(), headers: { ...type, ...headers } })
    },
  }
}
