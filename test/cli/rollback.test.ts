import { describe, expect, test } from 'vitest'
import { chooseStep, pinned } from '../../src/cli/function-rollback.ts'
import type { FunctionStep } from '../../src/domain/fleet-function.ts'
import { parseFunction } from '../../src/domain/function.ts'
import { codeOf } from '../attest/craft.ts'

const step = (revision: number, versions: Record<string, string>): FunctionStep => ({
  revision,
  envelope: `revision ${revision}`,
  at: `2026-06-01T12:00:${String(revision).padStart(2, '0')}Z`,
  resolutions: Object.entries(versions).map(([use, version]) => ({ use, version })),
})
const chosen = (steps: FunctionStep[], toRevision?: number, removed = false): FunctionStep =>
  chooseStep(steps, { name: 'edge', toRevision, removed })

describe('the step that a rollback goes back to', () => {
  test('is the last one that ran other versions', () => {
    const steps = [
      step(4, { 'acme/limit@^1.0': '1.5.0' }),
      step(3, { 'acme/limit@^1.0': '1.5.0' }), // the same versions, other configuration
      step(2, { 'acme/limit@^1.0': '1.4.0' }),
      step(1, { 'acme/limit@^1.0': '1.3.0' }),
    ]
    expect(chosen(steps).revision).toBe(2)
  })

  test('may be of the same revision, whose range then resolved to an older release', () => {
    const steps = [step(1, { 'acme/limit@^1.0': '1.5.0' }), step(1, { 'acme/limit@^1.0': '1.4.0' })]
    expect(chosen(steps).resolutions[0]?.version).toBe('1.4.0')
  })

  test('is told by versions, not by how they were asked for', () => {
    const steps = [step(2, { 'acme/limit@1.4.0': '1.4.0' }), step(1, { 'acme/limit@^1.0': '1.4.0' })]
    expect(codeOf(() => chosen(steps))).toBe('not_found')
  })

  test('of a removed function is what ran last', () => {
    const steps = [step(2, { 'acme/limit@^1.0': '1.5.0' }), step(1, { 'acme/limit@^1.0': '1.4.0' })]
    expect(chosen(steps, undefined, true).revision).toBe(2)
    expect(chosen(steps, undefined, false).revision).toBe(1)
    expect(chosen(steps, 1, true).revision).toBe(1)
    expect(chosen(steps.slice(1), undefined, true).revision).toBe(1)
  })

  test('is the newest of a named revision', () => {
    const steps = [
      step(3, { 'acme/limit@^1.0': '1.6.0' }),
      step(2, { 'acme/limit@^1.0': '1.5.0' }),
      step(2, { 'acme/limit@^1.0': '1.4.0' }),
    ]
    expect(chosen(steps, 2).resolutions[0]?.version).toBe('1.5.0')
    expect(codeOf(() => chosen(steps, 7))).toBe('not_found')
  })

  test('does not exist without a past', () => {
    expect(codeOf(() => chosen([]))).toBe('not_found')
    expect(codeOf(() => chosen([step(1, { 'acme/limit@^1.0': '1.4.0' })]))).toBe('not_found')
    expect(codeOf(() => chosen([step(2, {}), step(1, {})], 1))).toBe('not_found')
  })
})

describe('pinning', () => {
  const spec = parseFunction(`kind: function
name: edge
selector: {}
interfaces: [eth0]
instances:
  - { use: acme/limit@^1.0, config: { rate: 7 } }
  - { use: acme/count@1.x, name: c }
`)

  test('puts the exact versions in place of the ranges and leaves the rest', () => {
    const at = step(1, { 'acme/limit@^1.0': '1.4.0', 'acme/count@1.x': '1.0.2' })
    expect(pinned(spec, at)).toEqual({
      ...spec,
      instances: [
        { use: 'acme/limit@1.4.0', config: { rate: 7 }, proceed: {} },
        { use: 'acme/count@1.0.2', name: 'c', config: {}, proceed: {} },
      ],
    })
  })

  test('refuses a version outside the range that was signed: the registry would choose what runs', () => {
    const at = step(1, { 'acme/limit@^1.0': '2.0.0', 'acme/count@1.x': '1.0.2' })
    expect(codeOf(() => pinned(spec, at))).toBe('outside_range')
  })

  test('refuses a step that leaves a range open', () => {
    expect(codeOf(() => pinned(spec, step(1, { 'acme/limit@^1.0': '1.4.0' })))).toBe('version_not_found')
  })
})
