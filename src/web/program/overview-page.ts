import { functionFile } from '../../domain/function-file.ts'
import { DEFAULT_PROCEED, type Hook } from '../../domain/hook.ts'
import { LIMITS } from '../../domain/limits.ts'
import type { Manifest } from '../../domain/manifest.ts'
import { programPath, releasePath, releaseRef } from '../../domain/names.ts'
import type { ReleaseFile } from '../../domain/release.ts'
import type { Services } from '../../http/services.ts'
import { packetPath } from '../catalog/packet-path.ts'
import { readmes } from '../catalog/readme.ts'
import { type Content, type Html, html } from '../html.ts'
import type { Page, Visit } from '../page.ts'
import type { Site } from '../site.ts'
import { snippet } from '../snippet.ts'
import { byteText } from '../text.ts'
import { blobPath } from './contents-page.ts'
import { downloadsChart } from './downloads-chart.ts'
import { programPage, type Shown, shownBy } from './program-frame.ts'

type Needed = Pick<Services, 'catalog' | 'blobs' | 'downloads' | 'publicUrl'>

/** What a program is: where on a packet's way it sits, its README, and how to get it. */
export function overviewPage(site: Site, { catalog, blobs, downloads, publicUrl }: Needed): void {
  const readme = readmes(blobs)
  const show = async (visit: Visit): Promise<Page> => {
    const shown = await shownBy(visit, catalog)
    const { program, release, manifest, details } = shown
    const file = release.files.find(({ name }) => name === manifest.readme)
    const [text, history] = await Promise.all([
      file === undefined || shown.withheld ? undefined : readme(file),
      downloads.history(program, LIMITS.chart_days),
    ])
    const base = publicUrl ?? visit.request.server.listeningOrigin
    const main = html`${chainPicture(manifest)}
<div class="beside">
<article class="readme"><h2 class="unseen">README</h2>${
      text === undefined
        ? noReadme(shown, file)
        : html`${text.text}${text.cut && file !== undefined && html`<p class="notice">This is the beginning of a long README. <a href="${blobPath(file.digest)}" download="${file.name}">The whole of it as a file</a> (${byteText(file.size)}).</p>`}`
    }</article>
<aside aria-label="Get it, and how it is used">
${getIt(shown, base)}
<section aria-labelledby="downloads"><h2 id="downloads">Downloads</h2>${downloadsChart(history, visit.now)}</section>
${facts(manifest)}
</aside>
</div>`
    const newest = release.version === details.latest
    return programPage(shown, 'overview', visit.now, main, newest ? { canonical: programPath(program) } : {})
  }
  site.get('/programs/:ns/:name', 'anyone', show)
  site.get('/programs/:ns/:name/v/:version', 'anyone', show)
}

/** Where a release sits on a packet's way: its entries beside their hooks, and after which verdicts the chain goes on. */
function chainPicture({ programs }: Manifest): Html {
  const hooks = [...new Set(programs.map(({ hook }) => hook))]
  const beside = (hook: Hook): Content => {
    const entries = programs.filter((one) => one.hook === hook)
    if (entries.length === 0) return undefined
    return html`<ul class="entries">${entries.map(({ entry, arch, proceed }) => {
      const verdicts = proceed ?? DEFAULT_PROCEED[hook]
      return html`<li><code>${entry}</code>${arch !== undefined && html` <small>for ${arch}</small>`}<small>${
        verdicts.length === 0
          ? 'the chain ends here'
          : html`the chain goes on after <b>${verdicts.join(', ')}</b>`
      }</small></li>`
    })}</ul>`
  }
  return html`<section class="chain" aria-label="Where it sits">${packetPath(hooks, beside)}</section>`
}

function noReadme({ withheld, release }: Shown, file: ReleaseFile | undefined): Html {
  if (withheld)
    return html`<div class="empty"><p><b>Its files are withheld.</b></p><p class="quiet">What is quarantined is given to nobody, so that nothing of it is shown here.</p></div>`
  if (file === undefined)
    return html`<div class="empty"><p><b>This release has no README.</b></p><p class="quiet">What it holds is under <a href="${releasePath(release.program, release.version)}/contents">Contents</a>.</p></div>`
  return html`<div class="empty"><p><b>The README is not here.</b></p><p class="quiet">The registry knows of <code>${file.name}</code>, but its bytes are not in its store.</p></div>`
}

/** Commands to get a release by. Whom to believe is never filled in: that is a step of its own, see the Verify tab. */
function getIt({ program, release, manifest }: Shown, base: string): Html {
  const [, name = ''] = program.split('/')
  const ref = releaseRef(program, release.version)
  return html`<section aria-labelledby="get"><h2 id="get">Get it</h2>
<h3>Pull</h3>
${snippet(`export HOOKLINE_URL=${base}\nhookline pull ${ref} \\\n  --out ${name} \\\n  --policy trust.yaml`)}
<h3>Verify</h3>
${snippet(`hookline verify ${ref} \\\n  ${typeof release.signer === 'string' ? '--signer publisher.pub.pem' : '--policy trust.yaml'}`)}
<p class="quiet">Whom to believe you decide, not this page: see <a href="${releasePath(program, release.version)}/verify">Verify</a>.</p>
<h3>Run it on your nodes</h3>
${snippet(functionFile(manifest, false))}
<p class="quiet">Save it as <code>${name}.yaml</code> and apply it: <code>hookline function apply ${name}.yaml --key operator.pem</code>${manifest.config.length > 0 && html`. <a href="${releasePath(program, release.version)}/configuration">With its configuration</a>`}</p>
</section>`
}

function facts({ source, keywords, license }: Manifest): Html {
  const link = source !== undefined && /^https?:/.test(source)
  return html`<section aria-labelledby="facts"><h2 id="facts">About</h2><dl class="pairs">
<dt>Licence</dt><dd>${license}</dd>
${source !== undefined && html`<dt>Source</dt><dd>${link ? html`<a href="${source}" rel="nofollow ugc noopener noreferrer"><bdi>${source}</bdi></a>` : html`<code>${source}</code>`}</dd>`}
${keywords.length > 0 && html`<dt>Keywords</dt><dd>${keywords.map((word, at) => html`${at > 0 && ', '}<a href="/search?q=${encodeURIComponent(word)}">${word}</a>`)}</dd>`}
</dl></section>`
}
