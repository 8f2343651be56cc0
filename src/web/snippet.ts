import { type Html, html } from './html.ts'

/** Text to copy: a command, or a file; `label` says what it is to whoever does not see it. */
export const snippet = (text: string, label?: string): Html =>
  html`<div class="snippet" data-copy><pre tabindex="0"${label !== undefined && html` role="region" aria-label="${label}"`}><code>${text}</code></pre></div>`

/** A value that is shown in short and copied whole, such as a digest. */
export const copied = (whole: string, shown: string): Html =>
  html`<span class="copied" data-copy="${whole}"><code title="${whole}">${shown}</code></span>`
