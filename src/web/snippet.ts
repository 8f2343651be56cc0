import { type Html, html } from './html.ts'

/** Text to copy, such as a command; `label` says what it is to whoever does not see it. */
export const snippet = (text: string, label: string): Html =>
  html`<div class="snippet" data-copy><pre tabindex="0" role="region" aria-label="${label}"><code>${text}</code></pre></div>`
