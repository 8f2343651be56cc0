import {
  PERMISSIONS,
  type Permission,
  type PermissionFinding,
  permissionsOf,
} from '../../domain/permission.ts'
import type { Services } from '../../http/services.ts'
import { type Html, html } from '../html.ts'
import { icon } from '../icons.ts'
import type { Site } from '../site.ts'
import { snippet } from '../snippet.ts'
import { counted } from '../text.ts'
import { programPage, type Shown, shownBy } from './program-frame.ts'

/** Places of one permission that are shown before one asks for more. */
const SHOWN = 3

/** What a release can do, as its bytecode was found to, in plain words and with where. */
export function permissionsPage(site: Site, { catalog }: Pick<Services, 'catalog'>): void {
  site.get('/programs/:ns/:name/v/:version/permissions', 'anyone', async (visit) => {
    const shown = await shownBy(visit, catalog)
    const names = permissionsOf(shown.findings)
    const main = html`<section class="permissions"><h2 id="can">What it can do</h2>
<p class="lead">Read from the bytecode by the registry, and again by each node from the bytes that it verified: a node loads only what its policy grants.</p>
${names.length === 0 ? html`<p class="nothing">${icon('verified')} It reads packets, lets them pass, and keeps its own maps. Nothing else.</p>` : html`<ul class="powers">${names.map((name) => power(name, shown.findings))}</ul>`}
</section>
${unused(shown, names)}
<section><h2 id="grant">Grant it on a node</h2>
<p>In the rule of <code>trust.yaml</code> that is for this program. What is not granted is refused before it reaches the kernel (<code>permission_not_granted</code>).</p>
${snippet(`permissions: [${names.join(', ')}]`, 'Line of trust.yaml')}
<p class="quiet">How permissions are found, and what each means: <a href="/docs/permissions">permissions</a>.</p></section>`
    return programPage(shown, 'permissions', visit.now, main)
  })
}

function power(name: Permission, findings: readonly PermissionFinding[]): Html {
  const { title, meaning, risk } = PERMISSIONS[name]
  const places = findings.filter(({ permission }) => permission === name)
  const [first, rest] = [places.slice(0, SHOWN), places.slice(SHOWN)]
  return html`<li class="power risk-${risk}"><h3>${title} <code>${name}</code></h3>
<p>${meaning}</p>
<ul class="places">${first.map(place)}</ul>
${rest.length > 0 && html`<details><summary>${counted(rest.length, 'further place')}</summary><ul class="places">${rest.map(place)}</ul></details>`}
</li>`
}

const place = ({ what, entry, function: name, instruction, source }: PermissionFinding): Html =>
  html`<li><b dir="auto">${what}</b> in <code>${name}</code>${name !== entry && html`, called by <code>${entry}</code>`}, instruction ${instruction}${source !== undefined && html` <bdi class="quiet">${source}</bdi>`}</li>`

/** What its publisher declares, and its bytecode does not need. */
function unused({ manifest }: Shown, names: readonly Permission[]): Html | false {
  const more = manifest.permissions.filter((name) => !names.includes(name))
  if (more.length === 0) return false
  return html`<p class="quiet">Its manifest asks for more than was found: ${more.map((name) => html`<code>${name}</code> `)}</p>`
}
