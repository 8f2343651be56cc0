import { generateKeyPairSync } from 'node:crypto'
import { expect, test } from 'vitest'
import { keptParts } from '../../src/agent/kept-vetting.ts'
import { rememberVerdicts } from '../../src/agent/verdicts.ts'
import { parseTrustPolicy } from '../../src/domain/trust-policy.ts'
import { formatNoteKey, noteKeyOf } from '../../src/tlog/note-key.ts'

const CATALOG = formatNoteKey(
  noteKeyOf('registry.example/catalog', 'note', generateKeyPairSync('ed25519').publicKey),
)
const FRESH_AT = 1_700_000_000
const RELEASE = { program: 'acme/knob', version: '1.0.0', files: [] }

/** Why a release must not run, so many seconds after the log was heard of last. */
async function revocationAfter(seconds: number, onStale: 'keep' | 'revoke'): Promise<string | undefined> {
  const kept = { key: CATALOG, epoch: 0, size: 1, root: '', freshAt: FRESH_AT }
  const log = { ...kept, sightings: [], places: [], frontier: [], notes: [], leftOut: 0 }
  const { vetting } = await keptParts({
    ...{ kernelRelease: '6.1.0', kernelBtf: true, arch: 'x64', verdicts: rememberVerdicts() },
    clock: () => new Date((FRESH_AT + seconds) * 1000),
    policy: parseTrustPolicy(`log: { key: "${CATALOG}", maxAge: 90s, onStale: ${onStale} }`),
    state: {
      log: async (name) => (name === 'catalog' ? log : undefined),
      revocations: async () => [],
      blob: async () => undefined,
      releaseSeen: async (_, now) => now,
    },
  })
  return vetting.revocationOf(RELEASE)?.code
}

test('a log that was not heard of for too long revokes all where the policy says so', async () => {
  expect(await revocationAfter(91, 'revoke')).toBe('release_revoked')
  expect(await revocationAfter(89, 'revoke')).toBe(undefined)
  expect(await revocationAfter(91, 'keep')).toBe(undefined)
})
test('a file that is not kept is fetched from nowhere', async () => {
  const parts = await keptParts({
    ...{ kernelRelease: '6.1.0', kernelBtf: true, arch: 'x64', verdicts: rememberVerdicts() },
    clock: () => new Date(),
    policy: parseTrustPolicy('programs: []'),
    state: {
      log: async () => undefined,
      revocations: async () => [],
      blob: async () => undefined,
      releaseSeen: async (_, now) => now,
    },
  })
  const digest = `sha256:${'0'.repeat(64)}` as const
  await expect(parts.registry.blob(digest, 1, parts.signal)).rejects.toMatchObject({
    code: 'file_unreadable',
  })
})
