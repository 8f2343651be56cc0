import { z } from 'zod'
import type { Services } from '../../http/services.ts'
import { isSecure, keepShown, takeShown } from '../../http/session-cookie.ts'
import { hasRight } from '../../registry/access.ts'
import { createToken } from '../../registry/tokens.ts'
import { attempt, doneNotice, type Refused } from '../form.ts'
import { html } from '../html.ts'
import type { Page, Visit } from '../page.ts'
import { field, type Site, signedIn } from '../site.ts'
import { snippet } from '../snippet.ts'
import { tokenForm, tokenRequestOf, tokenTable } from './token-forms.ts'

/** Where a new token is shown. */
export const MADE_URL = '/me/tokens/made'

/** One's own tokens: those that are good, a form for another, and the one page that shows a new one. */
export function tokensPage(
  site: Site,
  { accounts, clock, publicUrl }: Pick<Services, 'accounts' | 'clock' | 'publicUrl'>,
): void {
  const secure = isSecure(publicUrl)
  const show = async (visit: Visit, refused?: Refused): Promise<Page> => {
    const actor = signedIn(visit)
    const tokens = await accounts.tokens(actor.account.name, visit.now)
    return {
      title: 'Tokens',
      section: 'mine',
      canonical: '/me/tokens',
      main: html`<div class="wide">
<p class="trail"><a href="/me">You</a></p>
<h1>Tokens</h1>
${doneNotice(visit.query, { revoked: 'The token is revoked. Whoever uses it is refused.' })}
<p class="lead">What the command line and pipelines show to be let in. Each may do no more than it was made for.</p>
${
  tokens.length === 0
    ? html`<p class="empty">No token is good now.</p>`
    : tokenTable(tokens, visit.now, {
        ...{ revokeUrl: (id) => `/me/tokens/${id}/revoke`, current: actor.id, caption: 'Your tokens' },
      })
}
<section aria-labelledby="new"><h2 id="new">Make a token</h2>
${
  hasRight(actor, 'account-manage')
    ? html`<p class="quiet">At most what the token may do that you are signed in by.${!actor.scopes.includes('publish-update') && html` It does not publish: <code>hookline login --scope publish-new --scope publish-update</code> makes one that does, and pipelines need none, see <a href="/publish#pipelines">publishing from a pipeline</a>.`}</p>${tokenForm('/me/tokens', actor, [], refused)}`
    : html`<p>The token that you are signed in by has not the scope <code>manage</code>, which makes others.</p>`
}</section>
</div>`,
    }
  }
  site.get('/me/tokens', 'account', (visit) => show(visit))
  site.post('/me/tokens', 'account-manage', (visit) =>
    attempt(
      { form: 'token', typed: visit.form },
      async () => {
        const holder = signedIn(visit)
        const request = tokenRequestOf(visit.form)
        const made = await createToken(accounts, clock, holder, holder.account.name, request)
        keepShown(visit.reply, made.secret, secure)
        return { location: MADE_URL }
      },
      (refused) => show(visit, refused),
    ),
  )
  site.post('/me/tokens/:id/revoke', 'account', async (visit) => {
    const holder = signedIn(visit)
    const id = field(new URLSearchParams(visit.params), 'id', z.uuid())
    await accounts.revokeToken(holder.account.name, id, holder)
    return { location: id === holder.id ? '/sign-in' : '/me/tokens?done=revoked' }
  })
  site.get(MADE_URL, 'account', ({ request, reply }): Page => {
    const secret = takeShown(request, reply, secure)
    reply.header('cache-control', 'no-store')
    return {
      title: 'New token',
      section: 'mine',
      main: html`<div class="wide narrow">
<p class="trail"><a href="/me">You</a> <span aria-hidden="true">/</span> <a href="/me/tokens">Tokens</a></p>
<h1>New token</h1>
${
  secret === undefined
    ? html`<p class="notice">A token is shown once, right after it was made. If you did not keep it, revoke it and <a href="/me/tokens#new">make another</a>.</p>`
    : html`<p class="notice warn">Copy it now: it is shown this once. The registry keeps no more than its hash.</p>
${snippet(secret, 'The new token')}
<p>The command line takes it by <code>hookline login --with-token</code>, from standard input, or as <code>HOOKLINE_TOKEN</code>.</p>`
}
<p><a href="/me/tokens">All your tokens</a></p>
</div>`,
    }
  })
}
