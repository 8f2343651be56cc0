import type { Services } from '../../http/services.ts'
import { html } from '../html.ts'
import { icon } from '../icons.ts'
import type { Page, Visit } from '../page.ts'
import type { Site } from '../site.ts'
import { fleetTabs, labelList } from './fleet-words.ts'
import { nodeFacts, nodePicture } from './node-picture.ts'

/** A node: what it is, what its kernel runs as a picture that follows it, and what went wrong. */
export function nodePage(site: Site, { nodeDesk }: Pick<Services, 'nodeDesk'>): void {
  site.get('/nodes/:id', 'fleet-read', async ({ params, now }: Visit): Promise<Page> => {
    const view = await nodeDesk.view(params['id'] ?? '')
    const { facts, id } = view
    return {
      title: facts.name,
      section: 'fleet',
      scripts: ['live.js'],
      main: html`<div class="wide fleet">
${fleetTabs('nodes')}
<header class="node-head"><h1>${icon('node')}<bdi>${facts.name}</bdi></h1><p class="follow" role="status" data-follow></p></header>
${Object.keys(facts.labels).length > 0 && labelList(facts.labels)}
<div class="picture" data-live="/nodes/${id}/live">
${nodePicture(view, now)}
</div>
<section aria-labelledby="about"><h2 id="about">About this node</h2>
${nodeFacts(view, now)}
<p class="quiet">On the node itself, without the registry: <code>hookline status --state /var/lib/hookline-agent</code></p>
</section>
</div>`,
    }
  })
}
