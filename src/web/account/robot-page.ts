import { z } from 'zod'
import { Name } from '../../domain/names.ts'
import type { Services } from '../../http/services.ts'
import { isSecure, keepShown } from '../../http/session-cookie.ts'
import { robotAccount } from '../../registry/memberships.ts'
import { createToken } from '../../registry/tokens.ts'
import { attempt, doneNotice, type Refused } from '../form.ts'
import { html } from '../html.ts'
import type { Page, Visit } from '../page.ts'
import { field, type Site, signedIn } from '../site.ts'
import { namespaceHead, namespaceUrl } from './namespace-tabs.ts'
import { tokenForm, tokenRequestOf, tokenTable } from './token-forms.ts'
import { MADE_URL } from './tokens-page.ts'

/** The tokens of a namespace's robot, for its owners. */
export function robotPage(
  site: Site,
  {
    accounts,
    namespaces,
    clock,
    publicUrl,
  }: Pick<Services, 'accounts' | 'namespaces' | 'clock' | 'publicUrl'>,
): void {
  const of = ({ params }: Visit): { namespace: string; robot: string; account: string } => {
    const [namespace, robot] = [params['ns'] ?? '', field(new URLSearchParams(params), 'robot', Name)]
    return { namespace, robot, account: robotAccount(namespace, robot) }
  }
  const urlOf = (visit: Visit): string => namespaceUrl(of(visit).namespace, `/robots/${of(visit).robot}`)
  const show = async (visit: Visit, refused?: Refused): Promise<Page> => {
    const actor = signedIn(visit)
    const { namespace, account } = of(visit)
    const [tokens, members] = await Promise.all([
      accounts.tokens(account, visit.now),
      namespaces.members(namespace, visit.now),
    ])
    const role = members.find((member) => member.account === account)?.role
    return {
      title: `Tokens of ${account}`,
      section: 'programs',
      canonical: urlOf(visit),
      main: html`<div class="wide">
${namespaceHead(namespace, '/members', actor)}
<p class="trail"><a href="${namespaceUrl(namespace, '/members')}">Members</a></p>
<h2>Robot <bdi>${account}</bdi> ${role === undefined ? html`<span class="tag warn">no member</span>` : html`<span class="tag">${role}</span>`}</h2>
${doneNotice(visit.query, { revoked: 'The token is revoked.' })}
${
  tokens.length === 0
    ? html`<p>It has no token, so it can do nothing.</p>`
    : tokenTable(tokens, visit.now, {
        ...{ revokeUrl: (id) => `${urlOf(visit)}/tokens/${id}/revoke`, caption: 'Tokens of the robot' },
      })
}
<section aria-labelledby="new"><h3 id="new">Make a token for it</h3>
${tokenForm(`${urlOf(visit)}/tokens`, actor, [], refused)}</section>
</div>`,
    }
  }
  const path = '/namespaces/:ns/robots/:robot'
  site.get(path, 'namespace-manage', (visit) => show(visit))
  site.post(`${path}/tokens`, 'namespace-manage', (visit) =>
    attempt(
      { form: 'token', typed: visit.form },
      async () => {
        const request = tokenRequestOf(visit.form)
        const made = await createToken(accounts, clock, signedIn(visit), of(visit).account, request)
        keepShown(visit.reply, made.secret, isSecure(publicUrl))
        return { location: MADE_URL }
      },
      (refused) => show(visit, refused),
    ),
  )
  site.post(`${path}/tokens/:id/revoke`, 'namespace-manage', async (visit) => {
    const id = field(new URLSearchParams(visit.params), 'id', z.uuid())
    await accounts.revokeToken(of(visit).account, id, visit.actor)
    return { location: `${urlOf(visit)}?done=revoked` }
  })
}
