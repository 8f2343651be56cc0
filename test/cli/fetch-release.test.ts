import { expect, test } from 'vitest'
import { offeredBy } from '../../src/cli/fetch-release.ts'
import type { ProgramView } from '../../src/domain/release.ts'
import { newestOffered } from '../../src/domain/resolution.ts'

const standing = (version: string, marks: object = {}): ProgramView['versions'][number] => ({
  ...{ version, publishedAt: '2026-01-01T00:00:00.000Z', signer: `sha256:${'5f'.repeat(32)}`, ...marks },
})
const view = (versions: ProgramView['versions'], marks: object = {}): ProgramView => ({
  ...{ program: 'acme/limit', summary: 'Limits', versions, channels: {}, ...marks },
})

test.each(['revoked', 'quarantined'])('a range leaves out what is %s, as at the registry', (mark) => {
  const offered = offeredBy(view([standing('1.1.0', { [mark]: 'bad' }), standing('1.0.0')]))
  expect(offered).toEqual([{ version: '1.0.0', yanked: false }])
  expect(newestOffered(offered, '1.1.0')).toBe(undefined)
})
test('what is yanked or deprecated is offered, the yanked last', () => {
  const versions = [standing('1.1.0', { yanked: 'old' }), standing('1.0.0', { deprecated: 'old' })]
  const offered = offeredBy(view(versions))
  expect([newestOffered(offered, '^1.0'), newestOffered(offered, '1.1.0')]).toEqual(['1.0.0', '1.1.0'])
})
test('of a program in quarantine nothing is offered', () => {
  expect(offeredBy(view([standing('1.0.0')], { quarantined: 'bad' }))).toEqual([])
})
