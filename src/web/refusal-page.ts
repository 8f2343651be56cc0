import type { Problem } from '../http/problem.ts'
import { signInUrl, signOutForm } from './account/sign-in-page.ts'
import { html } from './html.ts'
import { icon } from './icons.ts'
import type { Frame } from './layout.ts'
import type { Page } from './page.ts'
import { sentence } from './text.ts'

/** Refusals that another token, or another role, would end. */
const OF_RIGHTS = ['unauthenticated', 'forbidden', 'scope_missing', 'token_escalation', 'login_failed']

/**
 * A refusal to whoever looks: what happened, what to do, and where to go from here. `again`: whether the address is one to
 * return to after signing in, as that of a form is not.
 */
export function refusalPage(
  { title, detail, remedy, code, status }: Problem,
  { actor, path }: Frame,
  again: boolean,
): Page {
  const next = again ? signInUrl(path) : '/sign-in'
  return {
    title,
    main: html`<div class="wide narrow refusal">
<p class="status">${status}</p>
<h1>${title}</h1>
<p dir="auto">${sentence(detail)}.</p>
<p class="quiet">${sentence(remedy)}. <code>${code}</code></p>
${
  (OF_RIGHTS.includes(code) || (status === 404 && actor.kind === 'token')) &&
  (actor.kind === 'token'
    ? html`<p>You are signed in as <b><bdi>${actor.account.name}</bdi></b>, by a token with ${actor.scopes.length === 1 ? 'the scope' : 'the scopes'} ${actor.scopes.map((scope, at) => html`${at > 0 && ', '}<code>${scope}</code>`)}. <a href="${next}">Sign in with another token</a></p>${signOutForm()}`
    : html`<p><a class="button" href="${next}">Sign in</a></p>`)
}
<form class="big-find" action="/search" role="search"><label class="unseen" for="q">Search programs</label>${icon('search')}<input id="q" name="q" type="search" placeholder="Search programs" maxlength="200"><button>Search</button></form>
<p><a href="/">Home</a> · <a href="/search">All programs</a> · <a href="/docs">Docs</a></p>
</div>`,
  }
}
