import { expect, test } from 'vitest'
import { reportLine } from '../../src/bin/report-line.ts'
import { DomainError } from '../../src/domain/errors.ts'

test('what is foreseen is one line with its code, whatever it quotes', () => {
  const error = new DomainError('delivery_failed', 'witness w1: 500 \u001b[2Jgone\n', {
    cause: new Error('x'),
  })
  expect(reportLine(error, 'keeping the log’s checkpoints')).toBe(
    'hookline: keeping the log’s checkpoints: witness w1: 500 \\u{1b}[2Jgone\\u{a} [delivery_failed]',
  )
})
test.each([new DomainError('internal', 'odd'), new TypeError('odd')])(
  'what nobody foresaw keeps its stack: %s',
  (error) => {
    expect(reportLine(error, 'GET /')).toMatch(/^hookline: GET \/: .*odd\n +at .*report-line\.test\.ts/s)
  },
)
