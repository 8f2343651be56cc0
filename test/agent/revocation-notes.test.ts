import { describe, expect, test } from 'vitest'
import { joinNotes, matters, noteKey, scopeOf } from '../../src/agent/revocation-notes.ts'
import type { RevocationNote } from '../../src/domain/kept-log.ts'
import type { Digest } from '../../src/domain/names.ts'
import { parseTrustPolicy } from '../../src/domain/trust-policy.ts'

const digestOf = (n: number): Digest => `sha256:${n.toString(16).padStart(64, '0')}`
const noteOf = (program: string, n: number): RevocationNote => ({
  revoked: { kind: 'release', program, version: `1.0.${n}` },
  envelope: digestOf(n),
})
const ofFile = (n: number): RevocationNote => ({
  revoked: { kind: 'file', digest: digestOf(n) },
  envelope: digestOf(n),
})
const policyOf = (...patterns: string[]) =>
  parseTrustPolicy(
    `programs: [${patterns.map((match) => `{ match: "${match}", signers: [{ key: "${digestOf(1)}" }] }`).join(', ')}]`,
  )
const joined = (before: RevocationNote[], later: RevocationNote[], most: number) =>
  joinNotes({ notes: before, leftOut: 0 }, later, most)

describe('a note matters to a policy', () => {
  test.each([
    ['of a program that it has a rule for', noteOf('acme/limit', 1), true],
    ['of one that a pattern means', noteOf('other/begin-x', 1), true],
    ['of one that it says nothing of', noteOf('other/limit', 1), false],
    ['of a file, which may be part of any', ofFile(1), true],
  ])('%s', (_, note, does) => {
    expect(matters(note, policyOf('acme/limit', 'other/begin*'))).toBe(does)
  })
  test('by the programs alone, in whatever order it names them', () => {
    const [policy, same] = [policyOf('acme/*', 'other/*'), policyOf('other/*', 'acme/*')]
    expect(scopeOf(policy)).toBe(scopeOf(same))
    expect(scopeOf({ programs: policy.programs.map((rule) => ({ ...rule, minAge: '1h' })) })).toBe(
      scopeOf(policy),
    )
    expect(scopeOf(policyOf('acme/*'))).not.toBe(scopeOf(policy))
  })
})

describe('notes', () => {
  test('are kept once, as they were marked', () => {
    const marked = { ...noteOf('acme/limit', 1), ignored: digestOf(9) }
    const untrue = { ...noteOf('acme/limit', 2), envelope: digestOf(1) }
    const later = [noteOf('acme/limit', 1), untrue, untrue]
    expect(joined([marked], later, 2)).toEqual({ notes: [marked, untrue], leftOut: 0 })
    expect(noteKey(marked)).not.toBe(noteKey(untrue))
  })
  test('of somebody who floods the log crowd out his own', () => {
    const [acme, file] = [noteOf('acme/limit', 1), ofFile(2)]
    const flood = Array.from({ length: 100 }, (_, n) => noteOf(`flood/p${n % 7}`, n))
    const kept = joined([acme, file], flood, 10)
    expect(kept.notes).toEqual([acme, file, ...flood.slice(-8)])
    expect(kept.leftOut).toBe(92)
    const more = joinNotes(kept, [noteOf('acme/limit', 3)], 10)
    expect(more.notes).toEqual([acme, file, ...flood.slice(-7), noteOf('acme/limit', 3)])
    expect(more.leftOut).toBe(93)
  })
})
