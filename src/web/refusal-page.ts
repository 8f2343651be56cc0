import type { Problem } from '../http/problem.ts'
import { html } from './html.ts'
import type { Page } from './page.ts'

/** A refusal to whoever looks: what happened, what to do, and where to go from here. */
export function refusalPage({ title, detail, remedy, code, status }: Problem): Page {
  return {
    title,
    main: html`<div class="wide narrow refusal">
<p class="status">${status}</p>
<h1>${title}</h1>
<p dir="auto">${detail}</p>
<p class="quiet">${remedy}. <code>${code}</code></p>
<form class="big-find" action="/search" role="search"><label class="unseen" for="q">Search programs</label><input id="q" name="q" type="search" placeholder="Search programs" maxlength="200"><button>Search</button></form>
<p><a href="/">Home</a> · <a href="/search">All programs</a> · <a href="/docs">Docs</a></p>
</div>`,
  }
}
