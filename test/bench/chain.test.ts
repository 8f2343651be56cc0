import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { FORMS, type Form, Workshop } from '../../bench/chain/forms.ts'
import { measure, median } from '../../bench/chain/measure.ts'
import { plotOf } from '../../bench/chain/plot.ts'
import { type Figures, floorsOf, LENGTHS, nsPerHop, type Totals, tablesOf } from '../../bench/chain/report.ts'
import { loadXdpProgram } from '../../src/kernel/bpf-program.ts'
import { ensureBpffs, removeIfEmpty, removeTree } from '../../src/kernel/bpffs.ts'
import { describeAsRoot } from '../support/needs-root.ts'

/** So many nanoseconds a program in each form. */
const steep = (ns: Partial<Record<Form, number>>): Totals =>
  Object.fromEntries(
    FORMS.map((form) => [form, LENGTHS.map((length) => 20 + length * (ns[form] ?? 5))]),
  ) as Record<Form, number[]>
const figures = (totals: Totals): Figures => ({ totals, mixtures: {}, coldBuildMs: 400, changeMs: 200 })

describe('figures', () => {
  test('a hop is what one program more costs', () => {
    const totals = steep({ fused: 0.5, wrap: 20 })
    expect([nsPerHop(totals, 'fused'), nsPerHop(totals, 'wrap')]).toEqual([0.5, 20])
    expect(tablesOf(figures(totals))).toMatch(/^\| fused +\| +21 \|.* 0\.50 \|$/m)
  })
  test('a floor that is missed is said to be', () => {
    const said = (totals: Totals): string[] =>
      floorsOf(figures(totals)).map((line) => line.split(' ')[0] ?? '')
    expect(said(steep({ fused: 0.5 }))).toEqual(['holds', 'holds', 'holds', 'MISSED'])
    expect(said(steep({ fused: 1.5 }))).toEqual(['MISSED', 'MISSED', 'holds', 'MISSED'])
  })
  test('the median is the middle, and nothing has none', () => {
    expect([median([9, 1, 5]), median([4, 1, 3, 2])]).toEqual([5, 2.5])
    expect(() => median([])).toThrow()
  })
  test('the drawing has a line for each form, inside of its frame', () => {
    const drawing = plotOf(steep({ wrap: 23 }))
    const lines = [...drawing.matchAll(/<polyline points="([^"]+)"/g)].map((match) => match[1] ?? '')
    expect(lines).toHaveLength(FORMS.length)
    for (const point of lines.flatMap((way) => way.split(' '))) {
      const [x = Number.NaN, y = Number.NaN] = point.split(',').map(Number)
      expect(x).toSatisfy((value: number) => value > 0 && value < 776)
      expect(y).toSatisfy((value: number) => value > 0 && value < 440)
    }
  })
})

describeAsRoot('the forms that are measured', () => {
  const BPFFS = '/sys/fs/bpf'
  const folder = join(BPFFS, 'hookline', `test-${process.pid}-bench`)
  beforeAll(() => ensureBpffs(BPFFS))
  afterAll(() => {
    removeTree(folder)
    removeIfEmpty(join(BPFFS, 'hookline'))
  })

  test.each(FORMS)('%s loads, lets the packet pass and takes some time', async (form) => {
    const chain = await new Workshop(folder).load(form, [
      'counter',
      'limiter',
      'balancer',
      'opaque',
      'tiny',
      'tiny',
    ])
    expect(measure([chain], 1).get(chain)).toBeGreaterThan(0)
    chain.close()
  })
  test('a chain that ends before its end is not measured', () => {
    const DROP = Buffer.from('b7000000010000009500000000000000', 'hex') // r0 = 1; exit
    using program = loadXdpProgram({ name: 'drop', code: DROP, license: 'GPL', flags: 0 })
    expect(() => measure([{ program }], 1)).toThrow(/gives verdict 1/)
  })
})
