import { createServer, type Server } from 'node:http'
import Provider from 'oidc-provider'

/** A real OpenID provider on loopback, with development pages on which anybody logs in as whoever he says. */
export interface OidcProvider {
  readonly url: string
  close(): Promise<void>
}

/** Starts it with one client. */
export async function startOidcProvider(redirectUri: () => string): Promise<OidcProvider> {
  const server: Server = createServer()
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  const address = server.address()
  const url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`
  const provider = new Provider(url, {
    clients: [
      {
        ...{ client_id: 'hookline', client_secret: 'a secret of the client', redirect_uris: [redirectUri()] },
        ...{ grant_types: ['authorization_code'], response_types: ['code'] },
      },
    ],
    claims: { openid: ['sub'], profile: ['preferred_username'] },
    conformIdTokenClaims: false,
    pkce: { required: () => true },
    findAccount: (_context, id) => ({
      accountId: id,
      claims: async () => ({ sub: id, preferred_username: id }),
    }),
  })
  server.on('request', provider.callback())
  return {
    url,
    close: () =>
      new Promise((closed) => {
        server.closeAllConnections()
        server.close(() => closed())
      }),
  }
}

/** Cookies as a browser keeps them: of a host, whatever its port (RFC 6265 section 8.5). */
export class Browser {
  readonly #cookies = new Map<string, string>()

  /** Follows redirects from an address, logging in as `login` and agreeing, up to one that `stop` names. */
  async walk(address: string, login: string, stop: (url: URL) => boolean): Promise<URL> {
    let [url, options]: [URL, RequestInit] = [new URL(address), {}]
    for (let steps = 0; steps < 20; steps++) {
      if (stop(url)) return url
      const answer = await fetch(url, {
        ...options,
        redirect: 'manual',
        headers: {
          ...options.headers,
          cookie: [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; '),
        },
      })
      for (const cookie of answer.headers.getSetCookie()) {
        const [name = '', value = ''] = cookie.split(';')[0]?.split('=') ?? []
        if (value === '') this.#cookies.delete(name)
        else this.#cookies.set(name, value)
      }
      const location = answer.headers.get('location')
      if (location !== null) {
        ;[url, options] = [new URL(location, url), {}]
        continue
      }
      const page = await answer.text()
      const action = /<form[^>]*action="([^"]+)"/.exec(page)?.[1]
      if (action === undefined) throw new Error(`${url}: ${answer.status} ${page.slice(0, 300)}`)
      const prompt = /name="prompt" value="(\w+)"/.exec(page)?.[1] ?? ''
      url = new URL(action, url)
      options = {
        method: 'POST',
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        body: new URLSearchParams({ prompt, login, password: 'any' }).toString(),
      }
    }
    throw new Error(`too many steps, at ${url}`)
  }
}
