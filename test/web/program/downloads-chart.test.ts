import { expect, test } from 'vitest'
import { downloadsChart, lastDays } from '../../../src/web/program/downloads-chart.ts'

const now = new Date('2026-03-31T01:00:00Z')
const day = (iso: string, count: number) => ({ day: iso, count })

test('days without downloads are there, older ones are not', () => {
  const days = lastDays(
    { total: 9, days: [day('2026-03-31', 4), day('2026-01-01', 3), day('2025-12-31', 2)] },
    now,
  )
  expect(days).toHaveLength(90)
  expect([days[0], days[1], days.at(-1)]).toEqual([
    ...[day('2026-01-01', 3), day('2026-01-02', 0), day('2026-03-31', 4)],
  ])
})

test('a chart has a bar for each day with downloads, and says the same in words and as a table', () => {
  const { markup } = downloadsChart({ total: 1234, days: [day('2026-03-31', 4), day('2026-03-30', 2)] }, now)
  expect(markup.match(/<rect /g)).toHaveLength(2)
  expect(markup).toContain('<title>2026-03-31: 4</title>')
  expect(markup).toContain('at most 4 a day')
  expect(markup).toContain('1\u202f234 downloads in all, 6 in the last 90 days')
  expect(markup).toContain('<td>2026-03-30</td><td class="number">2</td>')
})

test('without downloads there is no chart, only words', () => {
  const { markup } = downloadsChart({ total: 7, days: [day('2025-01-01', 7)] }, now)
  expect(markup).toContain('7 downloads in all, 0 in the last 90 days')
  expect(markup).not.toContain('<svg')
})
