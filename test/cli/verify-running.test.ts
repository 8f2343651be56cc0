import { expect, test } from 'vitest'
import { showRunning } from '../../src/cli/verify-running.ts'
import type { RunningChain, RunningEntry, VerifiedNode } from '../../src/domain/running.ts'
import { memoryIo } from './hookline.ts'

const SIGNER = `sha256:${'5c'.repeat(32)}`
const TAG = '0123456789abcdef'

const entry = (parts: Partial<RunningEntry> = {}): RunningEntry => ({
  ...{ position: 1, function: 'edge', instance: 'limit', entry: 'xdp_limit', release: 'acme/limit@1.0.0' },
  ...{ object: `sha256:${'a'.repeat(64)}` as const, signers: [SIGNER], problem: undefined },
  logged: { index: 7, at: '2026-05-01T12:00:00.000Z' },
  ...parts,
})
const chain = (entries: readonly RunningEntry[], parts: Partial<RunningChain> = {}): RunningChain => ({
  ...{ key: '1-2-xdp', interface: 'eth0', netns: '', hook: 'xdp', generation: 3, programId: 9, problems: [] },
  ...{ functions: [{ name: 'edge', revision: 4 }], programs: [{ programId: 9, tag: TAG, madeTag: TAG }] },
  entries,
  ...parts,
})
const verified = (parts: Partial<VerifiedNode> = {}): VerifiedNode => ({
  ...{ node: 'edge-1', kernel: '6.12.1', policy: '/etc/hookline/trust.yaml', at: '2026-05-02T12:00:00.000Z' },
  ...{ chains: [chain([entry()])], functions: [], others: [] },
  ...parts,
})
const shown = (parts: Partial<VerifiedNode> = {}) => showRunning(verified(parts), { io: memoryIo() })

test('what holds says where, by what and when, and who signed, in full', () => {
  const { text, json, refused } = shown()
  expect(refused).toBe(false)
  expect(json).toMatchObject({ holds: true, node: 'edge-1', policy: '/etc/hookline/trust.yaml' })
  const lines = text.split('\n')
  expect(lines[0]).toBe('edge-1 (Linux 6.12.1) by /etc/hookline/trust.yaml, 2026-05-02 12:00:00Z')
  expect(lines[2]).toMatch(/sha256:5c5c5c5c5c5c… +7 +matches: 0123456789abcdef$/)
  expect(lines.slice(3)).toEqual([
    `signed by ${SIGNER}`,
    '1 chain: what is attached is what signed releases make, as ordered',
  ])
})

test('what drops everything in place of what is revoked is said to', () => {
  const { text, refused } = shown({
    chains: [chain([entry(), entry({ release: 'acme/limit@2.0.0 (revoked)', signers: [], position: 2 })])],
  })
  expect(refused).toBe(false)
  expect(text).toContain('\nxdp on eth0: edge/limit drops every packet: acme/limit@2.0.0 is revoked\n')
})

test('what does not hold ends as refused, with the code', () => {
  const problem = {
    code: 'running_unverified',
    message: 'is not what was signed',
    cause: 'digest_mismatch',
  } as const
  const { text, refused } = shown({ chains: [chain([entry({ problem, signers: [] })])] })
  expect(refused).toBe(true)
  expect(text).toContain('[running_unverified: digest_mismatch]')
  expect(text).toContain('1 chain: not as it should be')
})
