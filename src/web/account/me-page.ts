import { Name } from '../../domain/names.ts'
import type { InvitationView } from '../../domain/namespace.ts'
import type { Services } from '../../http/services.ts'
import type { ProgramStanding } from '../../ports/catalog.ts'
import { hasRight, readableBy } from '../../registry/access.ts'
import { createNamespace } from '../../registry/memberships.ts'
import { programUrl, releaseUrl } from '../catalog/program-list.ts'
import { attempt, doneNotice, formFields, type Refused } from '../form.ts'
import { type Html, html } from '../html.ts'
import { icon } from '../icons.ts'
import type { Page, Visit } from '../page.ts'
import { field, type Site, signedIn } from '../site.ts'
import { ago, counted, dayOf, grouped } from '../text.ts'
import { signOutForm } from './sign-in-page.ts'

/** Programs that are shown; who has more searches. */
const SHOWN = 30

const DONE = {
  accepted: 'You are a member now.',
  declined: 'The invitation is declined.',
  created: 'The namespace is yours. Next: say who signs for it, and publish.',
  left: 'You are no longer a member.',
  reported: 'Thank you. The administrators of this registry have your report.',
}

/** What is one's own: namespaces, programs, invitations. */
export function mePage(site: Site, services: Pick<Services, 'namespaces' | 'catalog' | 'clock'>): void {
  const { namespaces, catalog, clock } = services
  const show = async (visit: Visit, refused?: Refused): Promise<Page> => {
    const actor = signedIn(visit)
    const { account } = actor
    // an administrator may read all there is; here is what is his as anybody's
    const mine = readableBy({ ...actor, account: { ...account, admin: false } })
    const [invitations, programs] = await Promise.all([
      namespaces.invitations(account.name, visit.now),
      mine.length === 0 ? [] : catalog.standings(mine, SHOWN),
    ])
    const fresh = account.memberships.length === 0
    return {
      title: account.name,
      section: 'mine',
      canonical: '/me',
      main: html`<div class="wide">
<header class="self"><div><h1>${icon('person')} <bdi>${account.name}</bdi></h1>
<p class="quiet">${roleWords(actor.account)} · by a token that is good until <time datetime="${actor.expiresAt.toISOString()}">${dayOf(actor.expiresAt.toISOString())}</time></p></div>
<nav aria-label="Your account"><a href="/me/tokens">Tokens</a><a href="/publish">Publish</a>${signOutForm()}</nav></header>
${doneNotice(visit.query, DONE)}
${invitations.length > 0 && invitationsOf(invitations, hasRight(actor, 'membership'))}
<section aria-labelledby="namespaces"><h2 id="namespaces">Namespaces</h2>
${
  fresh
    ? html`<p>None yet. A namespace is the first half of a program’s name, <code>acme</code> in <code>acme/ratelimit</code>; who owns it says who publishes there.</p>`
    : html`<ul class="plain-list">${[...account.memberships]
        .sort((a, b) => a.namespace.localeCompare(b.namespace))
        .map(
          ({ namespace, role }) =>
            html`<li><a href="/namespaces/${namespace}"><b>${namespace}</b></a> <span class="tag">${role}</span> <span class="links"><a href="/namespaces/${namespace}/members">Members</a><a href="/namespaces/${namespace}/signers">Signers</a>${role === 'owner' && html`<a href="/namespaces/${namespace}/audit">Audit</a>`}</span></li>`,
        )}</ul>`
}
${hasRight(actor, 'membership') && account.kind === 'person' && newNamespace(fresh, refused)}</section>
<section aria-labelledby="programs"><h2 id="programs">Programs</h2>
${programs.length > 0 ? programTable(programs, visit.now) : nothing(fresh)}</section>
</div>`,
    }
  }
  site.get('/me', 'account', (visit) => show(visit))
  site.post('/me/namespaces', 'membership', (visit) =>
    attempt(
      { form: 'namespace', typed: visit.form, field: 'name' },
      async () => {
        await createNamespace(namespaces, signedIn(visit), field(visit.form, 'name', Name))
        return { location: '/me?done=created' }
      },
      (refused) => show(visit, refused),
    ),
  )
  site.post('/me/invitations/:ns/accept', 'membership', async (visit) => {
    const holder = signedIn(visit)
    await namespaces.acceptInvitation(visit.params['ns'] ?? '', holder.account.name, clock(), holder)
    return { location: '/me?done=accepted' }
  })
  for (const [path, done] of [
    ['/me/invitations/:ns/decline', 'declined'],
    ['/me/namespaces/:ns/leave', 'left'],
  ] as const)
    site.post(path, 'membership', async (visit) => {
      const holder = signedIn(visit)
      await namespaces.leave(visit.params['ns'] ?? '', holder.account.name, holder)
      return { location: `/me?done=${done}` }
    })
}

function roleWords({
  kind,
  admin,
  fleet,
}: {
  kind: 'person' | 'robot' | 'workload'
  admin: boolean
  fleet: string
}): string {
  const parts = [
    { person: 'Account', robot: 'Robot', workload: 'Pipeline' }[kind],
    admin && 'administrator',
    fleet === 'operator' && 'gives orders to the fleet',
    fleet === 'viewer' && 'sees the fleet',
  ]
  return parts.filter((part) => part !== false).join(', ')
}

const invitationsOf = (invitations: readonly InvitationView[], may: boolean): Html =>
  html`<section aria-labelledby="invitations"><h2 id="invitations">Invitations</h2><ul class="plain-list">${invitations.map(
    ({ namespace, role, invitedBy, expiresAt }) =>
      html`<li><span><b>${namespace}</b> as <span class="tag">${role}</span> <span class="quiet">by <bdi>${invitedBy}</bdi>, good until <time datetime="${expiresAt}">${dayOf(expiresAt)}</time></span></span>${
        may &&
        html` <span class="links"><form method="post" action="/me/invitations/${namespace}/accept"><button>Accept</button></form><form method="post" action="/me/invitations/${namespace}/decline"><button class="plain">Decline</button></form></span>`
      }</li>`,
  )}</ul></section>`

function newNamespace(open: boolean, refused: Refused | undefined): Html {
  const fields = formFields('namespace', refused)
  return html`<details class="confirm"${(open || refused !== undefined) && html` open`}><summary>Make a namespace</summary><form method="post" action="/me/namespaces" class="form">
${fields.text({ name: 'name', label: 'Name', required: true, most: 39, hint: 'Lower-case letters, digits and hyphens. It is yours from then on, and names nobody else.' })}
<div><button>Make it</button></div></form></details>`
}

/** How a program stands, in a word, the gravest first. */
function standingTag({ quarantined, deprecated, latest, visibility }: ProgramStanding): Html {
  if (quarantined !== undefined) return html`<span class="tag bad" title="${quarantined}">quarantined</span>`
  if (latest === '') return html`<span class="tag">no release</span>`
  if (deprecated !== undefined) return html`<span class="tag warn" title="${deprecated}">deprecated</span>`
  return html`<span class="tag">${visibility}</span>`
}

const programTable = (programs: readonly ProgramStanding[], now: Date): Html =>
  html`<div class="scroll" tabindex="0" role="region" aria-label="Your programs"><table class="rows">
<thead><tr><th scope="col">Program</th><th scope="col">Last release</th><th scope="col">Standing</th><th scope="col" class="number">Downloads</th><th scope="col"><span class="unseen">Actions</span></th></tr></thead>
<tbody>${programs.map(
    (one) => html`<tr><th scope="row"><a href="${programUrl(one.program)}">${one.program}</a></th>
<td class="when">${one.latest === '' ? '–' : html`<a href="${releaseUrl(one.program, one.latest)}">${one.latest}</a> <span class="quiet">${ago(one.updatedAt, now)}</span>`}</td>
<td>${standingTag(one)}</td><td class="number">${grouped(one.downloads)}</td>
<td><a href="${programUrl(one.program)}/manage">Manage</a></td></tr>`,
  )}</tbody></table></div>${programs.length === SHOWN && html`<p class="quiet">The ${counted(SHOWN, 'program')} that changed last; the others are found on the pages of your namespaces.</p>`}`

const nothing = (fresh: boolean): Html =>
  html`<p>${
    fresh ? 'When you have a namespace, you can publish.' : 'Nothing is published in your namespaces yet.'
  }</p><p><a class="button" href="/publish">How to publish</a></p>`
