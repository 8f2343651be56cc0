import { z } from 'zod'
import { DomainError } from '../../domain/errors.ts'
import { LIMITS } from '../../domain/limits.ts'
import { OwnPath } from '../../domain/login.ts'
import { keepLogin } from '../../http/login-cookie.ts'
import type { Services } from '../../http/services.ts'
import { endSession, isSecure, keepSession, type Session, sessionOf } from '../../http/session-cookie.ts'
import { authenticate, endToken } from '../../registry/tokens.ts'
import { attempt, formFields, type Refused } from '../form.ts'
import { type Html, html } from '../html.ts'
import { icon } from '../icons.ts'
import type { Elsewhere, Page, Visit } from '../page.ts'
import type { Site } from '../site.ts'

/** Where somebody signs in who was on the way to `path`. */
export const signInUrl = (path: string): string =>
  OwnPath.safeParse(path).success ? `/sign-in?next=${encodeURIComponent(path)}` : '/sign-in'

/** The way out. */
export const signOutForm = (): Html =>
  html`<form method="post" action="/sign-out"><button class="plain">Sign out</button></form>`

/** What may stand behind `Authorization: Bearer` (RFC 6750 section 2.1). */
const Secret = z
  .string()
  .trim()
  .regex(/^[A-Za-z0-9._~+/-]{1,200}=*$/, 'paste a token as it was given to you, such as hlt_…')

/** Where the browser goes once it is signed in; an address that is none of this registry's counts as not there. */
function nextOf(given: string | null): string {
  const next = OwnPath.safeParse(given)
  return next.success && !next.data.startsWith('/sign-') ? next.data : '/me'
}

type Needed = Pick<Services, 'accounts' | 'clock' | 'loginDesk' | 'publicUrl'>

/**
 * Signing in and out. Whoever pastes a token stays signed in by it; whoever logs in at the identity provider, by one that is
 * made for this browser and ends when he signs out.
 */
export function signInPage(site: Site, services: Needed & { readonly base: () => string }): void {
  const { accounts, loginDesk, clock, publicUrl, base } = services
  const secure = isSecure(publicUrl)
  const show = ({ actor }: Visit, next: string, refused?: Refused): Page => {
    const fields = formFields('token', refused)
    return {
      title: 'Sign in',
      canonical: '/sign-in',
      main: html`<div class="wide narrow enter-page">
<h1>Sign in</h1>
${actor.kind === 'token' && html`<p class="notice">You are signed in as <b><bdi>${actor.account.name}</bdi></b>. Sign in with another token to go on as somebody else, or with other rights.</p>`}
${
  loginDesk.available &&
  html`<section aria-labelledby="by-login"><h2 id="by-login">By your organisation’s login</h2>
<p><a class="button" href="/sign-in/provider?next=${encodeURIComponent(next)}">${icon('person')}Continue to the login</a></p>
<p class="quiet">You come back here signed in, for ${LIMITS.session_s / 86_400} days. What you can do then: look at what is yours and manage it. Publishing stays with the command line.</p></section>`
}
<section aria-labelledby="by-token"><h2 id="by-token">By a token</h2>
<form method="post" action="/sign-in" class="form">
<input type="hidden" name="next" value="${next}">
${fields.secret({ name: 'token', label: 'Token', hint: html`It begins with <code>hlt_</code>. What you can do here is what the token may do.` })}
<div><button>Sign in</button></div>
</form></section>
<section aria-labelledby="no-token"><h2 id="no-token">No token yet?</h2>
<p>${loginDesk.available ? 'Log in above, then make one under Tokens. At the command line, ' : 'Whoever runs this registry makes the first one for you. At the command line, '}<code>hookline login</code> keeps it where the other commands find it.</p></section>
</div>`,
    }
  }
  /** What a browser had of its own before ends when it signs in as somebody else, or out. */
  const endBefore = async ({ request, actor }: Visit): Promise<void> => {
    const before = sessionOf(request, secure)
    if (before?.kind === 'made') await endToken(accounts, before.secret, actor)
  }
  const signIn = async (visit: Visit, next: string): Promise<Elsewhere> => {
    const { request, reply, form, now } = visit
    const secret = Secret.safeParse(form.get('token') ?? '')
    if (!secret.success) throw new DomainError('unauthenticated', secret.error.issues[0]?.message ?? '')
    const actor = await authenticate(accounts, clock, secret.data, request.ip)
    if (actor.kind !== 'token') throw new DomainError('unauthenticated', 'the token is not known here')
    await endBefore(visit)
    const most = now.getTime() + LIMITS.session_s * 1000
    const session: Session = { secret: secret.data, kind: 'given' }
    keepSession(reply, session, new Date(Math.min(actor.expiresAt.getTime(), most)), secure)
    return { location: next }
  }
  site.get('/sign-in', 'anyone', (visit) => show(visit, nextOf(visit.query.get('next'))))
  site.post('/sign-in', 'anyone', (visit) => {
    const next = nextOf(visit.form.get('next'))
    return attempt(
      { form: 'token', typed: new URLSearchParams(), field: 'token' },
      () => signIn(visit, next),
      (refused) => show(visit, next, refused),
    )
  })
  site.get('/sign-in/provider', 'anyone', async ({ query, reply }) => {
    const { location, cookie } = await loginDesk.begin({ next: nextOf(query.get('next')) }, base())
    keepLogin(reply, cookie, secure)
    reply.header('cache-control', 'no-store')
    return { location }
  })
  site.post('/sign-out', 'anyone', async (visit) => {
    await endBefore(visit)
    endSession(visit.reply, secure)
    return { location: '/' }
  })
}
