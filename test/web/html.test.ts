import { expect, test } from 'vitest'
import { escapeHtml, html, trusted } from '../../src/web/html.ts'

test.each([
  ['markup', '<b>', '&lt;b&gt;'],
  ['an end of an attribute', `"x" 'y'`, '&quot;x&quot; &#39;y&#39;'],
  ['an entity', '&lt;', '&amp;lt;'],
  ['a change of direction', 'a\u202Eb', 'a⟨U+202E⟩b'],
  ['nothing to see', 'a\u200Bb\uFEFF', 'a⟨U+200B⟩b⟨U+FEFF⟩'],
  ['a control character', 'a\0b\x1b[1m', 'a⟨U+0000⟩b⟨U+001B⟩[1m'],
  ['plain text in any script', 'Grüße, שלום, 你好', 'Grüße, שלום, 你好'],
])('%s is text', (_what, text, escaped) => {
  expect(escapeHtml(text)).toBe(escaped)
  expect(html`<p title="${text}">${text}</p>`.markup).toBe(`<p title="${escaped}">${escaped}</p>`)
})

test('what is filled in is escaped wherever it stands, once', () => {
  const inner = html`<i>${'<'}</i>`
  expect(html`<p>${inner}${['<', inner, 7]}</p>`.markup).toBe('<p><i>&lt;</i>&lt;<i>&lt;</i>7</p>')
})

test('nothing is made of what is not there, but of zero and of no text', () => {
  expect(html`<p>${undefined}${false}${[]}${0}${''}</p>`.markup).toBe('<p>0</p>')
})

test('only what somebody vouches for is markup', () => {
  expect(html`${trusted('<b>')}`.markup).toBe('<b>')
  const lookalike = { markup: '<b>', toString: () => '<b>' } as unknown as string
  expect(() => html`${[lookalike]}`).toThrow(TypeError)
})
