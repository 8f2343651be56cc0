import type { Actor } from '../domain/account.ts'
import { assetUrl } from './assets.ts'
import { type Html, html } from './html.ts'
import { icon } from './icons.ts'
import type { Page } from './page.ts'

/** What surrounds a page. */
export interface Frame {
  readonly actor: Actor
  /** Path and query of the request. */
  readonly path: string
  /** The registry's address, without a path. */
  readonly base: string
}

/** A whole page: UTF-8 text of an HTML document. */
export function layout(page: Page, frame: Frame): string {
  const { title, description, main, feed, canonical, scripts = [], section } = page
  const address = frame.base + (canonical ?? frame.path.split('?', 1)[0])
  const about = description ?? 'Signed eBPF programs, chained on the network hooks of Linux hosts.'
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>${title} · Hookline</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="description" content="${about}">
<meta name="color-scheme" content="light dark">
<meta property="og:site_name" content="Hookline">
<meta property="og:type" content="website">
<meta property="og:title" content="${title}">
<meta property="og:description" content="${about}">
<meta property="og:url" content="${address}">
<link rel="canonical" href="${address}">
<link rel="icon" href="${assetUrl('icon.svg')}" type="image/svg+xml">
<link rel="preload" href="${assetUrl('text.woff2')}" as="font" type="font/woff2" crossorigin>
<link rel="stylesheet" href="${assetUrl('hookline.css')}">
${feed !== undefined && html`<link rel="alternate" type="application/atom+xml" title="${title}" href="${feed}">`}
<script type="module" src="${assetUrl('hookline.js')}"></script>
${scripts.map((name) => html`<script type="module" src="${assetUrl(name)}"></script>`)}
</head>
<body>
<a class="skip" href="#main">Skip to content</a>
${header(frame, section)}
<main id="main">
${main}
</main>
${footer()}
</body>
</html>
`.markup
}

function header({ actor, path }: Frame, section: Page['section']): Html {
  const signedIn = actor.kind === 'token' ? actor.account : undefined
  const fleet = signedIn !== undefined && (signedIn.fleet !== 'none' || signedIn.admin)
  const here = (name: Page['section']) => section === name && html` aria-current="true"`
  return html`<header class="top"><div class="wide">
<a class="brand" href="/">${icon('hookline')}<span>Hookline</span></a>
<form class="find" action="/search" role="search"><label class="unseen" for="find">Search programs</label>${icon('search')}<input id="find" name="q" type="search" placeholder="Search programs" autocomplete="off" spellcheck="false" maxlength="200"><kbd aria-hidden="true">/</kbd></form>
<nav aria-label="Site">
<a href="/search"${here('programs')}>Programs</a>
${fleet && html`<a href="/nodes"${here('fleet')}>Fleet</a>`}
<a href="/docs"${here('docs')}>Docs</a>
${
  signedIn === undefined
    ? html`<a class="enter" href="/sign-in?next=${encodeURIComponent(path)}">Sign in</a>`
    : html`<a class="enter" href="/me"${here('mine')}>${icon('person')}<bdi>${signedIn.name}</bdi></a>`
}
</nav>
</div></header>`
}

const footer = (): Html => html`<footer class="bottom"><div class="wide">
<p>The registry is not trusted: your nodes check every signature themselves.</p>
<nav aria-label="More"><a href="/docs">Docs</a><a href="/docs/api">API</a><a href="/log">Log</a><a href="/feeds/releases.atom">Feed</a><a href="/publish">Publish</a></nav>
</div></footer>`
