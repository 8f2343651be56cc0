import { expect, test } from 'vitest'
import { requireVerifyFlags } from '../../src/cli/verify-flags.ts'

const nothing = { signer: [], logKey: [], offline: false, state: undefined, policy: undefined }
const ofRelease = { ...nothing, running: false, target: 'acme/limit' }
const ofRunning = { ...nothing, running: true, target: undefined }

test.each([
  ['a release by its signer', { ...ofRelease, signer: ['k.pub.pem'], minSigners: 2 }],
  ['a release by a policy, without the log', { ...ofRelease, policy: 'trust.yaml', offline: true }],
  ['what runs', ofRunning],
  ['what runs elsewhere', { ...ofRunning, state: '/x', trust: '/y', bpffs: '/z' }],
])('verifies %s', (_, flags) => {
  expect(() => requireVerifyFlags(flags)).not.toThrow()
})
test.each([
  ['neither', { ...ofRelease, target: undefined }, 'say what to check'],
  ['both', { ...ofRunning, target: 'acme/limit' }, 'say what to check'],
  ['what runs by a signer', { ...ofRunning, signer: ['k.pub.pem'] }, '--signer is about a release'],
  ['what runs by several', { ...ofRunning, minSigners: 2 }, '--min-signers is about a release'],
  ['what runs by another policy', { ...ofRunning, policy: 'p' }, '--policy is about a release'],
  ['what runs without a log', { ...ofRunning, offline: true }, '--offline is about a release'],
  ['a release in a state directory', { ...ofRelease, state: '/x' }, '--state is about what runs'],
  ['a release by a node’s policy', { ...ofRelease, trust: '/x' }, '--trust is about what runs'],
])('refuses to verify %s', (_, flags, message) => {
  expect(() => requireVerifyFlags(flags)).toThrow(
    expect.objectContaining({ code: 'usage', message: expect.stringContaining(message) }),
  )
})
