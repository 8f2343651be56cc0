import { expect, test } from 'vitest'
import { LIMITS } from '../../src/domain/limits.ts'
import { rememberNonces } from '../../src/registry/nonces.ts'

const START = Date.parse('2026-01-01T00:00:00Z')
function desk() {
  let time = START
  const nonces = rememberNonces(() => new Date(time))
  return {
    pass: (seconds: number) => {
      time += seconds * 1000
    },
    use: (nonce: string, keyId = 'node', created = new Date(time)) => nonces.use({ keyId, nonce, created }),
  }
}
const refused = expect.objectContaining({ code: 'node_unauthenticated' })

test('a nonce counts once for each key', () => {
  const { use } = desk()
  use('a')
  use('b')
  use('a', 'other node')
  expect(() => use('a')).toThrow(refused)
})
test.each([0, 1, 60, 119, 121, 239])(
  'it is remembered as long as its signature is accepted: first use after %s s',
  (wait_s) => {
    const { use, pass } = desk()
    pass(wait_s)
    use('a')
    for (let s = 0; s < 2 * LIMITS.signature_skew_s; s += 10) {
      pass(10)
      use(`b${s}`) // others come meanwhile
      expect(() => use('a')).toThrow(refused)
    }
  },
)
test('one that was only looked at is not remembered, one that counted is seen', () => {
  const nonces = rememberNonces(() => new Date(START))
  const request = { keyId: 'node', nonce: 'a', created: new Date(START) }
  nonces.requireUnseen(request)
  nonces.requireUnseen(request)
  nonces.use(request)
  expect(() => nonces.requireUnseen(request)).toThrow(refused)
})
test('it is forgotten at last, so that memory stays bounded', () => {
  const { use, pass } = desk()
  use('a')
  pass(4 * LIMITS.signature_skew_s)
  expect(() => use('a')).not.toThrow()
})
test('a request signed before the start could have been seen then, and is refused', () => {
  const { use } = desk()
  expect(() => use('a', 'node', new Date(START - 1000))).toThrow(refused)
  expect(() => use('a', 'node', new Date(START))).not.toThrow()
})
