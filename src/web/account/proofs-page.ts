import { z } from 'zod'
import { challengeView, PROOF_FILE, PROOF_LABEL, ProofRequest } from '../../domain/proof.ts'
import type { Services } from '../../http/services.ts'
import { hasRight } from '../../registry/access.ts'
import { proveNamespace } from '../../registry/proofs.ts'
import { attempt, doneNotice, formFields, type Refused } from '../form.ts'
import { type Html, html } from '../html.ts'
import { icon } from '../icons.ts'
import type { Page, Visit } from '../page.ts'
import { field, type Site, signedIn } from '../site.ts'
import { snippet } from '../snippet.ts'
import { ago } from '../text.ts'
import { namespaceHead, namespaceUrl } from './namespace-tabs.ts'

type Needed = Pick<Services, 'namespaces' | 'proofPlaces' | 'clock'>

/** Whose a namespace is, proven by a domain or a repository: what was seen, and, for owners, what to put where. */
export function proofsPage(site: Site, services: Needed): void {
  const { namespaces } = services
  const show = async (visit: Visit, refused?: Refused): Promise<Page> => {
    const actor = signedIn(visit)
    const namespace = visit.params['ns'] ?? ''
    const { verified } = await namespaces.view(namespace)
    const manage = hasRight(actor, 'namespace-manage', { ns: namespace })
    const text = manage ? challengeView(await namespaces.challenge(namespace)).text : undefined
    return {
      title: `Proofs of ${namespace}`,
      section: 'programs',
      canonical: namespaceUrl(namespace, '/proofs'),
      main: html`<div class="wide">
${namespaceHead(namespace, '/proofs', actor)}
${doneNotice(visit.query, { proven: 'It is there. The namespace is verified.' })}
<section aria-labelledby="proven"><h2 id="proven">Proven</h2>
${
  verified.length === 0
    ? html`<p>Nothing yet. A name says nothing about who chose it; a proof does, and shows as “verified” wherever its programs are listed.</p>`
    : html`<ul class="plain-list">${verified.map(({ kind, of, at }) => html`<li><span>${icon('verified')} <b>${of}</b> <span class="quiet">${kind === 'dns' ? 'domain' : 'repository'}, seen <time datetime="${at}">${ago(at, visit.now)}</time></span></span></li>`)}</ul>`
}</section>
${text !== undefined && proving(namespace, text, refused)}
</div>`,
    }
  }
  site.get('/namespaces/:ns/proofs', 'namespace-read', (visit) => show(visit))
  site.post('/namespaces/:ns/proofs', 'namespace-manage', (visit) => {
    const kind = visit.form.get('kind') === 'repository' ? 'repository' : 'dns'
    return attempt(
      { form: kind, typed: visit.form, field: 'of' },
      async () => {
        const namespace = visit.params['ns'] ?? ''
        const of = field(visit.form, 'of', z.string().trim().pipe(OF[kind]))
        await proveNamespace(services, visit.actor, namespace, ProofRequest.parse({ kind, of }))
        return { location: `${namespaceUrl(namespace, '/proofs')}?done=proven` }
      },
      (refused) => show(visit, refused),
    )
  })
}

const [Dns, Repository] = ProofRequest.options
const OF = { dns: Dns.shape.of, repository: Repository.shape.of }

function proving(namespace: string, text: string, refused: Refused | undefined): Html {
  const action = namespaceUrl(namespace, '/proofs')
  const [dns, repository] = [formFields('dns', refused), formFields('repository', refused)]
  return html`<section aria-labelledby="prove"><h2 id="prove">Prove it</h2>
<p>Put this text where only you can, then have the registry look. It stays the same, and must stay there: what is looked for again and is gone counts no longer.</p>
${snippet(text, 'The text to put there')}
<div class="columns">
<section aria-labelledby="by-dns"><h3 id="by-dns">By a domain</h3>
<p>A TXT record of <code>${PROOF_LABEL}.</code> and your domain that holds the text. DNS may take a while.</p>
<form method="post" action="${action}" class="form"><input type="hidden" name="kind" value="dns">
${dns.text({ name: 'of', label: 'Domain', required: true, most: 253, hint: 'Such as acme.example.' })}
<div><button>Check now</button></div></form></section>
<section aria-labelledby="by-repository"><h3 id="by-repository">By a repository</h3>
<p>A file <code>${PROOF_FILE}</code> on the default branch with the text as one of its lines.</p>
<form method="post" action="${action}" class="form"><input type="hidden" name="kind" value="repository">
${repository.text({ name: 'of', label: 'Repository', required: true, most: 400, hint: 'Such as github.com/acme/ratelimit, or on gitlab.com.' })}
<div><button>Check now</button></div></form></section>
</div></section>`
}
