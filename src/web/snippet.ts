import { type Html, html } from './html.ts'

/** Text to copy: a command, or a file; `label` says what it is to whoever does not see it. */
export const snippet = (text: string, label?: string): Html =>
  html`<div class="snippet" data-copy><pre tabindex="0"${label !== undefined && html` role="region" aria-label="${label}"`}><code>${text}</code></pre></div>`

/** A value that is shown in short and copied whole, such as a digest. */
export const copied = (whole: string, shown: string): Html =>
  html`<span class="copied" data-copy="${whole}"><code title="${whole}">${shown}</code></span>`

/**
 * A word of a POSIX shell's command: what a stranger chose is in single quotes, in which nothing has a meaning but the quote itself
 * (POSIX.1-2024, Shell Command Language, section 2.2.2).
 */
export const shellWord = (text: string): string =>
  /^[A-Za-z0-9_./:@^-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`
