import type { Actor } from '../../domain/account.ts'
import { type Html, html } from '../html.ts'
import type { Page, Visit } from '../page.ts'
import type { Site } from '../site.ts'
import { snippet } from '../snippet.ts'

/** How a program gets into the catalog, step by step, with one's own namespace filled in. */
export function publishPage(site: Site, { base }: { readonly base: () => string }): void {
  site.get('/publish', 'anyone', ({ actor, query }: Visit): Page => {
    const own = namespacesOf(actor)
    const chosen = own.find((name) => name === query.get('namespace')) ?? own[0]
    const namespace = chosen ?? 'acme'
    return {
      title: 'Publish a program',
      description: 'From an object that clang made to a signed release, in six commands.',
      canonical: '/publish',
      main: html`<div class="wide narrow publish">
<h1>Publish a program</h1>
<p class="lead">From an object that clang made to a signed release. Everything is checked before it is taken, and a release never changes.</p>
${
  chosen === undefined
    ? html`<p class="notice">Commands are shown for a namespace <code>acme</code>; put yours in its place.${actor.kind === 'anonymous' && html` <a href="/sign-in?next=%2Fpublish">Sign in</a> to have it filled in.`}</p>`
    : html`<p class="notice">Commands are shown for <b>${namespace}</b>${own.length > 1 && html`; for another: ${own.filter((name) => name !== namespace).map((name, at) => html`${at > 0 && ', '}<a href="/publish?namespace=${name}">${name}</a>`)}`}.</p>`
}
<ol class="steps">
${step('Log in', html`The command line keeps a token for this registry.`, `hookline login --url ${base()}`)}
${step('Make a key', html`<code>publisher.pem</code> signs and stays with you; <code>publisher.pub.pem</code> is for everybody. It shows the key’s fingerprint, which nodes name in their policy.`, 'hookline keygen --out publisher')}
${step(
  chosen === undefined ? 'Make a namespace and name its signer' : 'Name the signer',
  chosen === undefined
    ? html`A namespace is yours once it is made. Its releases count when one of its signers signed them.`
    : html`Releases of ${namespace} count when one of its signers signed them. <a href="/namespaces/${namespace}/signers">Signers of ${namespace}</a>`,
  `${chosen === undefined ? `hookline namespace create ${namespace}\n` : ''}hookline key add publisher.pub.pem --namespace ${namespace}`,
)}
${step('Draft the manifest', html`It reads what the object holds and writes <code>hookline.yaml</code> beside it. Fill in what its comments ask: a summary, the licence, bounds of configuration. See <a href="/docs/manifest">the manifest</a>.`, `hookline inspect filter.bpf.o\nhookline init filter.bpf.o --namespace ${namespace}`)}
${step('Have it checked', html`The registry runs all its checks and publishes nothing. A README.md beside the manifest becomes the program’s page.`, 'hookline publish . --key publisher.pem --dry-run')}
${step('Publish', html`Add <code>--private</code> the first time if it is for members alone.`, 'hookline publish . --key publisher.pem')}
</ol>
<section aria-labelledby="pipelines"><h2 id="pipelines">From a pipeline, without a secret</h2>
<p>GitHub Actions and GitLab CI give each job an identity. An owner says once which pipeline may publish which program; the job then needs no token, and with <code>--keyless</code> no key.</p>
${snippet(`hookline trusted-publisher add ${namespace}/filter \\\n  --repository ${namespace}/filter --workflow release.yml \\\n  --ref 'refs/tags/v*'`, 'Trust a pipeline')}
<h3>GitHub Actions</h3>
${snippet(`permissions:\n  id-token: write\nsteps:\n  - run: hookline publish . --keyless\n    env:\n      HOOKLINE_URL: ${base()}`, 'A job on GitHub')}
<h3>GitLab CI</h3>
${snippet(`publish:\n  id_tokens:\n    HOOKLINE_ID_TOKEN:\n      aud: ${base()}\n    SIGSTORE_ID_TOKEN:\n      aud: sigstore\n  variables:\n    HOOKLINE_URL: ${base()}\n  script:\n    - hookline publish . --keyless`, 'A job on GitLab')}
<p>What is compared, and which identities may sign: <a href="/docs/access">access</a>.</p></section>
<section aria-labelledby="after"><h2 id="after">Afterwards</h2>
<p>A release can be yanked, deprecated or named by a channel, on its program’s page under “Manage” or by <code>hookline yank</code>. What each does: <a href="/docs/releases">what becomes of a release</a>.</p></section>
</div>`,
    }
  })
}

const step = (title: string, words: Html, command: string): Html =>
  html`<li><h2>${title}</h2><p>${words}</p>${snippet(command, title)}</li>`

/** The namespaces where somebody may publish. */
const namespacesOf = (actor: Actor): string[] =>
  actor.kind === 'token'
    ? actor.account.memberships.filter(({ role }) => role !== 'reader').map(({ namespace }) => namespace)
    : []
