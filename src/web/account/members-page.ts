import { AccountName, ROLES, Role } from '../../domain/account.ts'
import { LIMITS } from '../../domain/limits.ts'
import { type MemberView, RobotRequest } from '../../domain/namespace.ts'
import type { Services } from '../../http/services.ts'
import { hasRight } from '../../registry/access.ts'
import { putMember } from '../../registry/memberships.ts'
import { attempt, confirmForm, doneNotice, formFields, type Refused, refusalNotice } from '../form.ts'
import { type Html, html } from '../html.ts'
import type { Page, Visit } from '../page.ts'
import { field, type Site, signedIn } from '../site.ts'
import { dayOf } from '../text.ts'
import { namespaceHead, namespaceUrl } from './namespace-tabs.ts'

/** What a role lets one do; each has the rights of those before it. */
const ROLE_WORDS: Readonly<Record<Role, string>> = {
  reader: 'sees private programs and who is a member',
  publisher: 'publishes, yanks, deprecates and points channels',
  owner: 'decides about members, signers, visibility and deletion',
}
const ROLE_CHOICES = ROLES.map((role) => ({ value: role, label: `${role} – ${ROLE_WORDS[role]}` }))

const DONE = {
  invited: 'The invitation stands. Who is invited finds it under “You” and accepts it there.',
  changed: 'The role is changed.',
  removed: 'Removed. What they published stays.',
  robot: 'The robot is there. It needs a token to do anything.',
}

/** Who belongs to a namespace: people, those invited, and robots. Owners decide; other members see it. */
export function membersPage(site: Site, { namespaces, clock }: Pick<Services, 'namespaces' | 'clock'>): void {
  const show = async (visit: Visit, refused?: Refused): Promise<Page> => {
    const actor = signedIn(visit)
    const namespace = visit.params['ns'] ?? ''
    const members = await namespaces.members(namespace, visit.now)
    const manage = hasRight(actor, 'namespace-manage', { ns: namespace })
    const isRobot = ({ account }: MemberView): boolean => account.includes('.')
    const people = members.filter((member) => !isRobot(member))
    const robots = members.filter(isRobot)
    return {
      title: `Members of ${namespace}`,
      section: 'programs',
      canonical: namespaceUrl(namespace, '/members'),
      main: html`<div class="wide">
${namespaceHead(namespace, '/members', actor)}
${doneNotice(visit.query, DONE)}
${refusalNotice('member', refused)}
<section aria-labelledby="members"><h2 id="members">Members</h2>
${memberTable(people, { namespace, manage, caption: 'Members' })}
<p class="quiet">${ROLES.map((role) => html`<b>${role}</b> ${ROLE_WORDS[role]}. `)}Each role has the rights of those before it.</p>
${manage && inviteForm(namespace, refused)}
${
  actor.account.memberships.some((membership) => membership.namespace === namespace) &&
  confirmForm({
    ...{ open: `Leave ${namespace}`, action: `/me/namespaces/${namespace}/leave`, button: 'Leave' },
    words: 'You lose your role here. Only an owner can invite you again.',
  })
}</section>
<section aria-labelledby="robots"><h2 id="robots">Robots</h2>
<p class="quiet">Accounts of this namespace for machines: they have tokens and no login. A pipeline on GitHub or GitLab needs none, see <a href="${namespaceUrl(namespace, '/signers')}#publishers">trusted publishers</a>.</p>
${robots.length > 0 ? memberTable(robots, { namespace, manage, caption: 'Robots' }) : html`<p>No robots.</p>`}
${manage && robotForm(namespace, refused)}</section>
</div>`,
    }
  }
  const act = (form: string, visit: Visit, done: string, doIt: (namespace: string) => Promise<unknown>) =>
    attempt(
      { form, typed: visit.form, ...(form === 'invite' ? { field: 'account' } : {}) },
      async () => {
        const namespace = visit.params['ns'] ?? ''
        await doIt(namespace)
        return { location: `${namespaceUrl(namespace, '/members')}?done=${done}` }
      },
      (refused) => show(visit, refused),
    )
  const accountOf = ({ params }: Visit): string => field(new URLSearchParams(params), 'account', AccountName)
  const path = '/namespaces/:ns/members'
  site.get(path, 'namespace-read', (visit) => show(visit))
  site.post(path, 'namespace-manage', (visit) =>
    act('invite', visit, 'invited', (namespace) => {
      const account = field(visit.form, 'account', AccountName)
      const role = field(visit.form, 'role', Role)
      return putMember(namespaces, clock, visit.actor, { namespace, account, role })
    }),
  )
  site.post(`${path}/:account/role`, 'namespace-manage', (visit) =>
    act('member', visit, 'changed', (namespace) => {
      const role = field(visit.form, 'role', Role)
      return putMember(namespaces, clock, visit.actor, { namespace, account: accountOf(visit), role })
    }),
  )
  site.post(`${path}/:account/remove`, 'namespace-manage', (visit) =>
    act('member', visit, 'removed', (namespace) =>
      namespaces.removeMember(namespace, accountOf(visit), visit.actor),
    ),
  )
  site.post('/namespaces/:ns/robots', 'namespace-manage', (visit) =>
    act('robot', visit, 'robot', (namespace) => {
      const { name, role } = RobotRequest.shape
      const request = { name: field(visit.form, 'name', name), role: field(visit.form, 'role', role) }
      return namespaces.addRobot(namespace, request, visit.actor)
    }),
  )
}

const memberTable = (
  members: readonly MemberView[],
  { namespace, manage, caption }: { namespace: string; manage: boolean; caption: string },
): Html => html`<div class="scroll" tabindex="0" role="region" aria-label="${caption}, table"><table class="rows">
<thead><tr><th scope="col">Account</th><th scope="col">Role</th><th scope="col">Since</th>${manage && html`<th scope="col"><span class="unseen">Actions</span></th>`}</tr></thead>
<tbody>${members.map((member) => memberRow(member, namespace, manage))}</tbody></table></div>`

function memberRow({ account, role, invited, since }: MemberView, namespace: string, manage: boolean): Html {
  const robot = account.includes('.')
  const action = `${namespaceUrl(namespace, '/members')}/${account}`
  const tokens = namespaceUrl(namespace, `/robots/${account.slice(account.indexOf('.') + 1)}`)
  const roles = ROLES.filter((one) => !robot || one !== 'owner')
  return html`<tr><th scope="row"><bdi>${account}</bdi>${invited && html` <span class="tag">invited</span>`}</th>
<td>${
    manage && !invited
      ? html`<form method="post" action="${action}/role" class="inline-form"><select name="role" aria-label="Role of ${account}">${roles.map((one) => html`<option${one === role && html` selected`}>${one}</option>`)}</select><button class="plain">Change</button></form>`
      : role
  }</td>
<td><time datetime="${since}">${dayOf(since)}</time></td>
${
  manage &&
  html`<td><div class="acts">${robot && html`<a href="${tokens}">Tokens</a>`}${confirmForm({
    ...{ open: invited ? 'Take back' : 'Remove', action: `${action}/remove` },
    ...(invited
      ? { words: 'The invitation ends.', button: 'Take it back' }
      : {
          words: html`<bdi>${account}</bdi> can no longer publish here or see what is private.`,
          button: 'Remove',
        }),
  })}</div></td>`
}</tr>`
}

function inviteForm(namespace: string, refused: Refused | undefined): Html {
  const fields = formFields('invite', refused)
  return html`<details class="confirm"${refused?.form === 'invite' && html` open`}><summary>Invite somebody</summary><form method="post" action="${namespaceUrl(namespace, '/members')}" class="form">
${fields.problem()}
${fields.text({ name: 'account', label: 'Account', required: true, hint: `The name that they have here. They have ${LIMITS.invitation_ttl_s / 86_400} days to accept.` })}
${fields.select({ name: 'role', label: 'Role', value: 'publisher' }, ROLE_CHOICES)}
<div><button>Invite</button></div></form></details>`
}

function robotForm(namespace: string, refused: Refused | undefined): Html {
  const fields = formFields('robot', refused)
  return html`<details class="confirm"${refused?.form === 'robot' && html` open`}><summary>Make a robot</summary><form method="post" action="${namespaceUrl(namespace, '/robots')}" class="form">
${fields.problem()}
${fields.text({ name: 'name', label: 'Name', required: true, most: 39, hint: html`Its account is <code>${namespace}.</code> and this name.` })}
${fields.select(
  { name: 'role', label: 'Role', value: 'publisher' },
  ROLE_CHOICES.filter(({ value }) => value !== 'owner'),
)}
<div><button>Make it</button></div></form></details>`
}
