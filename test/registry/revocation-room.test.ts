import { describe, expect, test } from 'vitest'
import { LIMITS } from '../../src/domain/limits.ts'
import type { Digest } from '../../src/domain/names.ts'
import type { FleetSnapshot } from '../../src/ports/fleet.ts'
import { shareRoom } from '../../src/registry/revocation-room.ts'

type Told = FleetSnapshot['revocations'][number]

const digest = (text: string): Digest => `sha256:${text.padStart(64, '0')}`
/** `count` revocations by one, the newest first. */
const by = (who: { program?: string; operator?: Digest }, count: number, text = ''): Told[] =>
  Array.from({ length: count }, (_, at) => ({
    ...{ program: who.program, operator: who.operator },
    signed: { envelope: `${who.operator ?? who.program} ${at}${text}` },
  }))
const envelopes = (told: readonly Told[]): string[] => told.map(({ signed }) => signed.envelope)

describe('the room for revocations', () => {
  const all = LIMITS.desired_revocations
  test('is all for whoever is alone, the newest first', () => {
    const many = by({ program: 'acme/limit' }, all + 1)
    expect(shareRoom(many)).toEqual(many.slice(0, all))
  })
  test('is shared: one program’s publishers leave untold only what is their own', () => {
    const [flood, victim] = [by({ program: 'other/noise' }, 2 * all), by({ program: 'acme/limit' }, 3)]
    const told = shareRoom([...flood, ...victim])
    expect(told).toHaveLength(all)
    expect(envelopes(told)).toEqual(expect.arrayContaining(envelopes(victim)))
    expect(envelopes(told)).toEqual(expect.arrayContaining(envelopes(flood.slice(0, all - 3))))
  })
  test('is no program’s publishers’ to take from an operator, nor one operator’s from another', () => {
    const [one, other] = [digest('1'), digest('2')]
    const few = [
      ...by({ program: 'acme/limit', operator: one }, 1),
      ...by({ operator: one }, 1, ' of a file'),
    ]
    const floods = [
      ...by({ program: 'acme/limit' }, all),
      ...by({ program: 'acme/limit', operator: other }, all),
    ]
    expect(envelopes(shareRoom([...floods, ...few]))).toEqual(expect.arrayContaining(envelopes(few)))
  })
  test('is bounded in bytes, too', () => {
    const large = by({ program: 'other/noise' }, all, 'x'.repeat(LIMITS.revocation_bytes - 100))
    const told = shareRoom([...large, ...by({ program: 'acme/limit' }, 1)])
    expect(Buffer.byteLength(envelopes(told).join(''))).toBeLessThanOrEqual(LIMITS.desired_revocations_bytes)
    expect(envelopes(told)).toContain('acme/limit 0')
  })
})
