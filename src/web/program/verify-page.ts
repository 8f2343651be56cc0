import { RELEASE_PREDICATE } from '../../attest/release-statement.ts'
import { logPlace } from '../../domain/log.ts'
import { namespacePath, releasePath, releaseRef } from '../../domain/names.ts'
import type { NamespaceView } from '../../domain/namespace.ts'
import { permissionsOf } from '../../domain/permission.ts'
import type { ReleaseView } from '../../domain/release.ts'
import { shellWord } from '../../domain/shell-word.ts'
import type { Services } from '../../http/services.ts'
import { wholeSigner } from '../catalog/signer-line.ts'
import { type Content, type Html, html } from '../html.ts'
import { icon } from '../icons.ts'
import { logPart } from '../log/log-part.ts'
import type { Site } from '../site.ts'
import { snippet } from '../snippet.ts'
import { counted, dayOf } from '../text.ts'
import { programPage, type Shown, shownBy } from './program-frame.ts'

/** Who signed a release, what the signature covers, and how to check it without believing the registry. */
export function verifyPage(
  site: Site,
  { catalog, namespaces, logs }: Pick<Services, 'catalog' | 'namespaces' | 'logs'>,
): void {
  site.get('/programs/:ns/:name/v/:version/verify', 'anyone', async (visit) => {
    const shown = await shownBy(visit, catalog)
    const [namespace = ''] = shown.program.split('/')
    const { verified } = await namespaces.view(namespace)
    const { release } = shown
    const logged = await logs.published(release.program, release.version)
    const main = html`<div class="verify narrow">
<section aria-labelledby="signer"><h2 id="signer">Who signed it, as this registry says</h2>
${wholeSigner(shown.release.signer)}
${covers(release)}
${further(release)}</section>
<section aria-labelledby="log"><h2 id="log">In the log</h2>
${logPart(logged && logPlace(logged), release, visit.now)}</section>
${checkElsewhere(shown, namespace, verified)}
${verifyIt(shown.release)}
${otherTools(shown.release)}
${trustIt(shown)}
</div>`
    return programPage(shown, 'verify', visit.now, main)
  })
}

const bundlePath = ({ program, version }: ReleaseView): string =>
  `/api/v1/programs/${program}/versions/${encodeURIComponent(version)}/bundle`

const covers = (
  release: ReleaseView,
): Html => html`<p>One signature covers the name, the version, and ${counted(release.files.length, 'file')} by name and digest, no more and no fewer: ${release.files.map(({ name }, at) => html`${at > 0 && ', '}<code>${name}</code>`)}. What is said about a release later, such as a yank, is the registry’s word and not signed.</p>
<p><a href="${bundlePath(release)}" download="bundle.json">${icon('download')} The signature</a>, a Sigstore bundle.</p>`

/** Who signed besides, and what is said of how it was built. */
function further({ signer, signers, provenance }: ReleaseView): Content {
  const others = signers.filter((other) => JSON.stringify(other) !== JSON.stringify(signer))
  return [
    others.length > 0 &&
      html`<p>Signed besides by:</p><ul>${others.map((other) => html`<li>${wholeSigner(other)}</li>`)}</ul>`,
    provenance !== undefined &&
      html`<p>It comes with provenance: built by <bdi>${provenance.builder}</bdi>${provenance.source !== undefined && html` from <bdi>${provenance.source}</bdi>`}.</p>`,
  ]
}

const PROOFS = { dns: 'the domain', repository: 'the repository' } as const

/** A fingerprint on a page proves nothing: whoever took the registry over could show another one. */
function checkElsewhere({ release }: Shown, namespace: string, verified: NamespaceView['verified']): Html {
  const what = typeof release.signer === 'string' ? 'fingerprint' : 'identity'
  const proved: Content =
    verified.length === 0
      ? html`<li>This namespace proved no domain and no repository: this registry has nothing that links it to anybody you know.</li>`
      : html`<li>Look where the namespace proved to be at home: ${verified.map(({ kind, of, at }, index) => html`${index > 0 && ', '}${PROOFS[kind]} <b><bdi>${of}</bdi></b> (seen ${dayOf(at)})`)}. A publisher that signs its programs says there by what.</li>`
  return html`<section aria-labelledby="elsewhere"><h2 id="elsewhere">1. Check the ${what} elsewhere</h2>
<p>Do not believe it because it stands here: a registry that was taken over would show its own.</p>
<ul><li>Ask the publisher by another way, by mail or by phone, and compare the whole ${what}, not its beginning.</li>
${proved}
<li>Compare it with what you trusted before: a new signer of a program that you know deserves a question.</li></ul>
<p><a href="${namespacePath(namespace)}">All signers of ${namespace}</a></p></section>`
}

function verifyIt(release: ReleaseView): Html {
  const ref = releaseRef(release.program, release.version)
  const { signer } = release
  const command =
    typeof signer === 'string'
      ? `hookline verify ${ref} --signer publisher.pub.pem`
      : `hookline verify ${ref} \\\n  --identity ${shellWord(signer.identity)} \\\n  --issuer ${shellWord(signer.issuer)} \\\n  --trusted-root trusted_root.json`
  return html`<section aria-labelledby="verify"><h2 id="verify">2. Verify it yourself</h2>
<p>${
    typeof signer === 'string'
      ? html`With the publisher’s public key as you got it from them. A fingerprint that you checked does as well, in place of the file.`
      : html`With the identity as you checked it, and the trusted root of who vouches for identities.`
  } The command fetches the bundle and the digests, and checks the signature and every file on your machine.</p>
${snippet(command)}</section>`
}

function otherTools(release: ReleaseView): Content {
  if (typeof release.signer !== 'string') return undefined
  const file = release.files.find(({ name }) => name.endsWith('.o'))?.name ?? 'hookline.yaml'
  const command = [
    'cosign verify-blob-attestation --key publisher.pub.pem --insecure-ignore-tlog',
    `--bundle bundle.json --type ${RELEASE_PREDICATE} ${file}`,
  ].join(' \\\n  ')
  return html`<details><summary>Without Hookline’s own tool</summary>
<p>The bundle holds a DSSE envelope with an in-toto statement, which tools such as cosign read. Each run checks one file; that files, name and version belong together is in the statement.</p>
${snippet(command)}</details>`
}

/**
 * The rule of a policy, without the signer: whoever adds it has it from the step before, not from here. What the program can do
 * is in it, since a rule that grants nothing refuses whatever does more than let packets pass.
 */
function trustIt({ program, release, findings }: Shown): Html {
  const needed = permissionsOf(findings)
  const [namespace] = program.split('/')
  const signer =
    typeof release.signer === 'string'
      ? '{ key: "sha256:<the fingerprint that you checked>" }'
      : '{ identity: "<the identity that you checked>", issuer: "<its issuer>" }'
  const grant = needed.length === 0 ? '' : `    permissions: [${needed.join(', ')}]\n`
  const rule = `programs:\n  - match: "${program}"   # or "${namespace}/*"\n    signers:\n      - ${signer}\n${grant}`
  return html`<section aria-labelledby="trust"><h2 id="trust">3. Let your nodes accept it</h2>
<p>A node runs what its own <code>/etc/hookline/trust.yaml</code> accepts, and nothing else. Add the signer there when you have checked it; there is no button for it on purpose.${needed.length > 0 && html` What the rule grants is <a href="${releasePath(program, release.version)}/permissions">what the program can do</a>; without it nodes refuse it.`}</p>
<pre tabindex="0"><code>${rule}</code></pre></section>`
}
