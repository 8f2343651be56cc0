import { z } from 'zod'
import type { Actor, Scope, TokenActor } from '../../domain/account.ts'
import { SCOPES } from '../../domain/account.ts'
import { LIMITS } from '../../domain/limits.ts'
import { TokenRequest, type TokenView } from '../../domain/token.ts'
import { confirmForm, fieldList, formFields, type Refused } from '../form.ts'
import { type Html, html } from '../html.ts'
import { field } from '../site.ts'
import { ago, dayOf } from '../text.ts'

/** What a scope lets one do, in words for whoever chooses. */
const SCOPE_WORDS: Readonly<Record<Scope, string>> = {
  read: 'see private programs, members and, with a fleet role, the fleet',
  'publish-new': 'publish programs that are not there yet',
  'publish-update': 'publish further releases of programs that are',
  yank: 'yank and deprecate releases, point channels',
  manage: 'change namespaces, members, signers and tokens',
  node: 'let nodes in and out of the fleet',
  order: 'give functions to the fleet, by orders that a key signs',
  admin: 'all that only administrators do',
}

const DAY_S = 86_400
const LIFETIMES = [1, 7, 30, 90, 365] as const

/** The form of a new token: at most what the token of whoever asks may do. */
export function tokenForm(
  action: string,
  actor: Actor & TokenActor,
  chosen: readonly Scope[],
  refused: Refused | undefined,
): Html {
  const fields = formFields('token', refused)
  const days = LIMITS.token_ttl_default_s / DAY_S
  return html`<form method="post" action="${action}" class="form">
${fields.problem()}
${fields.text({ name: 'note', label: 'What it is for', hint: 'For you, to tell it from others later: “build server”, “laptop”.' })}
${fields.checks(
  { name: 'scope', label: 'What it may do', chosen },
  SCOPES.filter((scope) => actor.scopes.includes(scope)).map((scope) => ({
    ...{ value: scope, label: scope, hint: SCOPE_WORDS[scope] },
  })),
)}
${fields.text({
  ...{ name: 'programs', label: 'For which programs', value: actor.programs.join(' '), most: 2000 },
  hint: html`<code>*</code> for all, <code>acme/*</code> for those of a namespace, <code>acme/ratelimit</code> for one; several with spaces between them.`,
})}
${fields.select(
  { name: 'days', label: 'How long it is good', value: String(days) },
  LIFETIMES.map((count) => ({ value: String(count), label: count === 1 ? '1 day' : `${count} days` })),
)}
<div><button>Make the token</button></div>
</form>`
}

/** The token that a form asks for. Throws `invalid_request` with the field's name. */
export function tokenRequestOf(form: URLSearchParams): TokenRequest {
  const { scopes, programs, note } = TokenRequest.shape
  const patterns = z.string().transform((text) => text.split(/[\s,]+/).filter((part) => part !== ''))
  const days = z.coerce
    .number()
    .int()
    .min(1)
    .max(Math.floor(LIMITS.token_ttl_s / DAY_S))
  return {
    note: field(form, 'note', note),
    scopes: fieldList(form, 'scope', scopes.min(1, 'choose at least one')),
    programs: field(form, 'programs', patterns.pipe(programs.unwrap())),
    ttl_s: field(form, 'days', days) * DAY_S,
  }
}

/** Tokens that are good, each with a way to end it; `current` is the one that the browser is signed in by. */
export const tokenTable = (
  tokens: readonly TokenView[],
  now: Date,
  { revokeUrl, current, caption }: { revokeUrl: (id: string) => string; current?: string; caption: string },
): Html => html`<div class="scroll" tabindex="0" role="region" aria-label="${caption}, table"><table class="rows">
<thead><tr><th scope="col">For</th><th scope="col">May</th><th scope="col">Programs</th><th scope="col">Made</th><th scope="col">Used last</th><th scope="col">Good until</th><th scope="col"><span class="unseen">End it</span></th></tr></thead>
<tbody>${tokens.map(
  ({ id, note, scopes, programs, createdAt, expiresAt, lastUsedAt }) => html`<tr>
<th scope="row"><span dir="auto">${note === '' ? 'no note' : note}</span>${id === current && html` <span class="tag">this browser</span>`}</th>
<td class="words">${scopes.map((scope, at) => html`${at > 0 && ', '}<span title="${SCOPE_WORDS[scope]}">${scope}</span>`)}</td>
<td class="words">${programs.map((pattern, at) => html`${at > 0 && ', '}<code>${pattern}</code>`)}</td>
<td><time datetime="${createdAt}">${dayOf(createdAt)}</time></td>
<td>${lastUsedAt === undefined ? 'never' : html`<time datetime="${lastUsedAt}">${ago(lastUsedAt, now)}</time>`}</td>
<td><time datetime="${expiresAt}">${dayOf(expiresAt)}</time></td>
<td>${confirmForm({
    ...{ open: 'Revoke', action: revokeUrl(id), button: 'Revoke it for good' },
    words:
      id === current
        ? 'This browser is signed in by it and will be signed out.'
        : 'Whoever uses it is refused from then on. This cannot be undone.',
  })}</td>
</tr>`,
)}</tbody></table></div>`
