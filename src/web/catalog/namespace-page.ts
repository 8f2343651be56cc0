import { DomainError } from '../../domain/errors.ts'
import { LIMITS } from '../../domain/limits.ts'
import { Name, ProgramId } from '../../domain/names.ts'
import type { IdentityView, NamespaceView } from '../../domain/namespace.ts'
import type { Services } from '../../http/services.ts'
import type { StoredKey } from '../../ports/namespaces.ts'
import { readableBy } from '../../registry/access.ts'
import { viewNamespace } from '../../registry/namespaces.ts'
import { type Content, type Html, html } from '../html.ts'
import { icon } from '../icons.ts'
import type { Page } from '../page.ts'
import type { Site } from '../site.ts'
import { byteText, counted, dayOf, grouped } from '../text.ts'
import { programList } from './program-list.ts'

/** A namespace: what it publishes, whose it proved to be, and who signs for it. */
export function namespacePage(
  site: Site,
  { namespaces, catalog }: Pick<Services, 'namespaces' | 'catalog'>,
): void {
  site.get('/namespaces/:ns', 'anyone', async ({ params, actor, query, now }): Promise<Page> => {
    const name = Name.safeParse(params['ns'])
    if (!name.success) throw new DomainError('not_found', `there is no namespace "${params['ns']}"`)
    const view = await viewNamespace(namespaces, name.data, actor)
    const after = query.get('after') ?? undefined
    if (after !== undefined && !ProgramId.safeParse(after).success)
      throw new DomainError('invalid_request', `after: "${after}" is no program`)
    const [found, keys, identities] = await Promise.all([
      catalog.programsOf(view.name, { after, limit: LIMITS.listed_programs }, readableBy(actor)),
      namespaces.keys(view.name),
      namespaces.identities(view.name),
    ])
    const feed = `/feeds/${view.name}/releases.atom`
    return {
      title: view.name,
      description: `${counted(found.total, 'program')} of ${view.name}.`,
      section: 'programs',
      feed,
      main: html`<div class="wide of-namespace">
<header class="about"><h1>${view.name}</h1>
<ul class="facts"><li>${counted(found.total, 'program')}</li><li>since <time datetime="${view.createdAt}">${dayOf(view.createdAt)}</time></li><li><a href="${feed}">${icon('feed')} Feed</a></li></ul>
${membership(view)}</header>
<div class="beside">
<section aria-labelledby="programs"><h2 id="programs">Programs</h2>${found.programs.length === 0 ? empty(view) : programList(found.programs, now, found.locked)}
${found.next !== undefined && html`<p class="more"><a rel="next" href="/namespaces/${view.name}?${new URLSearchParams({ after: found.next }).toString()}">More programs</a></p>`}</section>
<aside aria-label="Whose it is">${proofs(view)}${signers(keys, identities)}</aside>
</div></div>`,
    }
  })
}

/** What members see beyond strangers: who they are here, and how much room is left. */
function membership({ name, role, usage }: NamespaceView): Content {
  if (role === undefined || usage === undefined) return undefined
  return html`<div class="notice member"><p>You are ${role === 'owner' ? 'an owner' : `a ${role}`} here. ${grouped(usage.programs)} of ${counted(usage.mostPrograms, 'program')}, ${byteText(usage.bytes)} of ${byteText(usage.mostBytes)}. <a href="/namespaces/${name}/members">Members and settings</a></p></div>`
}

const empty = ({ name, role }: NamespaceView): Html =>
  role === undefined
    ? html`<div class="empty"><p><b>Nothing is published here now.</b></p></div>`
    : html`<div class="empty"><p><b>Nothing is published in ${name} yet.</b></p><p><a href="/publish">How to publish</a></p></div>`

const PROOFS = { dns: 'Domain', repository: 'Repository' } as const

function proofs({ verified }: NamespaceView): Html {
  return html`<section aria-labelledby="proofs"><h2 id="proofs">Whose it is</h2>${
    verified.length === 0
      ? html`<p class="quiet">It proved no domain and no repository. Its name is only a name.</p>`
      : html`<ul class="proofs">${verified.map(({ kind, of, at }) => html`<li>${icon('verified')}<span><b><bdi>${of}</bdi></b><small>${PROOFS[kind]}, seen <time datetime="${at}">${dayOf(at)}</time></small></span></li>`)}</ul><p class="quiet">Who controls the domain or repository put a text there that only this namespace has.</p>`
  }</section>`
}

function signers(keys: readonly StoredKey[], identities: readonly IdentityView[]): Html {
  const none = keys.length === 0 && identities.length === 0
  return html`<section aria-labelledby="signers"><h2 id="signers">Who signs for it</h2>
${none && html`<p class="quiet">Nobody: nothing new can be published here.</p>`}
${keys.length > 0 && html`<h3>Keys</h3><ul class="signers">${keys.map(({ fingerprint, addedAt }) => html`<li>${icon('key')}<span><code>${fingerprint}</code><small>since ${dayOf(addedAt.toISOString())}</small></span></li>`)}</ul>`}
${identities.length > 0 && html`<h3>Identities</h3><ul class="signers">${identities.map(({ identity, issuer, addedAt }) => html`<li>${icon('key')}<span><bdi>${identity}</bdi><small>vouched for by <bdi>${issuer}</bdi>, since ${dayOf(addedAt)}</small></span></li>`)}</ul>`}
${!none && html`<p class="quiet">As this registry says. Check them elsewhere before you trust them.</p>`}</section>`
}
