import { visible } from './text.ts'

/** Markup that is safe to send: made by {@link html}, which escapes, or by what vouches for its own, {@link trusted}. */
export class Html {
  readonly markup: string
  constructor(markup: string) {
    this.markup = markup
  }
  toString(): string {
    return this.markup
  }
}

/** What stands in markup: text and numbers are escaped, lists are joined, nothing is made of `undefined` and `false`. */
export type Content = Html | string | number | undefined | false | readonly Content[]

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

/**
 * Text for markup and for attributes in quotes (HTML Living Standard, section 13.3), with characters that steer rather
 * than show made visible: a name must not reorder what stands beside it.
 */
export const escapeHtml = (text: string): string =>
  visible(text).replace(/[&<>"']/g, (character) => ESCAPES[character] ?? character)

function markupOf(content: Content): string {
  if (content === undefined || content === false) return ''
  if (content instanceof Html) return content.markup
  if (typeof content === 'object') return content.map(markupOf).join('')
  return escapeHtml(String(content))
}

/** Markup of a template: what is filled in is escaped unless it is markup itself. Attributes must be in quotes. */
export const html = (parts: TemplateStringsArray, ...contents: readonly Content[]): Html =>
  new Html(parts.map((part, at) => part + markupOf(contents[at])).join(''))

/** Markup that is safe for another reason than escaping; whoever calls this says why. */
export const trusted = (markup: string): Html => new Html(markup)
