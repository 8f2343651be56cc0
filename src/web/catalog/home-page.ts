import type { Hook } from '../../domain/hook.ts'
import { SearchRequest } from '../../domain/search.ts'
import type { Services } from '../../http/services.ts'
import { readableBy } from '../../registry/access.ts'
import { html } from '../html.ts'
import { type IconName, icon } from '../icons.ts'
import type { Page, Visit } from '../page.ts'
import type { Site } from '../site.ts'
import { counted } from '../text.ts'
import { packetPath } from './packet-path.ts'
import { programList } from './program-list.ts'

/** Jobs that people have for programs, and the words by which programs for them are found. */
const JOBS: readonly { icon: IconName; name: string; what: string; q: string }[] = [
  {
    icon: 'firewall',
    name: 'Firewall',
    what: 'let through what should pass, and nothing else',
    q: 'firewall',
  },
  {
    icon: 'protect',
    name: 'Protect',
    what: 'drop floods before the host spends anything on them',
    q: 'ddos',
  },
  { icon: 'balance', name: 'Balance', what: 'spread connections over machines', q: 'load balancing' },
  { icon: 'observe', name: 'Observe', what: 'count and sample what is on the wire', q: 'observability' },
]

/** How many programs a list of the home page has. */
const SHOWN = 6

/** The page that people begin at: search, what is there by hook and by job, what is new and what is used most. */
export function homePage(site: Site, { search }: Pick<Services, 'search'>): void {
  const show = async ({ actor, now }: Visit): Promise<Page> => {
    const readable = readableBy(actor)
    const find = (sort: 'recent' | 'downloads') =>
      search.find(SearchRequest.parse({ sort, limit: SHOWN }), readable)
    const [recent, used] = await Promise.all([find('recent'), find('downloads')])
    const count = (hook: Hook): number => recent.facets.hook.find(({ value }) => value === hook)?.count ?? 0
    return {
      title: 'Signed eBPF programs for the network hooks of your hosts',
      feed: '/feeds/releases.atom',
      canonical: '/',
      main: html`<section class="hero"><div class="wide">
<h1>Programs for the packet’s way through your hosts</h1>
<p class="lead">Signed by who wrote them, ordered by who runs your nodes, chained on the kernel’s network hooks at half a nanosecond a hop.</p>
<form class="big-find" action="/search" role="search"><label class="unseen" for="home-find">What should happen to your packets?</label>${icon('search')}<input id="home-find" name="q" type="search" placeholder="What should happen to your packets?" maxlength="200" autocomplete="off" spellcheck="false"><button>Search</button></form>
${packetPath(['xdp', 'tc-ingress', 'tc-egress'], (hook) => html`<a href="/search?hook=${hook}">${counted(count(hook), 'program')}</a>`)}
</div></section>
<section class="wide" aria-labelledby="jobs"><h2 id="jobs">By the job to do</h2>
<ul class="jobs">${JOBS.map(
        (job) =>
          html`<li><a href="/search?q=${encodeURIComponent(job.q)}">${icon(job.icon)}<b>${job.name}</b><span>${job.what}</span></a></li>`,
      )}</ul></section>
<div class="wide columns">
<section aria-labelledby="new"><h2 id="new">New</h2>${programList(recent.programs, now)}<p class="more"><a href="/search?sort=recent">All by date</a></p></section>
<section aria-labelledby="used"><h2 id="used">Used most</h2>${programList(used.programs, now)}<p class="more"><a href="/search?sort=downloads">All by downloads</a></p></section>
</div>`,
    }
  }
  site.get('/', 'anyone', show)
}
