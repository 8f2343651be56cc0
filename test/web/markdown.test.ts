import { describe, expect, test } from 'vitest'
import { renderDocument, renderReadme } from '../../src/web/markdown.ts'
import { DEEP_README, HOSTILE_README, LARGE_README, TABLE_README } from './browser/hostile-text.ts'

/** What rendering even the worst text may take of a processor, whatever else the machine does. */
const RENDERED_CPU_MS = 1500
/** As much of a README as its page shows. */
const SHOWN_CHARS = 128 << 10

const readme = (text: string): string => renderReadme(text).markup

/** Names of all elements of a markup. */
const elements = (markup: string): string[] => [
  ...new Set([...markup.matchAll(/<([a-z][a-z0-9]*)[\s>]/gi)].map(([, name = '']) => name.toLowerCase())),
]

describe('a link of a README', () => {
  test.each([
    'javascript:alert(1)',
    'JaVaScRiPt:alert(1)',
    'java&#x09;script:alert(1)',
    '&#106;avascript:alert(1)',
    'javascript&colon;alert(1)',
    '\u0001javascript:alert(1)',
    'data:text/html;base64,PHNjcmlwdD4=',
    'vbscript:msgbox',
    'file:///etc/passwd',
    'blob:http://x/y',
    'view-source:http://x/',
    '//203.0.113.9/',
    '/me/tokens',
    '../relative',
    '?q=x',
  ])('leads nowhere: %s', (address) => {
    const markup = readme(`[text](<${address}>) [again][r]\n\n[r]: <${address}>`)
    expect(markup).not.toContain('<a')
    expect(markup).toContain('text')
  })

  test.each([
    ['https://example.org/a?b=c&d', 'https://example.org/a?b=c&amp;d'],
    ['HTTP://example.org', 'HTTP://example.org'],
    ['mailto:ada@example.org', 'mailto:ada@example.org'],
    ['http://x/"onmouseover="alert(1)', 'http://x/%22onmouseover=%22alert(1)'],
  ])('leads to the web or to mail, with nothing said of where from: %s', (address, href) => {
    expect(readme(`[text](<${address}>)`)).toBe(
      `<p><a href="${href}" rel="nofollow ugc noopener noreferrer">text</a></p>\n`,
    )
  })

  test('leads to a place of the text itself, which is never one of the page', () => {
    expect(readme('# Main\n\n[to](#main)')).toBe(
      '<h3 id="text-main">Main</h3>\n<p><a href="#text-main">to</a></p>\n',
    )
  })

  test('has no title, whatever is written there', () => {
    expect(readme('[a](http://x/ "\\"onmouseover=alert(1)//")')).not.toContain('title')
  })
})

describe('a picture of a README', () => {
  test('is a link: what loads it would tell others who looks', () => {
    expect(readme('![chart](https://example.org/a.png)')).toBe(
      '<p><a href="https://example.org/a.png" rel="nofollow ugc noopener noreferrer">chart</a></p>\n',
    )
  })

  test.each(['data:image/svg+xml,%3Csvg/onload=alert(1)%3E', 'javascript:alert(1)', 'local.png'])(
    'is its words alone: %s',
    (address) => {
      expect(readme(`![chart](<${address}>)`)).toBe('<p>chart</p>\n')
    },
  )

  test('within a link is the words of that link', () => {
    expect(readme('[![build](https://example.org/a.svg)](https://example.org/ci)')).toBe(
      '<p><a href="https://example.org/ci" rel="nofollow ugc noopener noreferrer">build</a></p>\n',
    )
    expect(readme('[![build](https://example.org/a.svg)](javascript:1)')).toContain(
      'href="https://example.org/a.svg"',
    )
  })
})

describe('headings of a README', () => {
  test('are two levels lower, and none is above or below what there is', () => {
    const markup = readme('# one\n## two\n###### six')
    expect(elements(markup)).toEqual(['h3', 'h4', 'h6'])
  })

  test('have anchors of their own, also when one is called like the number of another', () => {
    const ids = [...readme('# a\n# a\n# a-1\n# !\n# ?').matchAll(/id="([^"]*)"/g)].map(([, id]) => id)
    expect(new Set(ids).size).toBe(5)
    expect(ids[0]).toBe('text-a')
  })
})

test('markup in a README is text, whatever it is', () => {
  const markup = readme(HOSTILE_README)
  const allowed = [
    'h3',
    'h4',
    'p',
    'a',
    'em',
    'strong',
    'code',
    'pre',
    'div',
    'table',
    'thead',
    'tbody',
    'tr',
    'th',
    'td',
  ]
  expect(
    elements(markup).filter(
      (name) => ![...allowed, 'br', 'ul', 'ol', 'li', 'blockquote', 'hr'].includes(name),
    ),
  ).toEqual([])
  const tags = [...markup.matchAll(/<[a-z][^>]*>/gi)].map(([tag]) => tag)
  expect(tags.filter((tag) => /\son\w+=|style=|srcdoc=/i.test(tag.replace(/"[^"]*"/g, '""')))).toEqual([])
  expect(tags.filter((tag) => /href="(?!https?:|mailto:|#text-)/i.test(tag))).toEqual([])
  expect(markup).toContain('&lt;script&gt;')
  expect(markup).not.toMatch(/[\u202a-\u202e\u2066-\u2069\u200b\ufeff]/)
})

test('tables and code scroll by themselves, by keyboard too', () => {
  expect(readme('| a |\n|---|\n| b |')).toMatch(
    /^<div class="scroll" tabindex="0" role="region" aria-label="[^"]+"><table>/,
  )
  expect(readme('```js"onclick="x\n<b>\n```')).toBe('<pre tabindex="0"><code>&lt;b&gt;\n</code></pre>\n')
})

test.each([
  ['large', LARGE_README],
  ['table', TABLE_README],
  ['deep', DEEP_README],
  ['brackets', '['.repeat(100_000)],
  ['stars', '*a '.repeat(200_000)],
  ['ticks', Array.from({ length: 800 }, (_, at) => '`'.repeat(at)).join(' ')],
  ['references', `${'[a]: /x\n'.repeat(20_000)}${'[a] '.repeat(20_000)}`],
  ['quotes', `${'>'.repeat(50_000)} x`],
  ['rules', `${'- '.repeat(50_000)}x`],
  ['entities', '&#'.repeat(200_000)],
  ['angles', '<a '.repeat(100_000)],
])('a %s text takes its time and no more', (_name, text) => {
  const start = process.cpuUsage()
  expect(readme(`${text.slice(0, SHOWN_CHARS)}\n\nend`)).toContain('end')
  const { user, system } = process.cpuUsage(start)
  expect((user + system) / 1000).toBeLessThan(RENDERED_CPU_MS)
})

test('documents of the registry itself lead where they are told to', () => {
  const target = (address: string): string | undefined => (address === 'a.md' ? '/docs/a' : undefined)
  const { markup } = renderDocument('# A\n\n[a](a.md) [b](b.md)', target)
  expect(markup).toBe('<h1 id="a">A</h1>\n<p><a href="/docs/a">a</a> b</p>\n')
})
