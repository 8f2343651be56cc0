import { z } from 'zod'
import { parsePublicKey } from '../../attest/keys.ts'
import { Digest } from '../../domain/names.ts'
import { type IdentityView, PublicKeyText } from '../../domain/namespace.ts'
import { IdentityRule } from '../../domain/signer.ts'
import type { TrustedPublisherView } from '../../domain/trusted-publisher.ts'
import type { Services } from '../../http/services.ts'
import type { StoredKey } from '../../ports/namespaces.ts'
import { hasRight } from '../../registry/access.ts'
import { addNamespaceKey } from '../../registry/keys.ts'
import { attempt, confirmForm, doneNotice, formFields, type Refused, refusalNotice } from '../form.ts'
import { type Html, html } from '../html.ts'
import type { Page, Visit } from '../page.ts'
import { field, type Site, signedIn } from '../site.ts'
import { dayOf } from '../text.ts'
import { namespaceHead, namespaceUrl } from './namespace-tabs.ts'

/** A key in PEM or base64 with room for what surrounds it. */
const KEY_CHARS = 4000
const PastedKey = z.string().trim().min(1, 'paste a public key').max(KEY_CHARS)

const DONE = {
  key: 'The key signs for this namespace from now on.',
  identity: 'The identity signs for this namespace from now on.',
  removed: 'Removed. It signs nothing new; what it signed stays.',
}

/** A key that somebody pasted, not yet added: its fingerprint is to be compared first. */
interface Pasted {
  readonly fingerprint: Digest
  readonly publicKey: string
}

/** Who signs for a namespace: keys, identities, and the pipelines that publish without a secret. */
export function signersPage(
  site: Site,
  { namespaces, trustedPublishers }: Pick<Services, 'namespaces' | 'trustedPublishers'>,
): void {
  const show = async (visit: Visit, more: { refused?: Refused; pasted?: Pasted } = {}): Promise<Page> => {
    const actor = signedIn(visit)
    const namespace = visit.params['ns'] ?? ''
    const manage = hasRight(actor, 'namespace-manage', { ns: namespace })
    const [keys, identities, publishers] = await Promise.all([
      namespaces.keys(namespace),
      namespaces.identities(namespace),
      trustedPublishers.list(namespace),
    ])
    return {
      title: `Signers of ${namespace}`,
      section: 'programs',
      canonical: namespaceUrl(namespace, '/signers'),
      main: html`<div class="wide">
${namespaceHead(namespace, '/signers', actor)}
${doneNotice(visit.query, DONE)}
${refusalNotice('signer', more.refused)}
<section aria-labelledby="keys"><h2 id="keys">Keys</h2>
<p class="quiet">A release is taken when one of these keys, or of the identities below, signed it. Private keys never come here.</p>
${keys.length === 0 ? html`<p>No key.</p>` : keyTable(keys, namespace, manage)}
${manage && keyForm(namespace, more)}</section>
<section aria-labelledby="identities"><h2 id="identities">Identities</h2>
<p class="quiet">Who signs without a key of their own, by a certificate: most often a pipeline.</p>
${identities.length === 0 ? html`<p>No identity.</p>` : identityTable(identities, namespace, manage)}
${manage && identityForm(namespace, more.refused)}</section>
<section aria-labelledby="publishers"><h2 id="publishers">Trusted publishers</h2>
<p class="quiet">Pipelines that publish without a stored secret. They are added by the command line: <code>hookline trusted-publisher add</code>, see <a href="/docs/access">access</a>.</p>
${publishers.length === 0 ? html`<p>No pipeline.</p>` : publisherTable(publishers)}</section>
</div>`,
    }
  }
  const act = (form: string, visit: Visit, done: string, doIt: (namespace: string) => Promise<unknown>) =>
    attempt(
      { form, typed: visit.form, ...(form === 'key' ? { field: 'key' } : {}) },
      async () => {
        const namespace = visit.params['ns'] ?? ''
        await doIt(namespace)
        return { location: `${namespaceUrl(namespace, '/signers')}?done=${done}` }
      },
      (refused) => show(visit, { refused }),
    )
  site.get('/namespaces/:ns/signers', 'namespace-read', (visit) => show(visit))
  site.post('/namespaces/:ns/keys/check', 'namespace-manage', (visit) =>
    attempt(
      // what was pasted may be a private key, which is not said again
      { form: 'key', typed: new URLSearchParams(), field: 'key' },
      () => {
        const { fingerprint, spki } = parsePublicKey(field(visit.form, 'key', PastedKey))
        return show(visit, { pasted: { fingerprint, publicKey: spki.toString('base64') } })
      },
      (refused) => show(visit, { refused }),
    ),
  )
  site.post('/namespaces/:ns/keys', 'namespace-manage', (visit) =>
    act('key', visit, 'key', (namespace) => {
      const fingerprint = field(visit.form, 'fingerprint', Digest)
      const publicKey = field(visit.form, 'publicKey', PublicKeyText)
      return addNamespaceKey(namespaces, visit.actor, namespace, fingerprint, { publicKey })
    }),
  )
  site.post('/namespaces/:ns/keys/remove', 'namespace-manage', (visit) =>
    act('signer', visit, 'removed', (namespace) =>
      namespaces.removeKey(namespace, field(visit.form, 'fingerprint', Digest), visit.actor),
    ),
  )
  site.post('/namespaces/:ns/identities', 'namespace-manage', (visit) =>
    act('identity', visit, 'identity', (namespace) => {
      const { identity, issuer } = IdentityRule.shape
      const rule = {
        identity: field(visit.form, 'identity', z.string().trim().pipe(identity)),
        issuer: field(visit.form, 'issuer', z.string().trim().pipe(issuer)),
      }
      return namespaces.addIdentity(namespace, rule, visit.actor)
    }),
  )
  site.post('/namespaces/:ns/identities/remove', 'namespace-manage', (visit) =>
    act('signer', visit, 'removed', (namespace) =>
      namespaces.removeIdentity(namespace, field(visit.form, 'id', z.uuid()), visit.actor),
    ),
  )
}

const removeForm = (action: string, hidden: Readonly<Record<string, string>>): Html =>
  confirmForm({
    ...{ open: 'Remove', action, hidden, button: 'Remove it' },
    words: 'It signs nothing new from then on. What it signed stays as it is.',
  })

const keyTable = (keys: readonly StoredKey[], namespace: string, manage: boolean): Html =>
  html`<div class="scroll" tabindex="0" role="region" aria-label="Keys, table"><table class="rows"><thead><tr><th scope="col">Fingerprint</th><th scope="col">Added</th>${manage && html`<th scope="col"><span class="unseen">Actions</span></th>`}</tr></thead><tbody>${keys.map(
    ({ fingerprint, addedAt }) =>
      html`<tr><td class="mono long">${fingerprint}</td><td><time datetime="${addedAt.toISOString()}">${dayOf(addedAt.toISOString())}</time></td>${manage && html`<td>${removeForm(namespaceUrl(namespace, '/keys/remove'), { fingerprint })}</td>`}</tr>`,
  )}</tbody></table></div>`

/** Pasting a key, or, once one is pasted, comparing its fingerprint. */
function keyForm(namespace: string, { refused, pasted }: { refused?: Refused; pasted?: Pasted }): Html {
  const fields = formFields('key', refused)
  if (pasted !== undefined)
    return html`<form method="post" action="${namespaceUrl(namespace, '/keys')}" class="form chosen-key" aria-label="Add this key">
<p><b>Is it this key?</b> Compare its fingerprint with the one that <code>hookline keygen</code> showed.</p>
<p class="mono long">${pasted.fingerprint}</p>
<input type="hidden" name="fingerprint" value="${pasted.fingerprint}"><input type="hidden" name="publicKey" value="${pasted.publicKey}">
<div class="choices"><button>Add this key</button><a href="${namespaceUrl(namespace, '/signers')}">No, do not</a></div></form>`
  return html`<details class="confirm"${refused?.form === 'key' && html` open`}><summary>Add a key</summary><form method="post" action="${namespaceUrl(namespace, '/keys/check')}" class="form">
${fields.area({ name: 'key', label: 'Public key', rows: 5, most: KEY_CHARS, code: true, hint: html`What <code>keygen</code> wrote as <code>.pub.pem</code>, or its base64. You see the fingerprint before it is added.` })}
<div><button>Show its fingerprint</button></div></form></details>`
}

const identityTable = (identities: readonly IdentityView[], namespace: string, manage: boolean): Html =>
  html`<div class="scroll" tabindex="0" role="region" aria-label="Identities, table"><table class="rows"><thead><tr><th scope="col">Identity</th><th scope="col">Issuer</th><th scope="col">Added</th>${manage && html`<th scope="col"><span class="unseen">Actions</span></th>`}</tr></thead><tbody>${identities.map(
    ({ id, identity, issuer, addedAt }) =>
      html`<tr><td class="mono long">${identity}</td><td class="mono long">${issuer}</td><td><time datetime="${addedAt}">${dayOf(addedAt)}</time></td>${manage && html`<td>${removeForm(namespaceUrl(namespace, '/identities/remove'), { id })}</td>`}</tr>`,
  )}</tbody></table></div>`

function identityForm(namespace: string, refused: Refused | undefined): Html {
  const fields = formFields('identity', refused)
  return html`<details class="confirm"${refused?.form === 'identity' && html` open`}><summary>Add an identity</summary><form method="post" action="${namespaceUrl(namespace, '/identities')}" class="form">
${fields.problem()}
${fields.text({ name: 'identity', label: 'Identity', required: true, most: 1000, hint: html`As its certificate names it, such as <code>https://github.com/acme/ratelimit/.github/workflows/release.yml@refs/tags/*</code>. Only a ref may end in <code>*</code>.` })}
${fields.text({ name: 'issuer', label: 'Issuer', required: true, most: 1000, hint: html`Who vouches for it, such as <code>https://token.actions.githubusercontent.com</code>.` })}
<div><button>Add it</button></div></form></details>`
}

const publisherTable = (publishers: readonly TrustedPublisherView[]): Html =>
  html`<div class="scroll" tabindex="0" role="region" aria-label="Trusted publishers, table"><table class="rows"><thead><tr><th scope="col">Program</th><th scope="col">Pipeline</th><th scope="col">Only</th><th scope="col">Seen</th></tr></thead><tbody>${publishers.map(
    ({ program, provider, repository, workflow, environment, ref, pinned }) =>
      html`<tr><th scope="row">${program}</th><td>${provider === 'github' ? 'GitHub' : 'GitLab'} <span class="mono">${repository}</span>, <span class="mono">${workflow}</span></td><td>${ref !== undefined && html`<span class="mono">${ref}</span> `}${environment !== undefined && html`in <bdi>${environment}</bdi>`}${ref === undefined && environment === undefined && 'any ref'}</td><td>${pinned ? 'yes' : 'not yet'}</td></tr>`,
  )}</tbody></table></div>`
