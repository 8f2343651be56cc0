import markdownIt, { type MarkdownIt, type StateBlock } from 'markdown-it'
import { type Html, trusted } from './html.ts'
import { visible } from './text.ts'

/** How the links of a text are meant. */
interface Links {
  /** Where an address leads; undefined: nowhere, its text is shown alone. */
  target(address: string): string | undefined
  /** Whether who wrote them is a stranger to whoever runs the registry. */
  readonly foreign: boolean
}

/** Of a README: other places of the web, mail, and places of the text itself. */
const FOREIGN: Links = {
  target: (address) =>
    /^(https?:\/\/|mailto:)/i.test(address)
      ? address
      : /^#[\w-]+$/.test(address)
        ? `#text-${address.slice(1).toLowerCase()}`
        : undefined,
  foreign: true,
}

/**
 * Markdown of strangers as markup: CommonMark with tables. Markup in it is shown as text; links lead to the web, to mail or
 * within the text, with nothing said of where they came from; pictures are links, since what loads them would tell others who
 * looks. Headings are two levels lower, and their anchors begin with `text-`: nothing in it takes the place of the page's own.
 */
export const renderReadme = (text: string): Html => render(text, FOREIGN)

/** The same for the registry's own documents, whose links go to each other, and whose pictures are shown. */
export const renderDocument = (text: string, target: Links['target']): Html =>
  render(text, { target, foreign: false })

function render(text: string, links: Links): Html {
  // html is off: what looks like markup is escaped; the renderer escapes all else
  return trusted(parser(links).render(visible(text)))
}

function parser(links: Links): MarkdownIt {
  const markdown = markdownIt({ html: false, linkify: false, breaks: false })
  markdown.block.ruler.before('blockquote', 'deep', deepAsText, {
    alt: ['paragraph', 'reference', 'blockquote', 'list'],
  })
  const { rules } = markdown.renderer
  // which links there are is decided below, where their text can be kept
  markdown.validateLink = () => true
  const open: boolean[] = []
  rules['link_open'] = (tokens, at, options, _env, self) => {
    const token = tokens[at]
    const target = links.target(String(token?.attrGet('href') ?? ''))
    open.push(target !== undefined)
    if (token === undefined || target === undefined) return ''
    token.attrs = [['href', target]]
    if (links.foreign && !target.startsWith('#')) token.attrSet('rel', 'nofollow ugc noopener noreferrer')
    return self.renderToken(tokens, at, options)
  }
  rules['link_close'] = () => (open.pop() === true ? '</a>' : '')
  rules['image'] = (tokens, at) => {
    const token = tokens[at]
    const target = links.target(String(token?.attrGet('src') ?? ''))
    const text = markdown.utils.escapeHtml(token?.content || 'picture')
    // in a link it is that link's words: one within another is none
    if (open.includes(true)) return text
    // pictures of pages come with the repository, not with the package
    if (!links.foreign && target === undefined) return ''
    if (!links.foreign && target?.startsWith('/') === true) return `<img src="${target}" alt="${text}">`
    return target === undefined
      ? text
      : `<a href="${markdown.utils.escapeHtml(target)}" rel="nofollow ugc noopener noreferrer">${text}</a>`
  }
  const lower = (tag: string): string => `h${Math.min(6, Number(tag.slice(1)) + (links.foreign ? 2 : 0))}`
  const seen = new Map<string, number>()
  rules['heading_open'] = (tokens, at) => {
    const id = anchorOf(tokens[at + 1]?.content ?? '', seen)
    return `<${lower(tokens[at]?.tag ?? 'h6')} id="${links.foreign ? 'text-' : ''}${id}">`
  }
  rules['heading_close'] = (tokens, at) => `</${lower(tokens[at]?.tag ?? 'h6')}>\n`
  // wide tables and code scroll by themselves, by keyboard too
  let tables = 0
  rules['table_open'] = () =>
    `<div class="scroll" tabindex="0" role="region" aria-label="Table ${++tables}"><table>`
  rules['table_close'] = () => '</table></div>'
  // alignment by class, since styles may not stand in a page; a heading that says nothing is none to a screen reader
  const cell = (tag: string, style: unknown): string =>
    String(style ?? '').includes('right') ? `<${tag} class="number">` : `<${tag}>`
  rules['td_open'] = (tokens, at) => cell('td', tokens[at]?.attrGet('style'))
  rules['th_open'] = (tokens, at) =>
    cell(tokens[at + 1]?.content === '' ? 'td' : 'th', tokens[at]?.attrGet('style'))
  rules['th_close'] = (tokens, at) => (tokens[at - 1]?.content === '' ? '</td>' : '</th>')
  const code = (text: string): string =>
    `<pre tabindex="0"><code>${markdown.utils.escapeHtml(text)}</code></pre>\n`
  rules['fence'] = (tokens, at) => code(tokens[at]?.content ?? '')
  rules['code_block'] = (tokens, at) => code(tokens[at]?.content ?? '')
  return markdown
}

/** Lists and quotes within each other: each list counts twice, with its item. */
const DEEPEST = 16
const MARKER = /^(?:[-+*>]|\d{1,9}[.)])(?:\s|$|>)/

/**
 * A list or quote that is too deep is shown as text: the parser itself leaves out what follows one, to the end. A rule of
 * markdown-it's block parser.
 */
function deepAsText(state: StateBlock, line: number, _end: number, silent: boolean): boolean {
  if (state.level < DEEPEST) return false
  const start = (state.bMarks[line] ?? 0) + (state.tShift[line] ?? 0)
  const end = state.eMarks[line] ?? start
  if (!MARKER.test(state.src.slice(start, Math.min(end, start + 12)))) return false
  if (silent) return true
  state.push('paragraph_open', 'p', 1).map = [line, line + 1]
  const text = state.push('inline', '', 0)
  text.content = state.src.slice(start, end).trim()
  text.map = [line, line + 1]
  text.children = []
  state.push('paragraph_close', 'p', -1)
  state.line = line + 1
  return true
}

/** The anchor of a heading as code hosts make it: words by hyphens, numbered when it comes again. */
export function anchorOf(heading: string, seen: Map<string, number>): string {
  const words = heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]+/gu, '')
    .trim()
    .replace(/\s+/g, '-')
  let times = seen.get(words) ?? 0
  // a heading may be called like the number of another
  while (times > 0 && seen.has(`${words}-${times}`)) times++
  seen.set(words, times + 1)
  const anchor = times === 0 ? words : `${words}-${times}`
  if (times > 0) seen.set(anchor, 1)
  return anchor
}
